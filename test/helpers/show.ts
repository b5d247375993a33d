// A stream with its publisher and its viewers, who must not notice what is done to the box: on plan a a viewer at each edge, on
// plan b three, who come by whatever proxy takes them.
import assert from "node:assert/strict";
import type { Cleanup, Dolphin } from "./dolphin.js";
import { playerAtEachEdge } from "./edges.js";
import { headers, pictures, step } from "./media.js";
import { player, publisher, type RtmpPlayer, type RtmpPublisher } from "./rtmp-client.js";

/** A vhost whose viewers get each picture at once, over RTMP and HTTP-FLV. */
export function vhost(name: string, inside = ""): string {
  return `vhost ${name} { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } ${inside} }`;
}

export interface Show {
  readonly source: RtmpPublisher;
  readonly viewers: readonly RtmpPlayer[];
  /** Fails unless everybody is still connected and has every picture since the first, once, and gets more of them. */
  goesOn(): Promise<void>;
  /** Everybody leaves. */
  close(): void;
}

/** Starts a show, which goes on when this resolves. On plan a its viewers are there before the first picture. */
export async function show(t: Cleanup, dolphin: Dolphin, stream: string): Promise<Show> {
  const early = "edge-1" in dolphin.pids ? await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl(stream)) : null;
  const source = await steadyPublisher(t, dolphin, stream);
  const viewers = early ?? (await Promise.all([1, 2, 3].map(() => player(dolphin.rtmpUrl(stream)))));
  t.after(() => viewers.forEach((viewer) => viewer.close()));
  const goesOn = async (): Promise<void> => {
    assert.equal(source.connection.endedBy, null, "the publisher was closed");
    await Promise.all(viewers.map((viewer) => hasAll(viewer, early === null ? null : 0)));
  };
  const close = (): void => {
    for (const viewer of viewers) viewer.close();
    source.close();
  };
  await goesOn();
  return { source, viewers, goesOn, close };
}

/** Fails unless a viewer gets more pictures, and has had each since `first` once; null: since the first one that it was given. */
async function hasAll(viewer: RtmpPlayer, first: number | null): Promise<void> {
  const wanted = pictures(viewer.messages).length + 10;
  await viewer.waitUntil(`${wanted} pictures`, (messages) => pictures(messages).length >= wanted);
  const seen = pictures(viewer.messages);
  const from = first ?? seen[0] ?? 0;
  assert.deepEqual(
    seen,
    seen.map((_number, index) => from + index),
  );
}

/** A publisher of numbered pictures and sound that sends until it is closed. */
export async function steadyPublisher(t: Cleanup, dolphin: Dolphin, stream: string): Promise<RtmpPublisher> {
  const source = await publisher(dolphin.rtmpUrl(stream));
  t.after(() => source.close());
  t.after(source.sendEvery((index) => [...(index === 0 ? headers("avc", "aac") : []), ...step("avc", "aac", index)], 40));
  return source;
}

/** What `dolphin status` shows of the processes: `edge-1 up`. */
export async function namesOf(dolphin: Dolphin): Promise<string[]> {
  const { processes } = await dolphin.status();
  return processes.map(({ name, state }) => `${name} ${state}`);
}
