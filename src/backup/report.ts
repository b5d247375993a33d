// What two nodes tell each other, as JSON, and how it is read: whatever the other sends, nothing comes of it that has not the form and
// the size that it is to have. Pure.
import { isListPath, isNodeName, isSegmentId } from "./names.js";
import { maxListedSegments, nextOf, type Roll, type RollEntry } from "./roll.js";
import type { StreamReport } from "./stream.js";

/** One message from node to node. */
export interface Report {
  readonly node: string;
  /** Of one life of the node. */
  readonly boot: string;
  /** Grows within that life: what comes late is older. */
  readonly count: number;
  /** By which the peer knows that this is told to the one that it is now, and not to what it has forgotten; empty: unknown yet. */
  readonly session: string;
  /** What has changed since the last one; all streams, where the peer may have missed something. */
  readonly streams: readonly StreamReport[];
  /** With this one the peer has heard of every stream. */
  readonly isWhole: boolean;
}

/** What is answered to it. */
export interface Receipt {
  readonly node: string;
  readonly session: string;
}

/** The longest message. */
export const maxReportBytes = 1 << 20;
/** Streams of one message; more of them take several. */
export const maxReportStreams = 16;
/** The largest segment that is taken, of the server or of the peer. */
export const maxSegmentBytes = 64 << 20;
const maxSegmentMs = 600_000;
/** Beyond it numbers would no longer be exact, or a player's 32 bits would not hold them. */
const maxNumber = 2 ** 31 - 1;
const maxTimeMs = 8.64e15;

/** Reads a message; null: it is none. */
export function readReport(text: string): Report | null {
  const { node, boot, count, session, streams, isWhole } = objectOf(parse(text));
  if (typeof node !== "string" || !isNodeName(node) || typeof boot !== "string" || !/^[a-z0-9]{1,32}$/.test(boot)) return null;
  if (!isCount(count, Number.MAX_SAFE_INTEGER) || typeof isWhole !== "boolean") return null;
  if (typeof session !== "string" || session.length > 32) return null;
  const read = listOf(streams, maxReportStreams, readStream);
  return read === null ? null : { node, boot, count, session, streams: read, isWhole };
}

/** Reads an answer; null: it is none. */
export function readReceipt(text: string): Receipt | null {
  const { node, session } = objectOf(parse(text));
  return typeof node === "string" && isNodeName(node) && typeof session === "string" && session.length <= 32 ? { node, session } : null;
}

function readStream(found: unknown): StreamReport | null {
  const { path, roll, told, isLive, ageMs } = objectOf(found);
  if (typeof path !== "string" || !isListPath(path) || typeof isLive !== "boolean") return null;
  if (!isCount(told, maxNumber) || !isTime(ageMs)) return null;
  const read = readRoll(roll);
  if (read !== null && told > nextOf(read)) return null; // what is not there cannot have been shown
  return read === null ? null : { path, roll: read, told, isLive, ageMs };
}

/** Reads a roll, of the peer or of the disk; null: it is none. */
export function readRoll(found: unknown): Roll | null {
  const { term, lead, termStart, first, targetSeconds, discontinuitySequence, entries } = objectOf(found);
  if (typeof lead !== "string" || (lead !== "" && !isNodeName(lead)) || !isCount(term, maxNumber) || !isCount(termStart, maxNumber))
    return null;
  if (!isCount(first, maxNumber) || !isCount(targetSeconds, maxSegmentMs / 1000) || !isCount(discontinuitySequence, maxNumber)) return null;
  const read = listOf(entries, maxListedSegments, readEntry);
  if (read === null || first + read.length > maxNumber || termStart > first + read.length) return null;
  return { term, lead, termStart, first, targetSeconds, discontinuitySequence, entries: read };
}

function readEntry(found: unknown): RollEntry | null {
  const { id, sha256, sizeBytes, durationMs, isDiscontinuous, programTimeMs } = objectOf(found);
  if (typeof id !== "string" || !isSegmentId(id) || typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) return null;
  if (!id.endsWith(`_${sha256.slice(0, 16)}`)) return null; // else two could have one name
  if (!isCount(sizeBytes, maxSegmentBytes) || !isCount(durationMs, maxSegmentMs)) return null;
  if (typeof isDiscontinuous !== "boolean" || !isTime(programTimeMs)) return null;
  return { id, sha256, sizeBytes, durationMs, isDiscontinuous, programTimeMs };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function objectOf(found: unknown): Readonly<Record<string, unknown>> {
  return typeof found === "object" && found !== null ? { ...found } : {};
}

function listOf<T>(found: unknown, most: number, read: (one: unknown) => T | null): T[] | null {
  if (!Array.isArray(found) || found.length > most) return null;
  const all: T[] = [];
  for (const one of found) {
    const value = read(one);
    if (value === null) return null;
    all.push(value);
  }
  return all;
}

function isCount(found: unknown, most: number): found is number {
  return typeof found === "number" && Number.isSafeInteger(found) && found >= 0 && found <= most;
}

function isTime(found: unknown): found is number {
  return typeof found === "number" && Math.abs(found) <= maxTimeMs;
}
