// A stream behind plan b's proxies with a publisher and viewers of it, who must not notice what becomes of the proxies.
import assert from "node:assert/strict";
import { inLull } from "./audience.js";
import type { Cleanup, Dolphin } from "./dolphin.js";
import { watchFlv, type FlvPlayer } from "./flv-reader.js";
import { pictures } from "./media.js";
import { player, type RtmpPlayer, type RtmpPublisher } from "./rtmp-client.js";
import { steadyPublisher } from "./show.js";

export const proxies = ["proxy-1", "proxy-2"];

/** Our own servers behind proxies. */
export function ownServers(routing: "stream" | "connection", more = ""): string {
  return `listen 1935; http_server { enabled on; listen 8080; } dolphin { plan b; routing ${routing}; servers ${routing === "stream" ? 2 : 1}; ${more} }
vhost __defaultVhost__ { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }`;
}

/** One publisher and viewers of it, wherever the system has put them. */
export class ProxiedShow {
  readonly source: RtmpPublisher;
  readonly viewers: readonly (RtmpPlayer | FlvPlayer)[];

  private readonly dolphin: Dolphin;

  private constructor(dolphin: Dolphin, source: RtmpPublisher, viewers: readonly (RtmpPlayer | FlvPlayer)[]) {
    this.dolphin = dolphin;
    this.source = source;
    this.viewers = viewers;
  }

  /** As many viewers as make it all but sure that each proxy has some. */
  static async open(t: Cleanup, dolphin: Dolphin, flvViewers = 0): Promise<ProxiedShow> {
    const source = await steadyPublisher(t, dolphin, "show");
    const viewers: (RtmpPlayer | FlvPlayer)[] = [];
    while (viewers.length < 8) viewers.push(await player(dolphin.rtmpUrl("show")));
    while (viewers.length < 8 + flvViewers) viewers.push(await watchFlv(dolphin.flvUrl("show")));
    t.after(() => viewers.forEach((viewer) => viewer.close()));
    const show = new ProxiedShow(dolphin, source, viewers);
    await show.goesOn();
    return show;
  }

  get connections(): number {
    return this.viewers.length + 1;
  }

  /** Waits for more of every viewer, and holds it to every picture from its first on, each once and in its order. */
  async goesOn(count = 50): Promise<void> {
    await Promise.all(this.viewers.map((viewer) => viewer.waitForMedia(viewer.media.length + count, 15_000)));
    assert.equal(this.source.connection.endedBy, null, "the publisher was closed");
    for (const viewer of this.viewers) {
      const seen = pictures(mediaOf(viewer));
      const [first = 0] = seen;
      assert.deepEqual(
        seen,
        seen.map((_, at) => first + at),
      );
      const times = mediaOf(viewer).flatMap(({ type, timestamp }) => (type === 9 ? [timestamp] : []));
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
        "timestamps run forward",
      );
    }
  }

  /** Does something at a moment when nobody is behind, so that nobody may be cut. */
  inLull(strike: () => unknown): Promise<void> {
    return inLull(this.dolphin, this.source, this.viewers, strike);
  }

  close(): void {
    this.source.close();
    for (const viewer of this.viewers) viewer.close();
  }
}

function mediaOf(
  viewer: RtmpPlayer | FlvPlayer,
): readonly { readonly type: number; readonly timestamp: number; readonly payload: Buffer }[] {
  return viewer.media;
}
