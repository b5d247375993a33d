// What a vhost's directives come to for its streams, when they begin and whenever the configuration changes. Pure.
import type { Vhost } from "../conf/config.js";
import type { SourceSettings } from "../stream/source.js";

/** The settings of a vhost's streams; `isEdge`: in an edge of the box's own origin. */
export function settingsOf(vhost: Vhost, isEdge: boolean): SourceSettings {
  const { queueLengthMs, reduceSequenceHeader, gopCache, gopCacheMaxFrames, mwLatencyMs } = vhost.play;
  const delayMs = vhost.minLatency ? 0 : mwLatencyMs;
  return { timeline: timelineOf(vhost, isEdge), delayMs, queueLengthMs, reduceSequenceHeader, gopCache, gopCacheMaxFrames };
}

function timelineOf({ play, cluster }: Vhost, isEdge: boolean): SourceSettings["timeline"] {
  if (play.atc || play.timeJitter === "off") return "off";
  if (cluster.mode === "local") return play.timeJitter;
  return isEdge ? "follow" : "adopt";
}
