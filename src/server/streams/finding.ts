// Looks for a stream that viewers wait for and nobody publishes here, among the other servers of the site: once when the first viewer
// comes, and again and again until it flows. What is found is pulled as an edge pulls; when it is lost there it is looked for anew.
//
//   asking ─▶ found: pulled from there ─┬─ it flows ─▶ at rest ─ `again`: lost, or ended there ─▶ asking
//     ▲  └──▶ nobody has it, or nobody could be asked
//     └──────────── a pause ◀───────────┘
import { isDeepStrictEqual } from "node:util";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { maxHops, type Located } from "../../ipc/locating.js";
import type { EdgePull } from "../relay/edge-pull.js";

/** Between two questions; doubled up to the longest while the stream does not flow. */
const firstPauseMs = 500;
const longestPauseMs = 3_000;
/** While it flows, shortened at random by up to a half: two parts of a site that were cut may each have had a publisher. */
const restMs = 60_000;

/** A stream that is looked for, as far as that goes. */
interface Sought {
  readonly source: { readonly isLive: boolean };
  /** Of what was found. */
  pull: EdgePull | null;
  finding: Finding | null;
}

interface FindingParts {
  readonly stream: Sought;
  /** `isLost`: it is no longer where it was. */
  locate(signal: AbortSignal, isLost: boolean): Promise<Located>;
  /** Has the stream pulled from these. */
  pull(servers: readonly Endpoint[]): void;
  readonly log: Log;
}

/** The search for one stream. `close` ends it. */
export class Finding {
  private readonly parts: FindingParts;
  private readonly pause = new Deadline();
  private pauseMs = firstPauseMs;
  private asking: AbortController | null = null;
  private isClosed = false;
  private isLost = false;
  /** Whether the pause is the long one of a stream that flows. */
  private isResting = false;

  constructor(parts: FindingParts) {
    this.parts = parts;
    void this.ask();
  }

  /** The stream is lost where it was, or has ended there. */
  again(): void {
    this.isLost = true;
    if (this.isClosed || this.asking !== null) return;
    if (this.isResting) this.pause.clear();
    this.isResting = false;
    this.pause.ensure(this.pauseMs, () => void this.ask());
  }

  close(): void {
    this.isClosed = true;
    this.pause.clear();
    this.asking?.abort();
  }

  private async ask(): Promise<void> {
    const asking = new AbortController();
    this.isResting = false;
    this.asking = asking;
    const located = await this.locate(asking.signal);
    if (this.isClosed) return;
    this.asking = null;
    if (located !== null && !located.isHere) this.take(located.servers);
    this.pause.set(this.pauseMs, () => this.look());
    this.pauseMs = Math.min(2 * this.pauseMs, longestPauseMs);
  }

  /** What comes from somewhere is there, whoever says that nobody has it. */
  private take(servers: readonly Endpoint[]): void {
    const { stream } = this.parts;
    if (servers.length > 0) {
      if (stream.pull === null || !isDeepStrictEqual(stream.pull.servers, servers)) this.parts.pull(servers);
    } else if (stream.pull?.isLive !== true) endPull(stream);
  }

  private look(): void {
    if (!this.parts.stream.source.isLive) void this.ask();
    else {
      this.pauseMs = firstPauseMs;
      this.isResting = true;
      this.pause.set(restMs * (1 - Math.random() / 2), () => void this.ask());
    }
  }

  /** Null: nobody could be asked. */
  private async locate(signal: AbortSignal): Promise<Located | null> {
    try {
      const { isLost } = this;
      this.isLost = false;
      return await this.parts.locate(signal, isLost);
    } catch (thrown) {
      const { code, message } = asDolphinError(thrown);
      this.parts.log.debug({ event: "locate.failed", code }, message);
      return null;
    }
  }
}

/** Throws RELAY_HOPS for a stream that would have to be looked for at one box too many. */
export function checkHops({ hops = 0 }: StreamRequest, stream: { readonly source: { readonly hasPublisher: boolean } } | undefined): void {
  if (hops < maxHops || stream?.source.hasPublisher === true) return;
  throw new DolphinError("RELAY_HOPS", `it is not published here, and was passed on ${maxHops} times already`);
}

/** Nobody looks for a stream any more. */
export function endFinding(stream: Sought): void {
  stream.finding?.close();
  stream.finding = null;
}

export function endPull(stream: Sought): void {
  stream.pull?.close();
  stream.pull = null;
}

/** Somebody is about to publish here what others look for elsewhere; they stay. */
export function endSearch(stream: Sought | undefined): void {
  if (stream === undefined || stream.finding === null) return;
  endFinding(stream);
  endPull(stream);
}
