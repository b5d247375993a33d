// The answer of `dolphin explain` where no plan b chooses: where a stream comes in, who pulls it, and who serves its viewers, all of
// it from what the box's status tells. Pure.
import type { BoxStatus, ProcessStatus } from "./status.js";
import type { SitePlace } from "../../ipc/box.js";
import type { StreamStatus } from "../../ipc/streams.js";

/** Where one stream is in a box of plan a or single. */
export interface Whereabouts {
  readonly key: string;
  readonly plan: BoxStatus["plan"];
  /** Null: nobody publishes it, and nobody plays it. */
  readonly stream: StreamStatus | null;
  /** A sentence. */
  readonly why: string;
  /** Every process that serves streams, and what this one is to it. */
  readonly processes: readonly { readonly name: string; readonly how: string; readonly players: number }[];
  /** Where it is on the site; absent: there is no registry. */
  readonly site?: SitePlace;
}

/** Finds a stream by `vhost/app/stream`. */
export function findStream({ plan, streams, processes }: BoxStatus, key: string): Whereabouts {
  const stream = streams.find((one) => keyOf(one) === key) ?? null;
  const serving = processes.filter(
    ({ duty, state }) => duty !== null && duty !== "admin" && duty !== "packager" && (state === "up" || state === "draining"),
  );
  const rows = serving.map((process) => {
    return { name: process.name, how: howOf(process, stream), players: stream?.playersOf[process.name] ?? 0 };
  });
  return { key, plan, stream, why: stream === null ? absent(streams, key) : present(stream), processes: rows };
}

function keyOf({ vhost, app, stream }: StreamStatus): string {
  return `${vhost}/${app}/${stream}`;
}

function present({ source, state, players, video, audio }: StreamStatus): string {
  const crowd = players === 1 ? "1 player" : `${players} players`;
  if (source === null) return `nobody publishes it, ${crowd} waiting`;
  const media = [video, audio].filter((codec) => codec !== "").join(" ");
  const from = state === "pull" ? `pulled from ${source.peer} by` : `published from ${source.peer} at`;
  return `${from} ${source.process}, ${media === "" ? "" : `${media}, `}${crowd}`;
}

/** With the streams of that name in other vhosts, for whoever left his out. */
function absent(streams: readonly StreamStatus[], key: string): string {
  const name = key.slice(key.indexOf("/"));
  const similar = streams.map(keyOf).filter((one) => one.endsWith(name));
  return `nobody publishes or plays it${similar.length === 0 ? "" : `; there is ${similar.join(", ")}`}`;
}

function howOf({ name, duty }: ProcessStatus, stream: StreamStatus | null): string {
  const source = stream?.source ?? null;
  if (source?.process === name) return stream?.state === "pull" ? `pulls it from ${source.peer}` : `has its publisher, ${source.peer}`;
  if (duty !== "edge") return source === null ? "waits for a publisher" : `gets it from ${source.process}`;
  return stream?.pulledBy.includes(name) === true ? "pulls it from the origin" : "pulls it when its first player comes";
}
