// What a vhost's directives come to for its streams, when they begin and whenever the configuration changes. Pure.
import type { Vhost } from "../../conf/meaning/config.js";
import type { SourceSettings } from "../../stream/source-settings.js";

const restartedWithinMs = 20_000;
/** How long an edge waits for the rest of a batch of its origin's, which may come in several reads. */
const joinMs = 20;
/** How long what is kept outlives its stream. */
export const keptAfterEndMs = restartedWithinMs;
/** How long packets are kept for packagers at most. */
export const longestKeptMs = 60_000;

/** The settings of a vhost's streams; `isEdge`: in an edge of the box's own origin. */
export function settingsOf(vhost: Vhost, isEdge: boolean): SourceSettings {
  const { queueLengthMs, reduceSequenceHeader, gopCache, gopCacheMaxFrames, mwLatencyMs } = vhost.play;
  const delayMs = vhost.minLatency ? 0 : isEdge ? Math.min(joinMs, mwLatencyMs) : mwLatencyMs;
  const keepMs = isPackaged(vhost) && !isEdge ? keptMs(vhost) : 0;
  return { timeline: timelineOf(vhost, isEdge), delayMs, queueLengthMs, reduceSequenceHeader, gopCache, gopCacheMaxFrames, keepMs };
}

/** Whether streams of a vhost are written to disk: of several processes of a box that have one, from where it comes into the box. */
export function isPackaged({ hls, dvr }: Vhost): boolean {
  return hls !== null || dvr !== null;
}

/** How long a pull outlives its last viewer: where HLS is made of it until the players of an edge that has died ask another one. */
export function lingerMsOf({ hls }: Vhost, pullLingerMs: number, isEdge: boolean): number {
  return hls === null || isEdge ? pullLingerMs : Math.max(pullLingerMs, 2 * hls.fragmentMs * hls.tdRatio);
}

/** Whether packagers are told of a vhost's streams: to write them, or to run programs while they are published here. */
export function isFollowed(vhost: Vhost): boolean {
  return isPackaged(vhost) || (vhost.cluster.mode === "local" && vhost.transcodes.length + vhost.exec.length > 0);
}

/** For a packager that has died: until it is missed and another is here, and what it had of a segment and of the pictures before. */
function keptMs({ hls }: Vhost): number {
  return Math.min(longestKeptMs, restartedWithinMs + (hls === null ? 0 : 2 * hls.fragmentMs * hls.tdRatio));
}

/** Whether a stream that is not published here is looked for among other servers of the site. */
export function isLocated({ cluster }: Vhost): boolean {
  return cluster.findsOrigin || (cluster.mode === "local" && cluster.isInOriginCluster);
}

/** Whether its streams come from the servers that the configuration names. */
export function hasUpstreams({ cluster }: Vhost): boolean {
  return cluster.mode === "remote" && !cluster.findsOrigin;
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
