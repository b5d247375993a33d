// The byte mover of PlanB: two connected sockets go in, and from then on what one sends the other gets, until both
// directions have ended. Two implementations behind one interface:
//
//   splice-pump.ts   Linux with koffi: the kernel moves the bytes, in a loop of its own in a worker thread
//   plain-pump.ts    anywhere: node's sockets, at two to three times the price
//
// Which server a connection goes to, and what was said before, is the caller's.
import type { Socket } from "node:net";
import type { Log } from "../base/log.js";
import { PlainPump } from "./plain-pump.js";
import { SplicePump } from "./splice-pump.js";

/** How a joined pair ended. */
export interface PumpEnd {
  /** Whose end of stream or reset came first; `proxy` for limits, for a stop and for failures of our own. */
  readonly endedBy: "client" | "server" | "proxy";
  /** `closed`: both directions ended in order. `reset`: an abort, passed on as one. `stopped`: by `close`. */
  readonly reason: "closed" | "reset" | "idle" | "limit" | "stopped" | "failed";
  /** From the client to the server. */
  readonly bytesIn: number;
  /** From the server to the client. */
  readonly bytesOut: number;
}

export interface PumpOptions {
  /** Ends the pair when no byte passes in either direction for so long (> 0), never earlier and up to a second later; null: never. */
  readonly idleMs: number | null;
  /** Ends the pair after so long (> 0), never earlier and up to a second later; null: never. */
  readonly totalMs: number | null;
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
  /** Ends all pairs as `stopped`; resolves when each has told. A `join` after that ends at once. */
  close(): Promise<void>;
}

/** Makes the best pump that works here, or the one that is named. Never fails: the plain one works everywhere. */
export async function createPump(log: Log, kind: "auto" | "plain" = "auto"): Promise<Pump> {
  const spare = new PlainPump();
  if (kind === "plain") return spare;
  return (await SplicePump.start(spare, log)) ?? spare;
}
