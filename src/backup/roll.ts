// What players are given of a stream: the numbers of its list and the segment behind each. A roll has one author at a time, the lead of
// its term, and the other node has a copy of it that only follows; so the two give the same. Plain data and pure functions: each gives a
// new roll.
//
//   term 4, lead a:  … 118 119 120        b takes over: term 5, lead b:  … 118 119 120 ┆ 121 122     termStart 121
//                                                      their ways had parted: term 6:   ┆ 139 140 141  a new list, with higher numbers
import { mediaList } from "../codec/m3u8.js";

/** The bytes of a segment and what is known of them. Two segments of the same id are the same bytes, on every node and for ever. */
export interface Segment {
  /** `NODE_TIME_SEQUENCE_HASH`, of letters that a URL takes as they are. */
  readonly id: string;
  /** SHA-256, in hexadecimal digits. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly durationMs: number;
}

export interface RollEntry extends Segment {
  /** It does not continue what stands before it. */
  readonly isDiscontinuous: boolean;
  /** When it began by the clock of the first lead (ms since 1970), carried on over switches. */
  readonly programTimeMs: number;
}

export interface Roll {
  /** Grows with every change of lead; 0: there is nothing yet. */
  readonly term: number;
  /** The node that may add to it. */
  readonly lead: string;
  /** The first number of this term: those before it are older than the term. */
  readonly termStart: number;
  /** The number of the first entry. */
  readonly first: number;
  readonly targetSeconds: number;
  /** Discontinuities that have left the list. */
  readonly discontinuitySequence: number;
  readonly entries: readonly RollEntry[];
}

/** Entries of a roll, whatever the window says. */
export const maxListedSegments = 100;
/** What is kept before the list for those at the end that are not told yet: they push nothing out of it. */
const untoldRoom = 4;
const mostListed = maxListedSegments - untoldRoom;
/** What stays in a list at least, and what a new list begins with: where players begin to play. */
const fewestListed = 3;

export const emptyRoll: Roll = { term: 0, lead: "", termStart: 0, first: 0, targetSeconds: 1, discontinuitySequence: 0, entries: [] };

/** The number that comes next. */
export function nextOf({ first, entries }: Pick<Roll, "first" | "entries">): number {
  return first + entries.length;
}

export function isSameTerm(one: Roll, other: Roll): boolean {
  return one.term === other.term && one.lead === other.lead;
}

/** Whether of two rolls of different terms the first is to be followed: the higher term, and of equal ones the lesser name. */
export function prevails(one: Roll, other: Roll): boolean {
  return one.term === other.term ? one.lead < other.lead : one.term > other.term;
}

/** With one more; what no list has room for leaves. */
export function withEntry(roll: Roll, entry: RollEntry, windowMs: number): Roll {
  const all = [...roll.entries, entry];
  // It may rise where segments are longer than they were, and never falls.
  const targetSeconds = Math.max(roll.targetSeconds, Math.round(entry.durationMs / 1000));
  return cutBefore({ ...roll, targetSeconds, entries: all }, Math.max(0, windowStart(all, windowMs) - untoldRoom));
}

/** Where a list begins that ends with these: the entry that fills the window stays, as in SRS. */
function windowStart(entries: readonly RollEntry[], windowMs: number): number {
  let keptMs = 0;
  let from = entries.length;
  while (from > 0 && (keptMs < windowMs || entries.length - from < fewestListed) && entries.length - from < mostListed)
    keptMs += entries[--from]!.durationMs;
  return from;
}

function cutBefore(roll: Roll, from: number): Roll {
  const left = roll.entries.slice(0, from).filter(({ isDiscontinuous }) => isDiscontinuous).length;
  const discontinuitySequence = roll.discontinuitySequence + left;
  return { ...roll, first: roll.first + from, discontinuitySequence, entries: roll.entries.slice(from) };
}

/** The same list under another lead, whose entries come behind it. */
export function ledBy(roll: Roll, lead: string): Roll {
  return { ...roll, term: roll.term + 1, lead, termStart: nextOf(roll) };
}

/**
 * A new list from a number on that nobody has used: for what was served elsewhere under the numbers that would be next. It begins with
 * the newest entries, so that who has watched them goes on behind them; `keepsEntries` false: they are of another time.
 */
export function begunAnew(
  roll: Roll,
  lead: string,
  { term, first, discontinuitySequence }: Pick<Roll, "term" | "first" | "discontinuitySequence">,
  keepsEntries: boolean,
): Roll {
  const [oldest, ...others] = keepsEntries ? roll.entries.slice(-fewestListed) : [];
  return {
    ...roll,
    term,
    lead,
    termStart: first,
    first,
    discontinuitySequence,
    entries: oldest === undefined ? [] : [{ ...oldest, isDiscontinuous: true }, ...others],
  };
}

/** The discontinuities before the end of a roll: those that have left it and those in it. */
export function discontinuitiesOf({ discontinuitySequence, entries }: Roll): number {
  return discontinuitySequence + entries.filter(({ isDiscontinuous }) => isDiscontinuous).length;
}

/** What players get of a roll, up to a number that is not told yet. */
export function toldOf(roll: Roll, told: number, windowMs: number): Roll {
  const entries = roll.entries.slice(0, Math.max(0, told - roll.first));
  return cutBefore({ ...roll, entries }, windowStart(entries, windowMs));
}

/** A roll as the list that players get; null: there is none. */
export function listOf(
  { targetSeconds, first: sequence, discontinuitySequence, entries }: Roll,
  uriOf: (id: string) => string,
): string | null {
  if (entries.length === 0) return null;
  const named = entries.map((entry) => ({ ...entry, uri: uriOf(entry.id), key: null, init: null, parts: [] }));
  return mediaList({ targetSeconds, sequence, discontinuitySequence, entries: named, isEnded: false, streamInf: null, lowLatency: null });
}
