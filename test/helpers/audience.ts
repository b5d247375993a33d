// Viewers of both protocols who notice when a picture is missing or comes twice, for everything that moves connections from one
// process to another.
import assert from "node:assert/strict";
import type { Cleanup, Dolphin } from "./dolphin.js";
import { playerAt, steadyPublisherAt } from "./edges.js";
import { watchFlv, type FlvPlayer } from "./flv-reader.js";
import { pictures } from "./media.js";
import type { RtmpPlayer, RtmpPublisher } from "./rtmp-client.js";

export type Viewer = RtmpPlayer | FlvPlayer;

/** Viewers, and who publishes what they watch. */
export type Audience = readonly Viewer[] & { readonly source: RtmpPublisher };

/** Somebody publishes a stream at one edge; RTMP and HTTP-FLV viewers are at the other. */
export async function audience(t: Cleanup, dolphin: Dolphin, edge: string, publishedAt: string, stream = "show"): Promise<Audience> {
  const source = await steadyPublisherAt(t, dolphin, publishedAt, stream);
  const viewers: Viewer[] = [];
  for (let count = 0; count < 5; count++) viewers.push(await playerAt(t, dolphin, stream, dolphin.pidOf(edge)));
  while (viewers.length < 8) viewers.push(await flvAt(t, dolphin, edge, stream));
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(40)));
  return Object.assign(viewers, { source });
}

/** An HTTP-FLV viewer at this edge. */
export async function flvAt(t: Cleanup, dolphin: Dolphin, edge: string, stream = "show"): Promise<FlvPlayer> {
  for (let tries = 0; tries < 100; tries++) {
    const from = dolphin.logLength;
    const viewer = await watchFlv(dolphin.flvUrl(stream));
    t.after(() => viewer.close());
    const { child } = await dolphin.waitFor("play.started", { from, where: ({ protocol }) => protocol === "flv" });
    if (child === edge) return viewer;
    viewer.close();
  }
  throw new Error(`100 viewers did not reach ${edge}`);
}

export const mediaOf = (viewer: Viewer): readonly { readonly type: number; readonly timestamp: number; readonly payload: Buffer }[] =>
  viewer.media;

/** Every picture from the first on, each once and in its order; no time runs backwards. */
export function assertUnbroken(viewer: Viewer): void {
  const seen = pictures(mediaOf(viewer));
  const [first = 0] = seen;
  assert.deepEqual(
    seen,
    seen.map((_, at) => first + at),
  );
  assertForward(viewer);
}

/** No picture twice and none before an earlier one, and no time runs backwards; some may be missing. */
export function assertInOrder(viewer: Viewer): void {
  const seen = pictures(mediaOf(viewer));
  assert.deepEqual(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
  );
  assertForward(viewer);
}

/** No time runs backwards. */
export function assertForward(viewer: Viewer): void {
  for (const type of [8, 9]) {
    const times = mediaOf(viewer)
      .filter((one) => one.type === type)
      .map(({ timestamp }) => timestamp);
    assert.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
      "timestamps run forward",
    );
  }
}

/** Waits until each of them has so many more messages than now. */
export async function waitForMore(viewers: readonly Viewer[], count: number): Promise<void> {
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(viewer.media.length + count, 15_000)));
}

/** All of them get so many more messages, and nothing is missing. */
export async function assertGoOn(viewers: readonly Viewer[], count = 100): Promise<void> {
  await waitForMore(viewers, count);
  for (const viewer of viewers) assertUnbroken(viewer);
}

export function closeAll(viewers: readonly Viewer[]): void {
  for (const viewer of viewers) viewer.close();
}

/**
 * Does something at a moment when everybody has all that was sent, and every process has said so much since: no write is under way
 * then, and whoever is killed has no viewer in the middle of one. The publisher is held until it is done.
 */
export async function inLull(dolphin: Dolphin, source: RtmpPublisher, viewers: readonly Viewer[], strike: () => unknown): Promise<void> {
  const hasAll = (viewer: Viewer) => (): boolean => viewer.media.at(-1)?.payload.equals(source.last?.payload ?? Buffer.alloc(0)) === true;
  source.isHeld = true;
  try {
    await Promise.all(viewers.map((viewer) => viewer.waitUntil("the last that was sent", hasAll(viewer))));
    await dolphin.status();
    await strike();
  } finally {
    source.isHeld = false;
  }
}
