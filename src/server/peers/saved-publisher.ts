// A publisher's connection as plain data: all that another process must know to go on with it as if it had accepted it
// itself. The connection's descriptor travels beside it; how both travel is up to whoever gives a server its mover.
//
//   publish ─▶ written down before it is asked for ─▶ there: asked for and answered         an edge, to the origin
//   media ───▶ written down between two reads ──────▶ there: goes on, and nobody notices    a process, to its heir
import type { SavedEngine } from "../../codec/rtmp/engine.js";
import type { SavedMessage } from "../../codec/rtmp/message.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { Admission } from "../../hooks/hooks.js";
import type { Due } from "../../ipc/dues.js";
import type { SavedSource } from "../../stream/source.js";
import type { SavedCaller } from "./caller.js";

/** The longest that a written-down publisher may be as JSON, in bytes. */
export const maxSavedBytes = 80 << 10;

/** A connection between two reads, behind the handshake, as JSON. */
export interface SavedConnection {
  /** The connection's id in logs. */
  readonly conn: string;
  /** Who the client is: the socket's peer, or the one that a trusted peer has named. */
  readonly client: Endpoint;
  /** Since 1970. */
  readonly startedAtMs: number;
  /** What was sent to it so far. */
  readonly bytesOut: number;
  readonly engine: SavedEngine;
}

/** A connection that wants to publish, or does. */
export interface SavedPublisher {
  readonly connection: SavedConnection;
  readonly caller: SavedCaller;
  /** The message stream that it publishes on. */
  readonly streamId: number;
  /** The stream as `publish` named it, parameters and all. */
  readonly stream: string;
  /** The stream's source where publishing has begun; null: `publish` is still to be answered. */
  readonly source: SavedSource | null;
  /** What the site's backend has granted, where publishing has begun. */
  readonly admission: Admission;
  /** What is due when the connection ends. */
  readonly closing: Due | null;
  /** What the last read brought behind `publish`. */
  readonly early: readonly SavedMessage[];
}

/**
 * Takes a publisher to another process. Null: it cannot, or this one is too long, and the publisher stays. Otherwise that process may read from the
 * connection at once, and the promise resolves when this one may close its descriptor.
 */
export type Mover = (saved: SavedPublisher, fd: number) => Promise<void> | null;

/** What is due when it is over. */
export function duesOf({ admission, closing }: SavedPublisher): Due[] {
  return [admission.due, closing].filter((due) => due !== null);
}
