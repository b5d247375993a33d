// The numbers of message streams, as our servers give them in answer to createStream; a proxy of ours gives the same ones in a server's
// name.
import { mediaStreamId } from "./message.js";

/** Message streams that one connection has at once. */
export const maxMessageStreams = 8;

const all: readonly number[] = Array.from({ length: maxMessageStreams }, (_, at) => mediaStreamId + at);

/**
 * The number to give: the lowest one that is free, for encoders give theirs back, and some take the first for granted. Who never gives
 * one back gets again what is not in use; null: all are.
 */
export function freeStreamId(given: readonly number[], inUse: readonly number[]): number | null {
  const idle = all.filter((id) => !inUse.includes(id));
  return idle.find((id) => !given.includes(id)) ?? idle[0] ?? null;
}
