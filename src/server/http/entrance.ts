// How an accepted connection gets to node:http: its reads go past what is known of requests that came before (asked-again.ts), and where a
// trusted peer may tell who the client is, Node waits for its word.
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { asDolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { takeFront } from "../../base/sockets/socket-front.js";
import { readPreface } from "../../codec/preface.js";
import { clientOf, nameClient, peerOf } from "../peers/peer.js";
import type { Hub } from "../streams/hub.js";
import { headersTimeoutMs, type AskedAgain } from "./asked-again.js";

/** Three quarters of a process's places are taken, or it takes nobody new. */
export function isCrowded({ drainReason, setup: { maxConnections }, traffic }: Hub): boolean {
  return drainReason !== null || (maxConnections !== null && traffic.connections * 4 > maxConnections * 3);
}

export interface Entrance {
  readonly hub: { readonly trusted: Pick<Hub["trusted"], "has"> };
  readonly log: Log;
  readonly again: AskedAgain;
  /** Gives an accepted, paused connection the socket of `again`; null: it has no place. */
  readonly meet: (accepted: Socket) => Socket | null;
}

/** Makes a server take its connections this way. */
export function openEach(server: Server, { hub, log, again, meet }: Entrance): void {
  Object.assign(server, { pauseOnConnect: true }); // node:http has no option for it
  const listeners = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (accepted: Socket) => {
    const socket = meet(accepted);
    if (socket === null) return;
    const read = (): void => {
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
      socket.on("data", ignore).off("data", ignore); // with this Node's parser leaves the reading to the socket
    };
    if (hub.trusted.has(clientOf(socket).host)) void hold(socket, log, read);
    else again.watch(socket, read);
  });
}

function ignore(): void {}

async function hold(socket: Socket, log: Log, read: () => void): Promise<void> {
  const peer = peerOf(socket);
  socket.on("error", ignore); // `takeFront` hears of it by `close`
  try {
    const preface = await takeFront(socket, { read: readPreface, timeoutMs: headersTimeoutMs });
    if (preface === null) {
      socket.destroy(); // a balancer's check whether the port is open
      return;
    }
    if (preface.client !== null) nameClient(socket, preface.client);
    socket.off("error", ignore);
    read();
    socket.resume();
  } catch (thrown) {
    const { code, message } = asDolphinError(thrown);
    log.warn({ event: "http.refused", code, peer }, message);
    socket.destroy();
  }
}
