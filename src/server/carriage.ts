// How a viewer's connection outlives the process that serves it: whoever begins to play is handed to a carrier, which keeps a
// copy of the connection in the master, and from then on every write leaves a mark that says how far the viewer has got.
import type { Socket } from "node:net";
import type { CarriedSession } from "../ipc/carried.js";
import { packetWord, stateBusy, stateClean, stateUnused, stateWord, timestampWord } from "../ipc/marks.js";
import { packetKey, type Position } from "../base/position.js";
import type { Packet } from "../stream/packet.js";

/** What keeps copies of connections. */
export interface Carrier {
  /**
   * Keeps a copy of a connection and what it is, which has got so far; null where it cannot, and the connection then ends with this
   * process. `descriptor` is asked when the copy is made, and tells null once the connection is closed.
   */
  carry(descriptor: () => number | null, session: CarriedSession, from: Position | null): Carriage | null;
}

/** One connection that is carried. Call `over` or `letGo` once. */
export interface Carriage {
  /** Its row begins at `at`: see marks.ts. */
  readonly words: Int32Array;
  readonly at: number;
  /** The connection has ended, and the row is another's. */
  readonly isOver: boolean;
  /** Whether the copy is there, so that this process may let go of its own. */
  readonly isKept: boolean;
  over(): void;
  /** This process has written its last word to it, all of which the system has taken; another goes on. */
  letGo(): void;
}

const nothing = Buffer.alloc(0);

/** Writes a batch that ends with `last`, and marks how far the viewer has got. */
export function writeMarked(socket: Socket, bytes: Buffer, last: Packet | null, carriage: Carriage): void {
  const { words, at } = carriage;
  const wasUnused = words[at + stateWord] === stateUnused;
  words[at + stateWord] = stateBusy;
  socket.write(bytes);
  note(carriage, last);
  const state = last === null && wasUnused ? stateUnused : stateClean;
  if (socket.writableLength === 0) words[at + stateWord] = state;
  else settle(socket, carriage, state);
}

/** Marks how far a viewer has got who has been written to before its writes were marked. */
export function markNow(socket: Socket, last: Packet | null, carriage: Carriage): void {
  note(carriage, last);
  const { words, at } = carriage;
  const state = last === null ? words[at + stateWord]! : stateClean;
  words[at + stateWord] = state;
  if (socket.writableLength === 0) return;
  words[at + stateWord] = stateBusy;
  settle(socket, carriage, state);
}

function note({ words, at }: Carriage, last: Packet | null): void {
  if (last === null) return;
  words[at + timestampWord] = last.timestamp;
  words[at + packetWord] = packetKey(last.type, last.payload.length);
}

/** The rare case: the system has not taken all of it at once. What is written behind it tells when it has. */
function settle(socket: Socket, carriage: Carriage, state: number): void {
  socket.write(nothing, () => {
    if (!carriage.isOver && socket.writableLength === 0) carriage.words[carriage.at + stateWord] = state;
  });
}
