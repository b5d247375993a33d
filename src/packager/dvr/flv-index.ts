// The index of a recording's key frames, by which players of FLV seek: when each is shown and where its tag begins, as tools that add one
// to a file write it. It has its room in the description at the head of the file from the beginning on, and is filled in at the end. Pure.
import type { AmfObject } from "../../codec/rtmp/amf0.js";

/** Key frames that an index has room for; of more every second is left out, every fourth …, so that the rest is spread over the file. */
const roomFor = 1000;

interface Entry {
  readonly timeMs: number;
  /** Where its tag begins. */
  readonly at: number;
}

export interface KeyFrameIndex {
  /** What describes the pictures: tools list it first, and players pass over the first. */
  header: Entry | null;
  entries: Entry[];
  /** Each so many-th key frame is in it. */
  every: number;
  /** Key frames so far. */
  count: number;
}

export function makeIndex(): KeyFrameIndex {
  return { header: null, entries: [], every: 1, count: 0 };
}

/** Adds the next key frame, or what describes the pictures. */
export function addToIndex(index: KeyFrameIndex, { timeMs, at, isHeader }: Entry & { readonly isHeader: boolean }): void {
  if (isHeader) {
    index.header ??= { timeMs, at };
    return;
  }
  if (index.count++ % index.every !== 0) return;
  index.entries.push({ timeMs, at });
  if (index.entries.length < roomFor) return;
  index.entries = index.entries.filter((_, place) => place % 2 === 0);
  index.every *= 2;
}

/** As members of a description, which take as many bytes whatever is in them. An index of nothing has a name that no player looks for. */
export function indexMembers({ header, entries }: KeyFrameIndex): AmfObject {
  const listed = entries.length === 0 ? [] : [header ?? entries[0]!, ...entries];
  const keyFrames = { times: listed.map(({ timeMs }) => timeMs / 1000), filepositions: listed.map(({ at }) => at) };
  const room = Array.from({ length: 2 * (roomFor - listed.length) }, () => 0);
  return { hasKeyframes: listed.length > 0, [listed.length > 0 ? "keyframes" : "unindexed"]: keyFrames, room };
}
