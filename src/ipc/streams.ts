// How the streams that each process sees become one list. A stream comes into the box once, is passed to the origin and pulled by the
// edges that have viewers for it, so several processes report it, each from where it stands. Pure.
import type { AudioDetails, StreamReport, VideoDetails } from "./messages.js";

/** One stream of the whole box. */
export interface StreamStatus {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** `publish`: into this box; `pull`: from a far origin; `wait`: players wait for a publisher. */
  readonly state: "publish" | "pull" | "wait";
  /** The process that has the publisher or pulls from afar, and that publisher's or origin's address; null while waiting. */
  readonly source: { readonly process: string; readonly peer: string } | null;
  readonly players: number;
  /** Players of each process that has any. */
  readonly playersOf: Readonly<Record<string, number>>;
  /** How many edges pull it from the box's own origin. */
  readonly edges: number;
  /** Their names. */
  readonly pulledBy: readonly string[];
  readonly video: string;
  readonly audio: string;
  readonly bytesIn: number;
  /** To players, by the processes that have the stream now. */
  readonly bytesOut: number;
  /** Of the publisher, as a client; empty where there is none in this box. */
  readonly publisherId: string;
  readonly tcUrl: string;
  /** Since when it comes in (ms since 1970); null while waiting. */
  readonly sinceMs: number | null;
  readonly videoFrames: number;
  readonly audioFrames: number;
  /** Between the last two key frames (ms); null: there were none. */
  readonly keyFrameMs: number | null;
  /** Null where no configuration has told. */
  readonly videoDetails: VideoDetails | null;
  readonly audioDetails: AudioDetails | null;
}

/** The streams that one process reported. */
export interface ProcessStreams {
  readonly name: string;
  readonly duty: string;
  readonly streams: readonly StreamReport[];
}

/** One line per stream key over all processes, sorted by key. */
export function mergeStreams(processes: readonly ProcessStreams[]): StreamStatus[] {
  const seen = new Map<string, Sighting[]>();
  for (const { name, duty, streams } of processes) {
    for (const report of streams) {
      const key = `${report.vhost}/${report.app}/${report.stream}`;
      seen.set(key, [...(seen.get(key) ?? []), { process: name, duty, report }]);
    }
  }
  return [...seen.keys()].sort().map((key) => mergeOne(seen.get(key) ?? []));
}

interface Sighting {
  readonly process: string;
  readonly duty: string;
  readonly report: StreamReport;
}

function mergeOne(sightings: readonly Sighting[]): StreamStatus {
  // The origin sees a publisher behind an edge as that edge; the edge knows who it is, so it is believed first.
  const pushed = sightings.find(({ report }) => report.state === "push");
  const published = sightings.find(({ report }) => report.state === "publish");
  // An edge's own pull is how it comes by the stream, not where the stream comes from.
  const pulled = sightings.find(({ duty, report }) => duty !== "edge" && report.state === "pull");
  const source = pushed ?? published ?? pulled ?? null;
  const described = source ?? sightings.find(({ report }) => report.video !== "" || report.audio !== "") ?? sightings[0];
  const viewed = sightings.filter(({ report }) => report.players > 0);
  const { vhost = "", app = "", stream = "" } = described?.report ?? {};
  // Who passes a publisher on does not look at the media; the origin behind him does.
  const media = published ?? pulled ?? sightings.find(({ report }) => report.sinceMs !== null) ?? null;
  const codecs = (field: "video" | "audio"): string =>
    described?.report[field] || (sightings.find(({ report }) => report[field] !== "")?.report[field] ?? "");
  return {
    vhost,
    app,
    stream,
    state: source === null ? "wait" : source === pulled ? "pull" : "publish",
    source: source === null ? null : { process: source.process, peer: source.report.from },
    players: viewed.reduce((sum, { report }) => sum + report.players, 0),
    edges: sightings.reduce((sum, { report }) => sum + report.edges, 0),
    pulledBy: sightings.flatMap(({ process, duty, report }) => (duty === "edge" && report.state === "pull" ? [process] : [])),
    playersOf: Object.fromEntries(viewed.map(({ process, report }) => [process, report.players])),
    video: codecs("video"),
    audio: codecs("audio"),
    bytesOut: sightings.reduce((sum, { report }) => sum + report.bytesOut, 0),
    publisherId: (pushed ?? published)?.report.publisherId ?? "",
    tcUrl: (pushed ?? published)?.report.tcUrl ?? "",
    ...mediaOf(source === null ? null : media),
    // An edge that passes a publisher on does not count its media; the origin behind it does.
    bytesIn: source === null ? 0 : Math.max(...sightings.map(({ report }) => report.bytesIn)),
  };
}

function mediaOf(
  sighting: Sighting | null,
): Pick<StreamStatus, "sinceMs" | "videoFrames" | "audioFrames" | "keyFrameMs" | "videoDetails" | "audioDetails"> {
  if (sighting === null) return { sinceMs: null, videoFrames: 0, audioFrames: 0, keyFrameMs: null, videoDetails: null, audioDetails: null };
  const { sinceMs, videoFrames, audioFrames, keyFrameMs, videoDetails, audioDetails } = sighting.report;
  return { sinceMs, videoFrames, audioFrames, keyFrameMs, videoDetails, audioDetails };
}
