// What a reader remembers of one chunk stream (csid): the last header, which the next one may leave parts of out, and the
// message that is under way. It can be written down as plain data, so that a connection can go on elsewhere.
import { differing } from "../differing.js";

/** The last header of a chunk stream: what the next one may leave out. */
export interface ChunkHeader {
  readonly csid: number;
  readonly timestamp: number;
  /** What the timestamp field last said: an absolute time after fmt 0, a difference after fmt 1 and 2. */
  readonly field: number;
  readonly isDifference: boolean;
  readonly isExtended: boolean;
  /** Whether fmt 3 chunks repeat the extended timestamp: they should, and some encoders do not. Null: not seen yet. */
  readonly repeatsExtended: boolean | null;
  readonly length: number;
  readonly type: number;
  readonly streamId: number;
}

/** The same as its reader holds it. */
export interface ChunkStream extends Mutable<ChunkHeader> {
  readonly csid: number;
  /** Whether a message header has been seen, so that fmt 1–3 have something to refer to. */
  isKnown: boolean;
  /** The fmt that the last message began with. */
  fmt: number;
  /** Whether a message is under way. Its payload has memory from its first byte on, and `received` bytes of it. */
  isOpen: boolean;
  payload: Buffer | null;
  received: number;
}

/** A chunk stream as JSON: `payload` is what has come of the message under way, in base64. */
interface WrittenChunkStream extends Omit<ChunkStream, "payload" | "received"> {
  readonly payload: string;
}

/** The same without what is as in a new one. */
type SavedChunkStream = Pick<ChunkStream, "csid"> & Partial<WrittenChunkStream>;

/** A reader between two reads, as JSON. */
export interface SavedChunkReader {
  readonly chunkSize: number;
  readonly streams: readonly SavedChunkStream[];
  /** The header that the last read cut off, in base64. */
  readonly scratch: string;
  /** The chunk stream whose chunk was cut off, and how much of that chunk is still to come. */
  readonly current: { readonly csid: number; readonly restBytes: number } | null;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One of which nothing is known. */
export function newChunkStream(csid: number): ChunkStream {
  return {
    csid,
    isKnown: false,
    fmt: 0,
    timestamp: 0,
    field: 0,
    isDifference: false,
    isExtended: false,
    repeatsExtended: null,
    length: 0,
    type: 0,
    streamId: 0,
    isOpen: false,
    payload: null,
    received: 0,
  };
}

function written({ payload, received, ...rest }: ChunkStream): WrittenChunkStream {
  return { ...rest, payload: payload?.toString("base64", 0, received) ?? "" };
}

const unwritten = written(newChunkStream(0));

/** Writes one down, between two reads. */
export function saveChunkStream(stream: ChunkStream): SavedChunkStream {
  return { csid: stream.csid, ...differing(written(stream), unwritten) };
}
