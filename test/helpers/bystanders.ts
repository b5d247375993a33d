// Those who must not notice: a publisher in real time, a player at each edge and one of HTTP-FLV, while others misbehave.
import assert from "node:assert/strict";
import type { Cleanup, Dolphin } from "./dolphin.js";
import { playerAtEachEdge } from "./edges.js";
import { watchFlv, type FlvPlayer } from "./flv-reader.js";
import { headers, step } from "./media.js";
import { publisher, type RtmpPlayer, type RtmpPublisher } from "./rtmp-client.js";

/** A box that flushes more often than by default, so that tests wait less for the next media of somebody who is well. */
export const promptConf = `
listen 1935;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { play { mw_latency 100; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
`;

/** A machine that runs the attacks beside adds its own delays to the flush interval, and to the publisher's steps. */
const maxGapMs = 1500;
const everyMs = 40;

export class Bystanders {
  private readonly source: RtmpPublisher;
  private readonly players: readonly (RtmpPlayer | FlvPlayer)[];

  private constructor(source: RtmpPublisher, players: readonly (RtmpPlayer | FlvPlayer)[]) {
    this.source = source;
    this.players = players;
  }

  /** Starts them and waits until everyone gets media. */
  static async start(cleanups: Cleanup, dolphin: Dolphin): Promise<Bystanders> {
    const source = await publisher(dolphin.rtmpUrl("healthy"));
    cleanups.after(() => source.close());
    cleanups.after(source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), everyMs));
    const viewers = await playerAtEachEdge(cleanups, dolphin, dolphin.rtmpUrl("healthy"));
    const flv = await watchFlv(dolphin.flvUrl("healthy"));
    cleanups.after(() => flv.close());
    const players = [...viewers, flv];
    await Promise.all(players.map((one) => one.waitForMedia(20)));
    const all = new Bystanders(source, players);
    all.lookAnew();
    return all;
  }

  /** How many watch. */
  get viewers(): number {
    return this.players.length;
  }

  /** Fails when one of them was disconnected, or waited longer than usual, since the last look; waits for news from each. */
  async assertUndisturbed(): Promise<void> {
    assert.equal(this.source.connection.endedBy, null, "the publisher was closed");
    await Promise.all(this.players.map((one) => one.waitForMedia(one.media.length + 1)));
    // Nobody can have what was not sent.
    const mostMs = maxGapMs + this.source.longestPauseMs;
    const gaps = this.players.map(({ longestGapMs }) => longestGapMs);
    this.lookAnew();
    for (const [at, gapMs] of gaps.entries()) assert.ok(gapMs <= mostMs, `player ${at} waited ${gapMs} ms, of ${mostMs} at most`);
  }

  private lookAnew(): void {
    for (const one of this.players) one.resetGap();
    this.source.longestPauseMs = 0;
  }
}
