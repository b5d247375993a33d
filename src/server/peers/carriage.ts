// How a viewer's connection outlives the process that serves it: whoever begins to play is handed to a carrier, which keeps a
// copy of the connection in the master, and from then on every write leaves a mark that says how far the viewer has got.
import type { Socket } from "node:net";
import type { Carriage } from "../../ipc/carried.js";
import { packetWord, stateBusy, stateClean, stateUnused, stateWord, timestampWord } from "../../ipc/marks.js";
import { beforeFirst, packetKey } from "../../base/position.js";
import type { Packet } from "../../stream/packet.js";
import { writeTo } from "../../wire/direct-write.js";

const nothing = Buffer.alloc(0);

/** Writes a batch that ends with `last`, and marks how far the viewer has got. */
export function writeMarked(socket: Socket, bytes: Buffer, last: Packet | null, carriage: Carriage): void {
  const { words, at } = carriage;
  const wasUnused = words[at + stateWord] === stateUnused;
  words[at + stateWord] = stateBusy;
  writeTo(socket, bytes);
  note(carriage, last);
  const state = last === null && wasUnused ? stateUnused : stateClean;
  if (socket.writableLength === 0) words[at + stateWord] = state;
  else settle(socket, carriage, state);
}

/** Writes what stands before the first packet of a viewer to whom nothing was written yet, and marks that it has been. */
export function writeOpening(socket: Socket, bytes: Buffer, carriage: Carriage): void {
  const { words, at } = carriage;
  words[at + stateWord] = stateBusy;
  socket.write(bytes);
  words[at + timestampWord] = beforeFirst.timestamp;
  words[at + packetWord] = beforeFirst.packet;
  if (socket.writableLength === 0) words[at + stateWord] = stateClean;
  else settle(socket, carriage, stateClean);
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
