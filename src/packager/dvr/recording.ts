// A recording under way, whatever its container: it takes frames, knows how to be found again after the death of its writer, and ends as
// a file that any player opens.
import type { Position } from "../../base/position.js";
import type { Packet } from "../../stream/packet.js";

/** Where a recording that was left goes on. */
export interface LeftOff {
  /** What is whole; the rest is cut off. */
  readonly keptBytes: number;
  /** Behind the last packet that is in it; null: it has none yet. */
  readonly position: Position | null;
  /** How long what is whole lasts. */
  readonly durationMs: number;
}

/** What became of a recording. */
export interface Ended {
  readonly path: string;
  readonly durationMs: number;
  readonly sizeBytes: number;
}

export interface Recording {
  readonly hasFailed: boolean;
  /** Given to the disk so far. */
  readonly sizeBytes: number;
  /** Takes a packet that is `timeMs` behind the beginning of the file. */
  write(packet: Packet, timeMs: number): void;
  /** Whether this packet can be in the same file as those before; else the next place to start begins another. */
  fits(packet: Packet): boolean;
  /** Has what has come so far written down, so that it outlives the machine. */
  sync(): Promise<void>;
  /** Leaves it to whoever goes on. */
  leave(): Promise<void>;
  /** Ends it under its name; null: there was nothing in it, and there is no file. */
  finish(): Promise<Ended | null>;
}
