// The byte mover of PlanB: two connected sockets go in, and from then on what one sends the other gets, until both
// directions have ended. Two implementations behind one interface:
//
//   create-pump.ts   chooses
//   splice-pump.ts   Linux with koffi: the kernel moves the bytes, in a loop of its own in a worker thread
//                    (splice-pair.ts here, splice-table.ts between, splice-worker.ts, splice-loop.ts, splice-pipes.ts there;
//                    splice-calls.ts: the system calls of both)
//   plain-pump.ts    anywhere: node's sockets, at two to three times the price
//   take-over.ts     how a socket comes from its owner to either of them, with every byte
//   dial.ts          how the splice pump connects to a server of this machine, without a socket of node's
//
// Which server a connection goes to, and what was said before, is the caller's. With a carrier, the splice pump's pairs outlive
// this process: copies of their descriptors are kept, and another proxy joins them again. The plain pump's do not: node tells
// of a read only when its bytes have left the kernel, so nothing could say at which moment none are lost.
import type { Socket } from "node:net";
import type { ErrorCode } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { CarriedSession } from "../../ipc/carried.js";
import type { SocketHandle } from "./handle.js";

/** How a joined pair ended. */
export interface PumpEnd {
  /** Whose end of stream or reset came first; `proxy` for limits, for a stop and for failures of our own. */
  readonly endedBy: "client" | "server" | "proxy";
  /** `closed`: both directions ended in order. `reset`: an abort, passed on as one. `stopped`: by `close`. `moved`: another process goes on. */
  readonly reason: "closed" | "reset" | "idle" | "limit" | "stopped" | "failed" | "moved";
  /** From the client to the server. */
  readonly bytesIn: number;
  /** From the server to the client. */
  readonly bytesOut: number;
}

/** The codes of ends that somebody should know of. */
export const pumpCodes: Readonly<Record<PumpEnd["reason"], ErrorCode | null>> = {
  closed: null,
  reset: null,
  stopped: null,
  moved: null,
  idle: "PROXY_IDLE",
  limit: "PROXY_LIMIT",
  failed: "PROXY_PUMP",
};

export interface PumpOptions {
  /** Ends the pair when no byte passes in either direction for so long (> 0), never earlier and up to a second later; null: never. */
  readonly idleMs: number | null;
  /** Ends the pair after so long (> 0), never earlier and up to a second later; null: never. */
  readonly totalMs: number | null;
  /** What another process must know to go on with the pair; null: it ends with this one. */
  readonly session: CarriedSession | null;
  /** Called once, never from within `join`. */
  readonly onEnd: (end: PumpEnd) => void;
}

/** A pair that is being moved; its counters are those of this moment. `close` may be called twice. */
export interface Joined {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Closes both sockets; `onEnd` still tells. */
  close(): void;
}

export interface Pump {
  readonly kind: "splice" | "plain";
  /**
   * Takes both sockets over: the caller drops its listeners and touches neither again, and closes nothing. They must be
   * connected, made with `allowHalfOpen`, and neither may have an encoding. Bytes that a socket has read and nobody took
   * yet go out first, behind those that wait to be written.
   */
  join(client: Socket, server: Socket, options: PumpOptions): Joined;
  /**
   * The same with a client of whom nothing has been read, and a server that is connected to here, without sockets of node's; it gets
   * `preface` first. The client's handle is closed. Null: that cannot be done at once, and nothing has happened to the client.
   */
  joinAtOnce(client: SocketHandle, server: Endpoint, preface: Buffer | null, options: PumpOptions): Joined | null;
  /** Lets go of every pair that is carried, as soon as nothing that was read of it waits; each tells its end as `moved`. */
  letGo(): void;
  /** Ends all pairs as `stopped`; resolves when each has told. A `join` after that ends at once. */
  close(): Promise<void>;
}
