// A connection as plain data: what another process must know to go on with it when the one that serves it is gone. The
// connection itself travels beside it (descriptor-link.ts), and how far a viewer has got stands in shared memory (marks.ts).
//
//   a child      note {session, row} + a viewer's connection ──▶ the master's vault
//   the vault    note {session, from} + the connection ──▶ another child
//   a child      note {publisher} + a publisher's connection ──▶ the origin in the master
import type { Position } from "../base/position.js";

/** A viewer, of either protocol. What is `saved` is its program's business. */
export interface CarriedSession {
  /** Names the connection in the whole box, for as long as it lives. */
  readonly token: string;
  readonly kind: "rtmp" | "flv";
  readonly saved: unknown;
}

export interface CarryNote {
  readonly session: CarriedSession;
  /** Of the sender's marks. */
  readonly row: number;
}

export interface PublisherNote {
  readonly publisher: unknown;
}

export interface AdoptNote {
  readonly session: CarriedSession;
  /** Behind which packet it goes on; null: it has got none yet. */
  readonly from: Position | null;
}
