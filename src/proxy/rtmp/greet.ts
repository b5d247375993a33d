// The client's side of the handshake, towards the server that was chosen: connects, shakes hands, and leaves a quiet socket
// whose next bytes are the first chunks of the dialogue. One time holds for all of it, so a server that accepts and says
// nothing counts as one that is slow to accept.
import { connect, type Socket } from "node:net";
import { DolphinError, messageOf } from "../../base/errors.js";
import { answerBytes, answerServer, makeHello } from "../../codec/rtmp/handshake.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { Patience } from "../balance/patience.js";

export interface GreetOptions {
  readonly endpoint: Endpoint;
  /** What goes before the handshake and tells who the client is; null: nothing. */
  readonly preface: Buffer | null;
  /** The client's: how long the server may take. */
  readonly patience: Patience;
  /** Whether another server could be asked instead. */
  readonly hasOther: () => boolean;
  /** Aborted when the client has left. */
  readonly signal: AbortSignal;
}

/**
 * Resolves with the socket behind the handshake: paused, with half-close, without Nagle's delay and with nobody listening
 * but for errors. Throws PROXY_CONNECT with what went wrong; the socket is destroyed then.
 */
export function greet({ endpoint, preface, patience, hasOther, signal }: GreetOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const where = formatEndpoint(endpoint);
    const answer = Buffer.allocUnsafe(answerBytes);
    let had = 0;
    const socket = connect({ host: endpoint.host, port: endpoint.port, noDelay: true, allowHalfOpen: true });
    const settle = (): void => {
      patience.clear();
      signal.removeEventListener("abort", left);
      for (const event of ["connect", "data", "end", "close", "error"]) socket.removeAllListeners(event);
      socket.on("error", () => undefined); // told by `close` to whoever has the socket next
    };
    const fail = (reason: string): void => {
      settle();
      socket.destroy();
      reject(new DolphinError("PROXY_CONNECT", `${where}: ${reason}`));
    };
    const left = (): void => fail("the client left meanwhile");
    patience.begin({ hasOther, late: (waitedMs) => fail(`no handshake within ${waitedMs} ms`) });
    socket.on("connect", () => socket.write(Buffer.concat([preface ?? Buffer.alloc(0), makeHello()])));
    socket.on("data", (bytes: Buffer) => {
      const used = bytes.copy(answer, had);
      had += used;
      if (had < answerBytes) return;
      let c2: Buffer;
      try {
        c2 = answerServer(answer);
      } catch (thrown) {
        fail(messageOf(thrown));
        return;
      }
      settle();
      socket.pause();
      if (used < bytes.length) socket.unshift(bytes.subarray(used));
      socket.write(c2);
      resolve(socket);
    });
    socket.on("error", (error) => fail(messageOf(error)));
    socket.on("end", () => fail("it closed the connection during the handshake"));
    socket.on("close", () => fail("it closed the connection during the handshake"));
    signal.addEventListener("abort", left);
    if (signal.aborted) left();
  });
}
