// How a viewer's connection outlives the process that serves it: whoever begins to play is handed to a carrier, which keeps a
// copy of the connection in the master, and from then on every write leaves a mark that says how far the viewer has got.
import type { Socket } from "node:net";
import type { CarriedSession } from "../ipc/carried.js";
import { packetWord, stateBusy, stateClean, stateUnused, stateWord, timestampWord } from "../ipc/marks.js";
import { packetKey, type Position } from "../base/position.js";
import type { Packet } from "../stream/packet.js";

/** What keeps copies of connections. */
export interface Carrier {
  /** Keeps a copy of a connection and what it is, which has got so far; null where it cannot, and the connection then ends with this process. */
  carry(fd: number, session: CarriedSession, from: Position | null): Carriage | null;
}

/** One connection that is carried. Call `over` or `letGo` once. */
export interface Carriage {
  /** Its row begins at `at`: see marks.ts. */
  readonly words: Int32Array;
  readonly at: number;
  /** The connection has ended. */
  over(): void;
  /** This process has written its last word to it; another goes on. */
  letGo(): void;
}

/** Writes a batch that ends with `last`, and marks how far the viewer has got. */
export function writeMarked(socket: Socket, bytes: Buffer, last: Packet | null, { words, at }: Carriage): void {
  const before = words[at + stateWord];
  words[at + stateWord] = stateBusy;
  socket.write(bytes);
  if (last !== null) {
    words[at + timestampWord] = last.timestamp;
    words[at + packetWord] = packetKey(last.type, last.payload.length);
  }
  if (socket.writableLength === 0) words[at + stateWord] = last === null && before === stateUnused ? stateUnused : stateClean;
}

/** Marks how far a viewer has got who has been written to before its writes were marked. */
export function markNow(socket: Socket, last: Packet | null, { words, at }: Carriage): void {
  if (last !== null) {
    words[at + timestampWord] = last.timestamp;
    words[at + packetWord] = packetKey(last.type, last.payload.length);
    words[at + stateWord] = stateClean;
  }
  if (socket.writableLength > 0) words[at + stateWord] = stateBusy;
}
