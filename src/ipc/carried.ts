// A connection as plain data: what another process must know to go on with it when the one that serves it is gone. The
// connection itself travels beside it (descriptor-link.ts), and how far it has got stands in shared memory (marks.ts).
//
//   a child      note {head, row}, text + a viewer's connection, or the two of a pair ──▶ the master's vault
//   the vault    note {head, from}, text + the same ──▶ another child, which answers {token, row} over the channel
//   a child      text + a publisher's connection ──▶ the origin in the master, or through it the child that has the stream next
//
// The text is what is saved, packed: made once by who serves the connection and read once by its heir. Whoever is between them keeps
// it as it is.
import type { Position } from "../base/position.js";
import type { Due } from "./dues.js";

/** A viewer, of either protocol, or a pair of connections whose bytes a proxy moves. What is `saved` is its program's business. */
export type CarriedSession = {
  /** Names the connection in the whole box, for as long as it lives. */
  readonly token: string;
  /** What is due when it is over; absent: nothing. */
  readonly dues?: readonly Due[];
} & ({ readonly kind: "rtmp" | "flv"; readonly saved: unknown } | { readonly kind: "pair"; readonly saved: SavedPair });

/** A pair that a proxy moves: a client's connection and a server's. Its descriptors travel in this order. */
export interface SavedPair {
  readonly backend: string;
  /** The lease that its publisher holds, under the number of the proxy that moves it; null: none. */
  readonly lease: { readonly id: number; readonly key: string } | null;
  /** What its client asks for, `vhost/app/stream`; absent: the proxy has not read that. */
  readonly asks?: { readonly key: string; readonly what: "publish" | "play" };
  /** What lines of the log tell of it. */
  readonly line: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  /** What went by before this proxy moved it. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What is read of a session on its way. */
export interface SessionHead extends Pick<CarriedSession, "token" | "kind"> {
  /** Absent: nothing. */
  readonly dues?: readonly Due[] | undefined;
}

/** A session on its way, or kept. */
export interface PackedSession extends SessionHead {
  /** What is saved: see `pack`. */
  readonly text: string;
}

/** Makes what is saved a text, for as long as nobody reads it: JSON in UTF-8, each byte as one character, so its length is that in bytes. */
export function pack(saved: unknown): string {
  const text = JSON.stringify(saved);
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString("latin1");
}

/** What `pack` has packed. */
export function unpack(text: string): unknown {
  return JSON.parse(Buffer.from(text, "latin1").toString());
}

export interface CarryNote {
  readonly head: SessionHead;
  /** Of the sender's marks. */
  readonly row: number;
}

/** A connection that the vault has given to a child, which has gone on with it; the vault has its copies and knows what it is. */
export interface AdoptedNote {
  readonly token: string;
  /** Of the sender's marks. */
  readonly row: number;
  /** What it is now, where that is another thing than before. */
  readonly session: PackedSession | null;
}

/** The note beside a publisher, of whom the text says everything. */
export const publisherNote = "publisher";

export interface GivenNote extends Pick<AdoptNote, "from"> {
  readonly head: SessionHead;
}

/** What a process is told that goes on with a connection. */
export interface AdoptNote {
  readonly session: CarriedSession;
  /** Behind which packet a viewer goes on, or what the last proxy has moved of a pair, as its row says; null: nothing yet. */
  readonly from: Position | null;
}

/** What keeps copies of connections. */
export interface Carrier {
  /** The memory that rows are in, for a thread that marks in it: see marks.ts. It stays the carrier's. */
  readonly marksFd: number;
  /**
   * Keeps copies of a connection's descriptors and what it is, which has got so far; null where it cannot, and the connection then
   * ends with this process. `descriptors` is asked when the copy is made, and tells null once the connection is closed.
   */
  carry(descriptors: () => readonly number[] | null, session: CarriedSession, from: Position | null): Carriage | null;
  /** Whether the master is giving this process the connection of a token: it has what is saved of it, and will not look at that again. */
  isGiven(token: string): boolean;
}

/** One connection that is carried. Call `over` or `letGo` once, and nothing behind it. */
export interface Carriage {
  /** Its row begins at `at`: see marks.ts. */
  readonly words: Int32Array;
  readonly at: number;
  /** The connection has ended, and the row is another's. */
  readonly isOver: boolean;
  /** Whether the copy is there, so that this process may let go of its own. */
  readonly isKept: boolean;
  /** This is what is saved of it from now on. */
  renew(saved: CarriedSession["saved"]): void;
  over(): void;
  /** This process has written its last word to it, all of which the system has taken; another goes on. */
  letGo(): void;
}
