// What a vhost's directives come to for its streams, when they begin and whenever the configuration changes. Pure.
import type { Vhost } from "../../conf/meaning/config.js";
import type { SourceSettings } from "../../stream/source.js";

/** The settings of a vhost's streams; `isEdge`: in an edge of the box's own origin. */
export function settingsOf(vhost: Vhost, isEdge: boolean): SourceSettings {
  const { queueLengthMs, reduceSequenceHeader, gopCache, gopCacheMaxFrames, mwLatencyMs } = vhost.play;
  const delayMs = vhost.minLatency ? 0 : mwLatencyMs;
  return { timeline: timelineOf(vhost, isEdge), delayMs, queueLengthMs, reduceSequenceHeader, gopCache, gopCacheMaxFrames };
}

/** How the times of a vhost's publishers are corrected. */
export function jitterOf({ play }: Vhost): Vhost["play"]["timeJitter"] {
  return play.atc ? "off" : play.timeJitter;
}

function timelineOf(vhost: Vhost, isEdge: boolean): SourceSettings["timeline"] {
  const jitter = jitterOf(vhost);
  if (jitter === "off" || vhost.cluster.mode === "local") return jitter;
  return isEdge ? "follow" : "adopt";
}
