// Who comes late gets what describes the stream first. ffmpeg and ffprobe take that for what it is, and not for a track of the stream:
// over both protocols, on every plan, at every edge.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { run } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAtEachEdge } from "../helpers/edges.js";
import { findFfmpeg, findFfprobe, probe, publish } from "../helpers/ffmpeg.js";
import { headers, step } from "../helpers/media.js";
import { player, publisher, type RtmpPlayer } from "../helpers/rtmp-client.js";

/** So old is the stream when the late ones come. */
const ageMs = 3000;
/** All tracks but `|RtmpSampleAccess`, which every server sends over RTMP first and old versions take for data. */
const everything = ["-map", "0", "-map", "-0:d?"];
const quiet = ["-v", "error", "-rw_timeout", "15000000"];

for (const plan of ["a", "single", "b"]) {
  void test(`plan ${plan}: ffmpeg copies what it watches late to HLS and Matroska, and ffprobe finds its two tracks`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "dolphin-late-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--plan", plan] });
    const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 60 });
    t.after(() => encoder.stop());
    await encoder.started;
    await growOld(await watching(t, dolphin, plan));
    const urls = [dolphin.rtmpUrl("s"), dolphin.flvUrl("s")];
    await Promise.all([...urls, ...urls].map(async (url) => assert.deepEqual(await tracksOf(url), ["audio", "video"], url)));
    const copied = async (url: string, at: number): Promise<void> => {
      const [playlist, matroska] = [join(folder, `${at}.m3u8`), join(folder, `${at}.mkv`)];
      await Promise.all([copy(url, "-f", "hls", playlist), copy(url, ...everything, matroska)]);
      assert.match(readFileSync(playlist, "utf8"), /#EXTINF/);
      assert.deepEqual((await probe(matroska)).streams.map(({ type }) => type).sort(), ["audio", "video"]);
    };
    await Promise.all(urls.map(copied));
    await encoder.stop();
    await dolphin.stop();
  });
}

void test("metadata that an encoder renews while it sends is no track either, to those who are there and those who come", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await watching(t, dolphin, "a");
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  const early = [dolphin.rtmpUrl("s"), dolphin.flvUrl("s")].map((url) => tracksOf(url));
  t.after(
    source.sendEvery((i) => {
      if (i % 10 === 0) source.metadata({ width: 320, height: 180, framerate: 25, title: `turn ${i}` });
      return i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1);
    }, 40),
  );
  for (const tracks of early) assert.deepEqual(await tracks, ["audio", "video"]);
  await growOld(viewers);
  const late = [dolphin.rtmpUrl("s"), dolphin.flvUrl("s")].map((url) => tracksOf(url));
  for (const tracks of late) assert.deepEqual(await tracks, ["audio", "video"]);
  const renewed = viewers[0]?.messages.filter(({ type, payload }) => type === 18 && payload.includes("turn"));
  assert.ok((renewed?.length ?? 0) > 2, "it is passed on as it comes");
  assert.deepEqual(new Set(renewed?.map(({ timestamp }) => timestamp)), new Set([0]));
  source.close();
  await dolphin.stop();
});

/** Somebody at each edge, so that every process has the stream from now on. */
async function watching(t: TestContext, dolphin: Dolphin, plan: string): Promise<RtmpPlayer[]> {
  if (plan === "a") return playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("s"));
  const viewer = await player(dolphin.rtmpUrl("s"));
  t.after(() => viewer.close());
  return [viewer];
}

async function growOld(viewers: readonly RtmpPlayer[]): Promise<void> {
  const isOld = ({ media }: RtmpPlayer): boolean => (media.at(-1)?.timestamp ?? 0) >= ageMs;
  for (const viewer of viewers) await viewer.waitUntil("an old stream", () => isOld(viewer), 20_000);
}

/** Copies two seconds of it. */
async function copy(url: string, ...to: readonly string[]): Promise<void> {
  await run(findFfmpeg(), [...quiet, "-y", "-i", url, "-t", "2", "-c", "copy", ...to], 20_000);
}

async function tracksOf(url: string): Promise<string[]> {
  const text = await run(findFfprobe(), [...quiet, "-show_entries", "stream=codec_type", "-of", "json", url], 20_000);
  return (JSON.parse(text) as { streams: { codec_type: string }[] }).streams.map(({ codec_type: type }) => type).sort();
}
