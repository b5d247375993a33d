// The server passes media through and never decodes: whatever a publisher sends in whatever habit of its encoder, players at
// every edge get byte for byte, over RTMP and HTTP-FLV. Publisher and players are the tests' own independent client.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Cleanups } from "../helpers/cleanups.js";
import { assertSameMedia } from "../helpers/compare.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAtEachEdge } from "../helpers/edges.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { headers, step, videoFrame, type AudioKind, type VideoKind } from "../helpers/media.js";
import { player, publisher, type Media, type PublisherOptions, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { asObject, decodeAmf, encodeAmf } from "../helpers/amf0.js";

/** `raw.test` leaves timestamps as they are. */
const conf = `
listen 1935;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
vhost raw.test { play { time_jitter off; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
`;
const steps = 60;
const extendedFrom = 0xffffff;

const cleanups = new Cleanups();
let dolphin: Dolphin;

before(async () => {
  dolphin = await Dolphin.start(cleanups, { conf });
});

after(async () => {
  try {
    await dolphin.stop({ allow: ({ code, event }) => ["RTMP_BUSY", "RELAY_REFUSED"].includes(code ?? "") || event === "http.refused" });
  } finally {
    await cleanups.stopAll();
  }
});

interface Case {
  readonly name: string;
  readonly video: VideoKind | "none";
  readonly audio: AudioKind | "none";
  readonly habits?: PublisherOptions;
  readonly vhost?: string;
  readonly fromMs?: number;
  /** How far pictures are stamped ahead of the sound that they come with. */
  readonly aheadMs?: number;
}

const cases: readonly Case[] = [
  { name: "H.264 and AAC", video: "avc", audio: "aac" },
  { name: "H.265 with the codec id 12", video: "hevc-legacy", audio: "aac" },
  { name: "H.265 with the enhanced header", video: "hvc1", audio: "aac" },
  { name: "AV1 with the enhanced header", video: "av01", audio: "aac" },
  { name: "MP3 beside H.264", video: "avc", audio: "mp3" },
  { name: "audio alone", video: "none", audio: "aac" },
  { name: "video alone", video: "hvc1", audio: "none" },
  { name: "the dialogue of Flash", video: "avc", audio: "aac", habits: { order: "flash" } },
  { name: "the dialogue of Haivision", video: "avc", audio: "aac", habits: { order: "haivision" } },
  { name: "the smallest headers that the protocol has", video: "avc", audio: "aac", habits: { format: 3, chunkSize: 4096 } },
  { name: "delta headers in chunks of 128 bytes", video: "avc", audio: "aac", habits: { format: 1 } },
  { name: "chunks of 65,536 bytes", video: "avc", audio: "aac", habits: { chunkSize: 65_536, format: 2 } },
  {
    name: "extended timestamps that every chunk repeats",
    video: "avc",
    audio: "aac",
    vhost: "raw.test",
    fromMs: extendedFrom - 1000,
    habits: { extended: "repeated" },
  },
  {
    name: "extended timestamps that only the first chunk has",
    video: "avc",
    audio: "aac",
    vhost: "raw.test",
    fromMs: extendedFrom - 1000,
    habits: { extended: "once" },
  },
  { name: "pictures that are stamped 450 ms ahead of their sound", video: "avc", audio: "aac", aheadMs: 450 },
  { name: "pictures that are stamped 450 ms behind their sound", video: "avc", audio: "aac", aheadMs: -450 },
  { name: "timestamps past 2^31", video: "avc", audio: "aac", vhost: "raw.test", fromMs: 0x80000000 - 1000 },
];

for (const [index, one] of cases.entries()) {
  void test(`players at every edge get exactly what was published: ${one.name}`, async (t) => {
    const { video, audio, habits = {}, vhost, fromMs = 0, aheadMs = 0 } = one;
    const stream = `case-${index}${vhost === undefined ? "" : `?vhost=${vhost}`}`;
    const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl(stream));
    const watching = watchFlv(`${dolphin.flvUrl(`case-${index}`)}${vhost === undefined ? "" : `?vhost=${vhost}`}`);
    const source = await publisher(dolphin.rtmpUrl(stream), habits);
    t.after(() => source.close());
    const later = { 8: Math.max(0, -aheadMs), 9: Math.max(0, aheadMs) };
    const frames = range(steps).flatMap((i) => step(video, audio, i, fromMs));
    const sent = headers(video, audio, fromMs).concat(frames.map((media) => delayed(media, later[media.type as 8 | 9])));
    for (const media of sent) source.send(media);
    const flv = await watching;
    t.after(() => flv.close());
    assert.equal(flv.status, 200);
    for (const viewer of viewers) await viewer.waitForMedia(sent.length);
    await flv.waitForMedia(sent.length);
    for (const [at, viewer] of viewers.entries()) assertSameMedia(viewer.media, sent, `RTMP player ${at + 1}`);
    assertSameMedia(flv.media, sent, "HTTP-FLV player");
    if (vhost !== undefined) assert.equal(viewers[0]?.media[0]?.timestamp, fromMs, "this vhost keeps the encoder's clock");
  });
}

void test("the messages of an aggregate arrive one by one", async (t) => {
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("aggregate"));
  const source = await publisher(dolphin.rtmpUrl("aggregate"), { chunkSize: 4096 });
  t.after(() => source.close());
  const sent = [...headers("avc", "aac"), ...range(10).flatMap((i) => step("avc", "aac", i))];
  for (const media of headers("avc", "aac")) source.send(media);
  for (const i of range(10)) source.aggregate(step("avc", "aac", i));
  for (const viewer of viewers) {
    await viewer.waitForMedia(sent.length);
    assertSameMedia(viewer.media, sent, "player");
  }
});

void test("a late player gets metadata, sequence headers and the last key frame first", async (t) => {
  const source = await publisher(dolphin.rtmpUrl("late"));
  t.after(() => source.close());
  source.metadata({ width: 320, height: 180, title: "ünï" });
  const early = await player(dolphin.rtmpUrl("late"));
  t.after(() => early.close());
  for (const media of headers("avc", "aac")) source.send(media);
  await early.waitForMedia(2); // its edge pulls from here on
  for (const i of range(40)) for (const media of step("avc", "aac", i)) source.send(media);
  await early.waitForMedia(2 + 120);
  for (const viewer of await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("late"))) {
    await viewer.waitForMedia(2 + 15 * 3);
    const [access, metadata, ...rest] = viewer.messages;
    assert.equal(decodeAmf(access?.payload ?? Buffer.alloc(0))[0], "|RtmpSampleAccess");
    const [name, values] = decodeAmf(metadata?.payload ?? Buffer.alloc(0));
    assert.equal(name, "onMetaData");
    assert.equal(asObject(values)["width"], 320);
    assert.equal(asObject(values)["title"], "ünï");
    const [audio, video] = [rest.find(({ type }) => type === 8), rest.find(({ type }) => type === 9)];
    assert.deepEqual(
      rest.slice(0, 2).map(({ payload }) => payload[1]),
      [0, 0],
      "both sequence headers come before media",
    );
    assert.deepEqual([audio?.payload, video?.payload], [headers("avc", "aac")[1]?.payload, headers("avc", "aac")[0]?.payload]);
    assert.deepEqual(rest[2]?.payload, step("avc", "aac", 25)[0]?.payload, "media begins with the last key frame");
  }
});

void test("a late player gets the headers and colours of every track, and of broken headers the good ones before them", async (t) => {
  const source = await publisher(dolphin.rtmpUrl("tracks"));
  t.after(() => source.close());
  const early = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("tracks"));
  const track1 = ofTrack(1, [...headers("avc", "none"), videoFrame("avc", 0, 0)]);
  const [avc, aac] = headers("avc", "aac");
  assert.ok(avc !== undefined && aac !== undefined && track1[0] !== undefined);
  const colours = { type: 9, timestamp: 0, payload: Buffer.concat([Buffer.from("\x94avc1", "latin1"), encodeAmf("colorInfo", {})]) };
  const broken = [
    { ...avc, payload: avc.payload.subarray(0, 20) },
    { ...avc, payload: Buffer.of(0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x0c, 0xff, 0xe0, 0) },
    { ...aac, payload: Buffer.of(0xaf, 0) },
  ];
  const frames = range(40).flatMap((i) => step("avc", "aac", i).concat(ofTrack(1, [videoFrame("avc", i, i * 40, 500, i % 7 === 0)])));
  const sent = [avc, aac, track1[0], colours, ...broken, ...frames];
  for (const media of sent) source.send(media);
  for (const viewer of early) {
    await viewer.waitForMedia(sent.length);
    assertSameMedia(viewer.media, sent, "an early player");
  }
  const late = [...(await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("tracks"))), await watchFlv(dolphin.flvUrl("tracks"))];
  t.after(() => late.at(-1)?.close());
  const key = frames.findLastIndex(({ type, payload }) => type === 9 && payload[0] === 0x17);
  const expected = [aac, avc, track1[0], colours, ...frames.slice(key)];
  for (const viewer of late) {
    await viewer.waitForMedia(expected.length);
    assert.deepEqual(
      viewer.media.map(({ payload }) => payload),
      expected.map(({ payload }) => payload),
    );
  }
});

void test("a second publisher of a live stream is refused with a status, and the first goes on", async (t) => {
  const viewer = await player(dolphin.rtmpUrl("busy"));
  t.after(() => viewer.close());
  const first = await publisher(dolphin.rtmpUrl("busy"));
  t.after(() => first.close());
  for (const media of headers("avc", "aac")) first.send(media);
  await viewer.waitForMedia(2);
  await assert.rejects(publisher(dolphin.rtmpUrl("busy")), /NetStream\.Publish\.BadName/);
  for (const media of step("avc", "aac", 0)) first.send(media);
  await viewer.waitForMedia(5);
});

void test("players stay when the publisher leaves and go on with the next one", async (t) => {
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("next"));
  const watching = watchFlv(dolphin.flvUrl("next"));
  const first = await publishSteps(dolphin.rtmpUrl("next"), 30);
  const flv = await watching;
  t.after(() => flv.close());
  const players = [...viewers, flv];
  for (const one of players) await one.waitForMedia(2 + 90);
  first.close();
  await dolphin.waitFor("publish.ended", { where: ({ stream }) => stream === "next" });
  const second = await publishSteps(dolphin.rtmpUrl("next"), 30);
  t.after(() => second.close());
  // The players' own readers fail on a timestamp that runs backwards.
  for (const one of players) await one.waitForMedia(2 * (2 + 90));
});

void test("a publisher that lost its connection and is back at once finds its stream free", async (t) => {
  for (let i = 0; i < 10; i++) {
    const source = await publisher(dolphin.rtmpUrl("back-at-once"));
    for (const media of headers("avc", "aac")) source.send(media);
    source.close();
  }
  const last = await publisher(dolphin.rtmpUrl("back-at-once"));
  t.after(() => last.close());
});

void test("what a publisher sends last arrives, though it stops at once", async (t) => {
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("to-the-last"));
  const source = await publishSteps(dolphin.rtmpUrl("to-the-last"), 20);
  t.after(() => source.close());
  source.unpublish();
  for (const viewer of viewers) await viewer.waitForMedia(2 + 60);
});

void test("a publisher may stop and publish again on the same connection", async (t) => {
  const viewer = await player(dolphin.rtmpUrl("again"));
  t.after(() => viewer.close());
  const source = await publishSteps(dolphin.rtmpUrl("again"), 5);
  t.after(() => source.close());
  await viewer.waitForMedia(2 + 15);
  source.unpublish();
  await source.connection.waitForStatus("NetStream.Unpublish.Success");
  await source.publish("fmle");
  sendSteps(source, 5);
  await viewer.waitForMedia(2 * (2 + 15));
});

void test("a paused player gets nothing until it goes on, with a key frame first", async (t) => {
  const url = dolphin.rtmpUrl("pause");
  const [viewer, other] = [await player(url), await player(url)];
  t.after(() => viewer.close());
  t.after(() => other.close());
  const source = await publishSteps(url, 10);
  t.after(() => source.close());
  await viewer.waitForMedia(2 + 30);
  viewer.connection.command("pause", [true, 0], { streamId: viewer.streamId });
  await viewer.connection.waitForStatus("NetStream.Pause.Notify");
  const seen = viewer.media.length;
  for (const i of range(10)) for (const media of step("avc", "aac", 10 + i)) source.send(media);
  await other.waitForMedia(2 + 60);
  assert.equal(viewer.media.length, seen);
  viewer.connection.command("pause", [false, 0], { streamId: viewer.streamId });
  await viewer.connection.waitForStatus("NetStream.Unpause.Notify");
  for (const i of range(10)) for (const media of step("avc", "aac", 20 + i)) source.send(media);
  await viewer.waitUntil("media after the pause", () => viewer.media.length > seen);
  const next = viewer.media.slice(seen).find(({ type, payload }) => type === 9 && payload[1] !== 0);
  assert.equal((next?.payload[0] ?? 0) >> 4, 1, "the first picture is a key frame");
});

void test("HTTP answers 404 for what is no stream, and lets pages of other sites play", async () => {
  const base = `http://127.0.0.1:${dolphin.httpPort}`;
  for (const path of ["/live", "/live/a.txt", "/a.flv", "/live/%ZZ.flv"]) {
    assert.equal((await watchFlv(`${base}${path}`)).status, 404, path);
  }
  const asked = await watchFlv(`${base}/live/a.flv`, { method: "OPTIONS", headers: { Origin: "http://example.org" } });
  assert.equal(asked.status, 200);
  assert.equal(asked.headers["access-control-allow-origin"], "*");
  assert.equal((await watchFlv(`${base}/live/a.flv`, { method: "POST" })).status, 405);
});

function delayed({ type, timestamp, payload }: Media, ms: number): Media {
  return { type, timestamp: timestamp + ms, payload };
}

/** The same pictures as another track's, in Enhanced RTMP's form. */
function ofTrack(track: number, media: readonly Media[]): Media[] {
  return media.map(({ type, timestamp, payload }) => {
    const [head = 0, packetType = 0] = payload;
    const body = packetType === 0 ? payload.subarray(5) : payload.subarray(2);
    return {
      type,
      timestamp,
      payload: Buffer.concat([Buffer.of(0x86 | (head & 0x70), packetType), Buffer.from("avc1"), Buffer.of(track), body]),
    };
  });
}

async function publishSteps(url: string, count: number): Promise<RtmpPublisher> {
  const source = await publisher(url);
  sendSteps(source, count);
  return source;
}

function sendSteps(source: RtmpPublisher, count: number): void {
  const media: Media[] = [...headers("avc", "aac"), ...range(count).flatMap((i) => step("avc", "aac", i))];
  for (const one of media) source.send(one);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
