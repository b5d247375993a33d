// One stream on one node: the segments of the server beside it, the list that players get, and what the peer has said of its own. It
// decides (election.ts), adds to the list or follows the peer's, and says what is to be fetched, written down and sent on; it touches
// no file and no socket, and all its times are of one clock that never jumps (ms since 1970).
//
//   own segments ─▶ lead: a number each ─▶ the peer has it too, or is away ─▶ told: in the list that players get
//   the peer's list ─▶ follow: fetch what is missing ─▶ the same numbers ─▶ told
import { decide, type Decision, type Link, type Side } from "./election.js";
import {
  begunAnew,
  discontinuitiesOf,
  emptyRoll,
  isSameTerm,
  ledBy,
  listOf,
  maxListedSegments,
  nextOf,
  toldOf,
  withEntry,
  type Roll,
  type Segment,
} from "./roll.js";

/** A segment of the server beside this node. */
export interface OwnSegment extends Segment {
  /** When it came, which is when it ended. */
  readonly endMs: number;
  /** Behind the one that came before it there is no break. */
  readonly isContinuation: boolean;
  /** The publish that it is of, and its number in that. */
  readonly publish: string;
  readonly sequence: number;
  /** The time of its first frame, in ticks of 90 kHz; null: unknown. */
  readonly startTicks: number | null;
  /** What it is made of: equal for segments of the same tracks. */
  readonly make: string;
}

/** What a node tells its peer of a stream. */
export interface StreamReport extends Side {
  /** The path of its list, which is its name. */
  readonly path: string;
  /** How long ago its newest entry ended. */
  readonly ageMs: number;
}

/** What is written down of a stream. */
export interface StreamState {
  readonly path: string;
  readonly roll: Roll;
  readonly told: number;
  readonly own: readonly OwnSegment[];
  /** Segments that have left the list, and when their bytes may go. */
  readonly expiring: readonly { readonly id: string; readonly atMs: number }[];
  /** When the newest entry ended. */
  readonly endMs: number;
  /** What has to be added to this node's clock for programme time. */
  readonly programMs: number;
  /** The publish that has ended last; null: none has, or another has begun. */
  readonly ended: string | null;
  /** When it was looked at and had changed. */
  readonly savedMs: number;
}

export interface StreamOptions {
  readonly path: string;
  /** The name of this node. */
  readonly me: string;
  readonly windowMs: number;
  /** How long a peer may be silent, and how long it may take to copy a segment. */
  readonly leaseMs: number;
  /** Whether the bytes of a segment are here. */
  readonly hasBytes: (id: string) => boolean;
  /** Asks for the bytes of one of the peer's; asked again each time it is looked, as long as they are missing. */
  readonly fetch: (segment: Segment) => void;
  /** Something changed: it is to be written down, told and reported. */
  readonly onChange: () => void;
  readonly onSwitch: (roll: Roll, isAnew: boolean) => void;
}

/** A server is dead when nothing has come for so many segments, and for no less than one and this. */
const deadSegments = 2.5;
const deadMs = 2000;
/** Segments by which the length of one is known. */
const recentSegments = 3;
/** What of an own segment may have been told already where it is the first behind a switch: the rest of it is missed by more. */
const toldPart = 0.75;
/** Segments that wait for their end. */
const maxExpiring = 1000;
/** Players who are late with a list that they have. */
const graceTargets = 3;
/** Numbers are seconds from here on where there is nothing else to go by, so that they grow over lives that nobody remembers. */
const numbersBeginMs = Date.UTC(2020, 0, 1);

const unheard: StreamReport = { path: "", roll: emptyRoll, told: 0, isLive: false, ageMs: 0 };

/** One stream. Nothing to close. */
export class Stream {
  readonly path: string;
  private readonly options: StreamOptions;
  private state: StreamState;
  private peer: StreamReport = unheard;
  /** When the newest entry of the peer's list ended. */
  private peerEndMs = 0;
  /** Since when this node lacks something of the peer's list and gets nothing of it; null: it lacks nothing. */
  private stuckSinceMs: number | null = null;
  /** Whether all that the peer told was here when it was heard last. */
  private isInStep: boolean;
  private wasLive = false;
  /** When something came of it. */
  private touchedMs: number;
  /** When the oldest entry was added that is not told yet. */
  private untoldSinceMs: number | null = null;
  /** Whether the peer is there and has not copied what it was given time for. */
  private isPeerBehind = false;

  constructor(options: StreamOptions, state: StreamState | null, nowMs: number) {
    this.options = options;
    this.path = options.path;
    this.touchedMs = nowMs;
    const empty = { roll: emptyRoll, told: 0, own: [], expiring: [], endMs: 0, programMs: 0, ended: null, savedMs: nowMs };
    this.state = state ?? { path: options.path, ...empty };
    // A short life without us is no time in which another has led.
    this.isInStep = state !== null && state.roll.lead === options.me && nowMs - state.savedMs < options.leaseMs + this.longestMs;
  }

  /** As it is to be written down; it is never changed, but replaced. */
  get saved(): StreamState {
    return this.state;
  }

  report(nowMs: number): StreamReport {
    const { roll, told, endMs } = this.state;
    return { path: this.path, roll, told, isLive: this.isLive(nowMs), ageMs: Math.max(0, nowMs - endMs) };
  }

  /** What players get; null: nothing yet. */
  list(uriOf: (id: string) => string): string | null {
    return listOf(this.shown, uriOf);
  }

  /** The part of the roll that players are told. */
  get shown(): Roll {
    return toldOf(this.state.roll, this.state.told, this.options.windowMs);
  }

  get roll(): Roll {
    return this.state.roll;
  }

  get told(): number {
    return this.state.told;
  }

  /** Whether the list, this node or what is going away needs the bytes of a segment. */
  ids(): string[] {
    const { roll, own, expiring } = this.state;
    return [...roll.entries, ...own, ...expiring, ...this.peer.roll.entries].map(({ id }) => id);
  }

  /** Whether nothing has come of it for so long. */
  isForgotten(nowMs: number, keptMs: number): boolean {
    return nowMs - this.touchedMs > keptMs;
  }

  /** Takes a segment of the server beside this node, whose bytes are here. */
  add(segment: OwnSegment): void {
    const own = [...this.state.own, segment];
    const from = own.findIndex(({ endMs }) => segment.endMs - endMs < this.options.windowMs);
    this.expire(own.splice(0, Math.max(from, own.length - maxListedSegments)), segment.endMs);
    this.touchedMs = segment.endMs;
    this.set({ own });
  }

  /** The one that came last of the server beside this node. */
  get lastOwn(): OwnSegment | null {
    return this.state.own.at(-1) ?? null;
  }

  /** A publish has ended: what comes of it late does not make its server live again. */
  end(publish: string): void {
    this.set({ ended: publish });
  }

  /** Takes what the peer tells. */
  hear(report: StreamReport, nowMs: number): void {
    if (nextOf(report.roll) !== nextOf(this.peer.roll)) this.touchedMs = nowMs;
    this.peer = report;
    this.peerEndMs = nowMs - report.ageMs;
  }

  /** The peer has not been heard for so long that what it said holds no more. */
  forgetPeer(): void {
    this.peer = unheard;
  }

  /** Does what is to be done now: when something came, and each quarter of a second. */
  look(link: Link, nowMs: number): void {
    const before = this.state;
    const { me } = this.options;
    const isLive = this.isLive(nowMs);
    for (let steps = 0; steps < 3; steps++) {
      const { roll, told } = this.state;
      const decision = this.decided(decide(me, { roll, told, isLive }, this.peer, link), link, isLive, nowMs);
      if (decision === "follow") this.follow(nowMs);
      else if (decision === "takeOver") this.takeOver(link, nowMs);
      else if (decision === "beginAnew") this.beginAnew(Math.max(nextOf(roll), nextOf(this.peer.roll), this.peer.told), true, nowMs);
      if (decision !== "takeOver" && decision !== "beginAnew") {
        if (decision === "lead") this.lead(nowMs);
        break;
      }
    }
    this.tell(link, nowMs);
    if (link === "linked") {
      const { roll } = this.state;
      this.isInStep = roll.lead === me || (isSameTerm(roll, this.peer.roll) && nextOf(roll) >= nextOf(this.peer.roll));
    }
    const expiring = this.state.expiring.filter(({ atMs }) => atMs > nowMs);
    if (expiring.length < this.state.expiring.length) this.set({ expiring });
    if (this.state !== before || isLive !== this.wasLive) {
      this.set({ savedMs: nowMs });
      this.options.onChange();
    }
    this.wasLive = isLive;
  }

  /** What the table cannot know: that this node lived without leading, or cannot get what it is to follow. */
  private decided(decision: Decision, link: Link, isLive: boolean, nowMs: number): Decision {
    if (decision === "lead" && link === "alone" && !this.isInStep) return isLive ? "takeOver" : "wait";
    if (decision !== "follow") this.stuckSinceMs = null;
    else {
      this.stuckSinceMs ??= nowMs;
      const isStuck = nowMs - this.stuckSinceMs > 2 * this.options.leaseMs;
      if (isStuck && isLive && !this.peer.isLive) return "takeOver";
    }
    return decision;
  }

  private isLive(nowMs: number): boolean {
    const { own, ended } = this.state;
    const last = own.at(-1);
    if (last === undefined || last.publish === ended) return false;
    return nowMs - last.endMs <= Math.max(deadSegments * this.longestMs, this.longestMs + deadMs);
  }

  private get longestMs(): number {
    return Math.max(0, ...this.state.own.slice(-recentSegments).map(({ durationMs }) => durationMs));
  }

  /** Adds what the list does not have yet of the own segments. */
  private lead(nowMs: number): void {
    const { windowMs } = this.options;
    for (const segment of this.fresh()) {
      const { roll, programMs } = this.state;
      const before = roll.entries.at(-1);
      const isNext = before !== undefined && this.state.own[this.state.own.indexOf(segment) - 1]?.id === before.id;
      const { id, sha256, sizeBytes, durationMs, endMs } = segment;
      const isDiscontinuous = before !== undefined && !(isNext && segment.isContinuation);
      const programTimeMs = Math.round(endMs - durationMs + programMs);
      const grown = withEntry(roll, { id, sha256, sizeBytes, durationMs, isDiscontinuous, programTimeMs }, windowMs);
      this.expire(roll.entries.slice(0, grown.first - roll.first), nowMs);
      this.untoldSinceMs ??= nowMs;
      this.set({ roll: grown, endMs });
    }
  }

  /** Own segments that come behind the list's end: by their order where the last entry is one of them, else by the time they ended. */
  private fresh(): OwnSegment[] {
    const { own, roll, endMs } = this.state;
    const last = roll.entries.at(-1);
    const at = last === undefined ? -1 : own.findIndex(({ id }) => id === last.id);
    if (at >= 0) return own.slice(at + 1);
    const from = own.findIndex((segment) => segment.endMs - endMs > segment.durationMs * (1 - toldPart));
    return from < 0 ? [] : own.slice(from);
  }

  private takeOver(link: Link, nowMs: number): void {
    const { roll } = this.state;
    const isNew = roll.term === 0;
    const isKnown = link === "linked" ? nextOf(roll) >= this.peer.told : this.isInStep;
    if (isNew || !isKnown) {
      // What was told while this node did not hear of it has numbers, too: one a second is more than there can be.
      const unheardOf = nextOf(roll) + Math.ceil(Math.max(0, nowMs - this.state.savedMs) / 1000) + 1;
      const first = Math.max(isNew ? 0 : unheardOf, this.peer.told, nextOf(this.peer.roll), Math.floor((nowMs - numbersBeginMs) / 1000));
      this.beginAnew(first, nowMs - this.state.endMs < this.options.windowMs, nowMs);
      return;
    }
    this.set({ roll: ledBy(roll, this.options.me), programMs: this.programMs() });
    this.options.onSwitch(this.state.roll, false);
  }

  /** Programme time goes on where it was, whatever the clocks of the two nodes say. */
  private programMs(): number {
    const { roll, endMs, programMs } = this.state;
    const last = roll.entries.at(-1);
    return last === undefined || roll.lead === this.options.me ? programMs : last.programTimeMs + last.durationMs - endMs;
  }

  private beginAnew(first: number, keepsEntries: boolean, nowMs: number): void {
    const { roll } = this.state;
    const { me } = this.options;
    const term = Math.max(roll.term, this.peer.roll.term) + 1;
    const discontinuitySequence = Math.max(discontinuitiesOf(roll), discontinuitiesOf(this.peer.roll));
    const anew = begunAnew(roll, me, { term, first, discontinuitySequence }, keepsEntries);
    const kept = new Set(anew.entries.map(({ id }) => id));
    this.expire(
      roll.entries.filter(({ id }) => !kept.has(id)),
      nowMs,
    );
    this.untoldSinceMs ??= nowMs;
    this.isInStep = true;
    this.set({ roll: anew, programMs: keepsEntries ? this.programMs() : 0 });
    this.options.onSwitch(anew, true);
  }

  /** Goes as far along the peer's list as its segments are here. */
  private follow(nowMs: number): void {
    const { roll: target } = this.peer;
    const { roll, told } = this.state;
    const { hasBytes, fetch } = this.options;
    const missing = target.entries.filter(({ id }) => !hasBytes(id));
    for (const segment of missing) fetch(segment);
    const at = missing.length === 0 ? target.entries.length : target.entries.indexOf(missing[0]!);
    const entries = target.entries.slice(0, at);
    const reached = { ...target, entries };
    // What is whole is taken; of what goes on from where this node stands, the part that is here.
    const goesOn = roll.term > 0 && target.first <= nextOf(roll) && nextOf(reached) >= Math.max(told, nextOf(roll));
    if (missing.length > 0 && !(goesOn && entries.length > 0)) return;
    if (isSameTerm(roll, target) && nextOf(reached) === nextOf(roll)) return;
    const restMs = target.entries.slice(at).reduce((sum, { durationMs }) => sum + durationMs, 0);
    const kept = new Set(entries.map(({ id }) => id));
    this.expire(
      roll.entries.filter(({ id }) => !kept.has(id)),
      nowMs,
    );
    if (!isSameTerm(roll, target)) this.options.onSwitch(reached, false);
    this.untoldSinceMs = null;
    this.set({ roll: reached, told: nextOf(reached), endMs: this.peerEndMs - restMs });
    this.stuckSinceMs = null;
  }

  /** What both have may be told; alone, or when the peer takes too long, what this node has. */
  private tell(link: Link, nowMs: number): void {
    const { roll, told } = this.state;
    if (link === "joining" || roll.lead !== this.options.me) return;
    const next = nextOf(roll);
    const copied = isSameTerm(this.peer.roll, roll) ? Math.min(next, nextOf(this.peer.roll)) : 0;
    // Longer than it takes to see that the peer is away; one that is there and does not get along is not waited for again.
    if (this.untoldSinceMs !== null && nowMs - this.untoldSinceMs > 2 * this.options.leaseMs) this.isPeerBehind = true;
    if (copied === next) this.isPeerBehind = false;
    const mayTell = link === "alone" || this.isPeerBehind ? next : Math.max(told, copied);
    if (mayTell === next) this.untoldSinceMs = null;
    if (mayTell > told) this.set({ told: mayTell });
  }

  private expire(segments: readonly Segment[], nowMs: number): void {
    if (segments.length === 0) return;
    const atMs = nowMs + this.options.windowMs + graceTargets * 1000 * this.state.roll.targetSeconds;
    const expiring = [...this.state.expiring, ...segments.map(({ id }) => ({ id, atMs }))];
    this.set({ expiring: expiring.slice(-maxExpiring) });
  }

  private set(change: Partial<StreamState>): void {
    this.state = { ...this.state, ...change };
  }
}
