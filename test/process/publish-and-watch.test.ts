// The main job through the public ports of a real box: encoders publish, players watch at every edge. ffmpeg is the encoder,
// the player and, with ffprobe, the judge; what the ffmpeg at hand cannot produce is in pass-through.test.ts.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../helpers/cleanups.js";
import { assertSteady } from "../helpers/compare.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAtEachEdge } from "../helpers/edges.js";
import { packetsOf, probe, publish, record, type Probe, type PublishOptions, type Publisher } from "../helpers/ffmpeg.js";
import { headers, step } from "../helpers/media.js";
import { publisher, type Media } from "../helpers/rtmp-client.js";

const seconds = 4;
const everyMs = 40;
const aheadMs = 450;
const framesPerSecond = 25;
/** One step of AAC at 44.1 kHz is 23 ms, of MP3 26 ms; of pictures 40 ms. */
const maxStepMs = 60;

const cleanups = new Cleanups();
let dolphin: Dolphin;
let folder: string;

before(async () => {
  dolphin = await Dolphin.start(cleanups);
  folder = mkdtempSync(join(tmpdir(), "dolphin-recorded-"));
  cleanups.after(() => rmSync(folder, { recursive: true, force: true }));
});

after(async () => {
  try {
    await dolphin.stop();
  } finally {
    await cleanups.stopAll();
  }
});

// All at once: each of them watches as long as a recording lasts.
void describe("what ffmpeg publishes", { concurrency: true }, () => {
  void test("H.264 and AAC of ffmpeg play at every edge over RTMP and HTTP-FLV", async (t) => {
    await publishing(t, "h264-aac", { seconds: 30 });
    const watching = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("h264-aac"));
    for (const viewer of watching) await viewer.waitForMedia(10);
    const urls = [0, 1].flatMap(() => [dolphin.rtmpUrl("h264-aac"), dolphin.flvUrl("h264-aac")]);
    const recorded = await Promise.all(urls.map((url, at) => recordAndProbe(url, `h264-aac-${at}.flv`)));
    for (const found of recorded) {
      assertStream(found, "video", "h264");
      assertStream(found, "audio", "aac");
      assert.ok(found.packets.find(({ codecType }) => codecType === "video")?.isKey, "a recording begins with a key frame");
    }
    const { streams } = await dolphin.status();
    const told = streams.find(({ stream }) => stream === "h264-aac");
    assert.equal(told?.state, "publish");
    assert.equal(told.players, watching.length);
    assert.deepEqual(Object.keys(told.playersOf).sort(), ["edge-1", "edge-2"]);
  });

  for (const { name, options, streams } of [
    { name: "H.264 and MP3", options: { audio: "mp3" }, streams: { video: "h264", audio: "mp3" } },
    { name: "AAC alone", options: { video: "none" }, streams: { audio: "aac" } },
    { name: "MP3 alone", options: { video: "none", audio: "mp3" }, streams: { audio: "mp3" } },
    { name: "H.264 alone", options: { audio: "none" }, streams: { video: "h264" } },
  ] as const) {
    void test(`${name} of ffmpeg plays over RTMP and HTTP-FLV`, async (t) => {
      const stream = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
      await publishing(t, stream, { seconds: 30, ...options });
      const urls = [dolphin.rtmpUrl(stream), dolphin.flvUrl(stream)];
      for (const found of await Promise.all(urls.map((url, at) => recordAndProbe(url, `${stream}-${at}.flv`)))) {
        assert.deepEqual(found.streams.map(({ type }) => type).sort(), Object.keys(streams).sort());
        for (const [type, codec] of Object.entries(streams)) assertStream(found, type, codec);
      }
    });
  }
});

void test("ffmpeg plays pictures that are stamped 450 ms ahead of their sound at that distance, and seconds stay seconds", async (t) => {
  const source = await publisher(dolphin.rtmpUrl("ahead"));
  t.after(() => source.close());
  // A picture and one piece of sound.
  const stepAt = (i: number): Media[] => {
    const [picture, sound] = step("avc", "aac", i) as [Media, Media];
    return [{ ...picture, timestamp: picture.timestamp + aheadMs }, sound];
  };
  t.after(source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : stepAt(i - 1)), everyMs));
  await dolphin.waitFor("publish.started", { where: ({ stream }) => stream === "ahead" });
  await pause(2000); // they come late, and so do their edges
  const urls = [dolphin.rtmpUrl("ahead"), dolphin.flvUrl("ahead")];
  for (const packets of await Promise.all(urls.map((url) => packetsOf(url, seconds)))) {
    for (const [type, offsetMs] of [
      ["video", aheadMs],
      ["audio", 0],
    ] as const) {
      const times = packets.filter(({ codecType }) => codecType === type).map(({ dtsMs }) => dtsMs);
      const [first = 0] = times;
      assert.ok(times.length > 50, `${times.length} packets of ${type}`);
      assert.deepEqual(
        times,
        times.map((_, at) => first + at * everyMs),
      );
      assert.equal(first % everyMs, offsetMs % everyMs, `${type} is where it was`);
    }
  }
  source.close();
});

/** Publishes with ffmpeg until the test ends. */
async function publishing(t: TestContext, stream: string, options: PublishOptions): Promise<Publisher> {
  const encoder = publish(dolphin.rtmpUrl(stream), options);
  t.after(() => encoder.stop());
  await encoder.started;
  return encoder;
}

async function recordAndProbe(url: string, name: string): Promise<Probe> {
  const file = join(folder, name);
  await record(url, file, seconds);
  return probe(file);
}

/**
 * By what lies between the first packet and the end: over RTMP an old ffmpeg counts from the data message that every server sends at 0
 * (late-players.test.ts), so its recording of a stream that is younger than a second begins with the stream's age.
 */
function assertStream({ streams, packets }: Probe, type: string, codec: string): void {
  const found = streams.find((stream) => stream.type === type);
  assert.equal(found?.codec, codec);
  const perSecond = type === "video" ? framesPerSecond : 44_100 / (codec === "aac" ? 1024 : 1152);
  const times = packets.filter(({ codecType }) => codecType === type).map(({ dtsMs }) => dtsMs);
  const first = times[0] ?? Infinity;
  assert.ok(first <= 1_000, `${type} begins at ${first} ms`);
  assert.ok((times.at(-1) ?? 0) >= seconds * 1_000 - 2 * maxStepMs, `${type} ends at ${times.at(-1)} ms`);
  const expected = (seconds - first / 1_000) * perSecond;
  const isRight = found.frames >= expected * 0.9 && found.frames <= expected * 1.1;
  assert.ok(isRight, `${found.frames} frames of ${codec} decode, of about ${expected}`);
  assertSteady(packets, type, maxStepMs);
}
