// How an answer with a stream begins: its head goes out with the first frames, and announces what has shown any.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { watchFlv, type FlvPlayer } from "../../helpers/flv-reader.js";
import { headers, step } from "../../helpers/media.js";
import { publisher, type Media, type RtmpPublisher } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { startServer, type Rig } from "./rig.js";

const edgeKey = "0123456789abcdef0123456789abcdef";
const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
const vhostOf = (rest: string): string => `vhost __defaultVhost__ { min_latency on; ${remux} ${rest} }`;
const frames = (video: "avc" | "none", audio: "aac" | "none", from = 0): Media[] =>
  Array.from({ length: 5 }, (_, i) => step(video, audio, from + i)).flat();

/** An edge, and the origin that it pulls from. */
async function originAndEdge(t: TestContext, rest = ""): Promise<{ readonly origin: Rig; readonly edge: Rig }> {
  const origin = await startServer(t, vhostOf(rest), { edgeKey });
  const edge = await startServer(t, vhostOf(`${rest} cluster { mode remote; origin ${origin.address}; }`), { edgeKey, isEdge: true });
  return { origin, edge };
}

async function publishTo(t: TestContext, rig: Rig): Promise<RtmpPublisher> {
  const source = await publisher(rig.rtmpUrl("s"));
  t.after(() => source.close());
  return source;
}

function send(source: RtmpPublisher, ...media: readonly Media[]): void {
  for (const one of media) source.send(one);
}

async function flagsOf(watching: Promise<FlvPlayer>): Promise<string> {
  const viewer = await watching;
  await viewer.waitForMedia(5);
  return [viewer.flags?.hasAudio === true ? "audio" : [], viewer.flags?.hasVideo === true ? "video" : []].flat().join(" ");
}

for (const [name, video, audio, shows, codecs] of [
  ["video alone", "avc", "none", "video", ["H.264", ""]],
  ["audio alone", "none", "aac", "audio", ["", "AAC"]],
  ["both", "avc", "aac", "audio video", ["H.264", "AAC"]],
] as const) {
  for (const gopCache of ["on", "off"]) {
    test(`flv start: ${name} of a stream that announces both is told to whoever is early or late, at the origin and at an edge, gop_cache ${gopCache}`, async (t) => {
      const { origin, edge } = await originAndEdge(t, `play { gop_cache ${gopCache}; }`);
      const early = [origin, edge].map((rig) => watchFlv(rig.flvUrl("s")));
      await eventually(() => edge.stream("s") !== null, { what: "the edge to pull" });
      const source = await publishTo(t, origin);
      source.metadata({ width: 320, audiocodecid: 10, videocodecid: 7 });
      send(source, ...headers("avc", "aac"));
      await eventually(() => (edge.stream("s")?.bytesIn ?? 0) > 0, { what: "the headers at the edge" });
      assert.deepEqual([edge.stream("s")?.video, edge.stream("s")?.audio], ["", ""], "what is announced is not there");
      send(source, ...frames(video, audio));
      for (const viewer of early) assert.equal(await flagsOf(viewer), shows);
      const late = [origin, edge].map((rig) => watchFlv(rig.flvUrl("s")));
      await eventually(() => origin.stream("s")?.players === 2 && edge.stream("s")?.players === 2, { what: "those who come late" });
      send(source, ...frames(video, audio, 25));
      for (const viewer of late) assert.equal(await flagsOf(viewer), shows);
      for (const rig of [origin, edge]) assert.deepEqual([rig.stream("s")?.video, rig.stream("s")?.audio], codecs);
      for (const viewer of [...early, ...late]) (await viewer).close();
    });
  }
}

test("flv start: a viewer of a stream that shows nothing waits as for one that nobody publishes", async (t) => {
  const server = await startServer(t, `${vhostOf("")} dolphin { http_flv_wait 0.3; }`);
  const watching = watchFlv(server.flvUrl("s"));
  send(await publishTo(t, server), ...headers("avc", "aac"));
  assert.equal((await watching).status, 404);
  const { reason } = server.lines.find(({ event }) => event === "flv.closed") ?? {};
  assert.equal(reason, "neither picture nor sound came within 300 ms");
});

test("flv start: what a publisher has shown before it left is not kept back", async (t) => {
  const server = await startServer(t, vhostOf(""));
  const watching = watchFlv(server.flvUrl("s"));
  const source = await publishTo(t, server);
  send(source, ...headers("avc", "aac"), ...frames("avc", "none"));
  source.unpublish();
  const viewer = await watching;
  await viewer.waitForMedia(7);
  assert.deepEqual(viewer.flags, { hasAudio: false, hasVideo: true });
  viewer.close();
});

test("flv start: where the configuration says what is announced, the head goes out as soon as anything comes", async (t) => {
  const server = await startServer(
    t,
    `vhost __defaultVhost__ { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; guess_has_av off; } }`,
  );
  const watching = watchFlv(server.flvUrl("s"));
  send(await publishTo(t, server), ...headers("avc", "none"));
  const viewer = await watching;
  await viewer.waitForMedia(1);
  assert.deepEqual(viewer.flags, { hasAudio: true, hasVideo: true });
  viewer.close();
});
