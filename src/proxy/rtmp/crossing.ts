// The sockets of a connection that is at its seam: what the client has said goes to the server, what the server says goes
// through the seam to the client, until the seam is raw and a pump can take both. Back-pressure holds in both directions,
// and each end of stream is passed on; an abort is passed on as one.
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, type DolphinError } from "../../base/errors.js";
import type { Seam } from "./seam.js";

export interface CrossingHandler {
  /** The seam is passed: both sockets are open, paused and without listeners of ours. */
  onRaw(): void;
  /** The connection is over before that. Both sockets are closed, or will be. */
  onEnd(endedBy: "client" | "server" | "proxy", reason: string, error: DolphinError | null): void;
}

/** How long the other side may stay when one has sent its end of stream. */
const halfOpenMs = 10_000;

/** One seam with its two sockets. Exactly one of `onRaw` and `onEnd` is called, once. */
export class Crossing {
  private readonly client: Socket;
  private readonly server: Socket;
  private readonly seam: Seam;
  private readonly handler: CrossingHandler;
  private readonly listeners: (() => void)[] = [];
  private readonly lingering = new Deadline();
  private firstEnd: "client" | "server" | null = null;
  private isOver = false;
  /** From the client to the server, the replayed bytes not among them. */
  bytesIn = 0;
  /** From the seam to the client. */
  bytesOut = 0;

  /** Writes `replay` to the server and begins. Both sockets must be paused, with `allowHalfOpen`. */
  constructor(client: Socket, server: Socket, seam: Seam, replay: Buffer, handler: CrossingHandler) {
    this.client = client;
    this.server = server;
    this.seam = seam;
    this.handler = handler;
    server.write(replay);
    this.listen(client, server, "client", (bytes) => this.toServer(bytes));
    this.listen(server, client, "server", (bytes) => this.toClient(bytes));
    client.resume();
    server.resume();
  }

  /** Ends the connection; `onEnd` still tells. */
  close(reason: string, error: DolphinError | null = null): void {
    this.end("proxy", reason, error);
  }

  private listen(from: Socket, to: Socket, who: "client" | "server", take: (bytes: Buffer) => void): void {
    const on = <A extends unknown[]>(event: string, run: (...args: A) => void): void => {
      from.on(event, run as (...args: unknown[]) => void);
      this.listeners.push(() => void from.off(event, run as (...args: unknown[]) => void));
    };
    on("data", take);
    on("drain", () => to.resume());
    on("end", () => {
      to.end();
      this.ended(who);
    });
    on("error", () => {
      to.resetAndDestroy();
      this.end(this.firstEnd ?? who, `the ${who} broke the connection`, null);
    });
    on("close", () => {
      if (to.destroyed || this.firstEnd === null) this.end(this.firstEnd ?? who, `the ${this.firstEnd ?? who} left`, null);
    });
  }

  private toServer(bytes: Buffer): void {
    this.bytesIn += bytes.length;
    if (!this.server.write(bytes)) this.client.pause();
  }

  private toClient(bytes: Buffer): void {
    let out: Buffer;
    try {
      out = this.seam.push(bytes);
    } catch (thrown) {
      const error = asDolphinError(thrown);
      this.end("proxy", error.message, error);
      return;
    }
    this.bytesOut += out.length;
    if (out.length > 0 && !this.client.write(out)) this.server.pause();
    // a pump must see both ends itself: where one has come already, the rest is moved here
    if (this.seam.isRaw && this.firstEnd === null && !this.client.destroyed) this.pass();
  }

  private pass(): void {
    this.client.pause();
    this.server.pause();
    this.stop();
    this.handler.onRaw();
  }

  private ended(who: "client" | "server"): void {
    if (this.firstEnd !== null) return;
    this.firstEnd = who;
    this.lingering.set(halfOpenMs, () => this.end(who, `the ${who} left`, null));
  }

  private end(endedBy: "client" | "server" | "proxy", reason: string, error: DolphinError | null): void {
    if (this.isOver) return;
    this.stop();
    this.server.destroy();
    this.client.destroySoon();
    setTimeout(() => this.client.destroy(), 1000).unref(); // a client that does not take the last bytes
    this.handler.onEnd(endedBy, reason, error);
  }

  private stop(): void {
    this.isOver = true;
    this.lingering.clear();
    for (const unlisten of this.listeners) unlisten();
  }
}
