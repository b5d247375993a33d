// How a source goes about its packets: what a vhost's directives come to, and what the fan-outs make of that. Plain data.
import type { FanoutOptions } from "./fanout.js";
import { remuxTaps, type RemuxTap } from "./remux.js";
import type { StartCacheOptions } from "./start-cache.js";
import type { Timeline } from "./timeline.js";

/** How long packets are collected for packagers whose segments are waited for part by part. */
const promptDelayMs = 100;
/** The same for those whose are not, which end with a key frame: they get the last packet of a segment at once, and others late. */
const patientDelayMs = 1000;
const patientShortMs = 400;

/** What may change while a stream runs. */
export interface SourceSettings extends StartCacheOptions {
  /** A change holds from the next publisher on. */
  readonly timeline: Timeline["mode"];
  /** How long packets are collected for players (ms); 0: to the end of the event loop's turn. */
  readonly delayMs: number;
  readonly queueLengthMs: number;
  readonly reduceSequenceHeader: boolean;
  /** How long packets are kept for those who package the stream (ms); 0: nobody does. */
  readonly keepMs: number;
}

export interface SourceOptions extends SourceSettings {
  /** `vhost/app/stream`. */
  readonly key: string;
  /** What players are told as our chunk size, in bytes; one for the whole life of the source. */
  readonly chunkSize: number;
}

/** Which fan-out a consumer drinks from; those of the second kind are made when somebody asks for them. */
export type Tap = "rtmp" | "edge" | "prompt" | "patient" | "flv" | "ws" | RemuxTap;

export function isRemuxTap(tap: Tap): tap is RemuxTap {
  return remuxTaps.some((one) => one === tap);
}

/** The options of a fan-out. Our own edges are given what players are, and pass it on as it comes: it is collected once in a box. */
export function fanoutOptions(tap: Tap, { delayMs, queueLengthMs }: SourceSettings): FanoutOptions {
  const isInner = tap === "edge" || tap === "prompt" || tap === "patient";
  return {
    delayMs: tap === "patient" ? patientDelayMs : tap === "prompt" ? Math.min(promptDelayMs, delayMs) : delayMs,
    ...(tap === "patient" ? { shortMs: patientShortMs } : {}),
    queueLengthMs,
    keepsRecent: !isInner,
    slowCode: tap === "rtmp" || isInner ? "RTMP_SLOW" : "FLV_SLOW",
    isCounted: tap === "ts",
  };
}
