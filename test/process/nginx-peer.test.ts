// Against a foreign RTMP server: Debian's nginx with its rtmp module, as the origin that a box pulls from and pushes to, as one
// of several origins, and as an edge that pulls from a box. Skipped with the reason where nginx cannot be had.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { assertSameMedia } from "../helpers/compare.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { playerAtEachEdge } from "../helpers/edges.js";
import { probe, publish, record } from "../helpers/ffmpeg.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { headers, step } from "../helpers/media.js";
import { findNginx, startNginx, type Nginx } from "../helpers/nginx.js";
import { freePort } from "../helpers/ports.js";
import { player, publisher, type Media, type RtmpPublisher } from "../helpers/rtmp-client.js";

const program = await findNginx();
const options = typeof program === "string" ? { skip: program } : {};

/** nginx numbers what it relays anew, so only what is inside is compared, from the first picture on. */
const steps = 50;

void test("players of a box see what is published at a foreign origin, which is pulled once", options, async (t) => {
  const origin = await nginx(t);
  const dolphin = await boxOf(t, [origin.rtmpPort]);
  const encoder = publish(origin.url("pulled"), { seconds: 40 });
  t.after(() => encoder.stop());
  await encoder.started;
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("pulled"));
  const flv = await watchFlv(dolphin.flvUrl("pulled"));
  t.after(() => flv.close());
  for (const viewer of [...viewers, flv]) await viewer.waitForMedia(100);
  assert.equal(pullsOf(dolphin, "pulled", origin.rtmpPort).length, 1, "the box pulls the stream once from far");
  const { streams } = await dolphin.status();
  assert.equal(streams.find(({ stream }) => stream === "pulled")?.state, "pull");
  await dolphin.stop();
});

void test("an origin that refuses is replaced by the next one at once", options, async (t) => {
  const origin = await nginx(t);
  const dolphin = await boxOf(t, [await freePort(), origin.rtmpPort]);
  const viewer = await player(dolphin.rtmpUrl("second"));
  t.after(() => viewer.close());
  const source = await publisher(origin.url("second"));
  t.after(() => source.close());
  const stop = source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), 20);
  t.after(stop);
  await viewer.waitForMedia(50, 6000);
  await dolphin.stop({ allow: isRelayTrouble });
});

void test("players stay, and time goes on, when the origin in use is replaced by the next one", options, async (t) => {
  const [first, second] = [await nginx(t), await nginx(t)];
  const dolphin = await boxOf(t, [first.rtmpPort, second.rtmpPort]);
  for (const origin of [first, second]) {
    const source = await publisher(origin.url("moves"));
    t.after(() => source.close());
    t.after(source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), 40));
  }
  const viewers = [...(await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("moves"))), await watchFlv(dolphin.flvUrl("moves"))];
  t.after(() => viewers.at(-1)?.close());
  for (const viewer of viewers) await viewer.waitForMedia(60);
  await first.stop();
  const before = viewers.map(({ media }) => media.length);
  // The players' readers fail on times that run backwards.
  for (const [at, viewer] of viewers.entries()) await viewer.waitForMedia((before[at] ?? 0) + 100, 10_000);
  await dolphin.stop({ allow: isRelayTrouble });
});

void test("a publisher at an edge of ours is passed to a foreign origin", options, async (t) => {
  const origin = await nginx(t);
  const dolphin = await boxOf(t, [origin.rtmpPort]);
  const far = await player(origin.url("pushed"));
  t.after(() => far.close());
  const source = await publisher(dolphin.rtmpUrl("pushed"), { chunkSize: 4096 });
  t.after(() => source.close());
  const sent = send(source);
  await far.waitForMedia(sent.length);
  const isPicture = (media: Media): boolean => media.type === 9;
  assertSameMedia(far.media.filter(isPicture), sent.filter(isPicture), "a player of nginx");
  source.close();
  await dolphin.waitFor("publish.ended");
  await dolphin.stop({ allow: isRelayTrouble });
});

for (const [where, own] of [
  ["the master", ""],
  ["a child", "dolphin { origin_process child; }"],
] as const) {
  void test(
    `with the box's origin in ${where}, a publisher stays when the far one is gone, and is seen at the next`,
    options,
    async (t) => {
      const [first, second] = [await nginx(t), await nginx(t)];
      const dolphin = await boxOf(t, [first.rtmpPort, second.rtmpPort], own);
      const encoder = publish(dolphin.rtmpUrl("goes-on"), { seconds: 60 });
      t.after(() => encoder.stop());
      await encoder.started;
      const [before, viewer] = [await player(first.url("goes-on")), await player(second.url("goes-on"))];
      for (const one of [before, viewer]) t.after(() => one.close());
      await before.waitForMedia(50);
      process.kill(first.pid, "SIGKILL");
      await viewer.waitForMedia(100);
      const folder = mkdtempSync(join(tmpdir(), "dolphin-next-"));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      await record(second.url("goes-on"), join(folder, "next.flv"), 2);
      const frames = new Map((await probe(join(folder, "next.flv"))).streams.map((stream) => [stream.type, stream.frames]));
      assert.ok((frames.get("video") ?? 0) >= 25 && (frames.get("audio") ?? 0) >= 60, JSON.stringify([...frames]));
      assert.deepEqual(
        dolphin.logLines(({ event }) => event === "publish.ended"),
        [],
      );
      await encoder.stop();
      await dolphin.stop({ allow: isRelayTrouble });
    },
  );
}

void test("nginx as an edge plays what is published at a box", options, async (t) => {
  const dolphin = await Dolphin.start(t);
  const edge = await nginx(t, `pull rtmp://127.0.0.1:${dolphin.rtmpPort}/live;`);
  const source = await publisher(dolphin.rtmpUrl("fed"), { chunkSize: 4096 });
  t.after(() => source.close());
  t.after(source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), 40));
  const viewer = await player(edge.url("fed"));
  t.after(() => viewer.close());
  await viewer.waitForMedia(100);
  const pictures = viewer.media.filter(({ type, payload }) => type === 9 && payload[1] === 1);
  assert.ok(pictures.every(({ payload }) => payload.length === step("avc", "none", 1)[0]?.payload.length));
  viewer.close();
  source.close();
  await edge.stop();
  await dolphin.stop();
});

void test("nginx that pushes is a publisher like any other", options, async (t) => {
  const dolphin = await Dolphin.start(t);
  const pusher = await nginx(t, `push rtmp://127.0.0.1:${dolphin.rtmpPort}/live;`);
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("given"));
  const encoder = publish(pusher.url("given"), { seconds: 30 });
  t.after(() => encoder.stop());
  await encoder.started;
  for (const viewer of viewers) await viewer.waitForMedia(100);
  await encoder.stop();
  await pusher.stop();
  await dolphin.stop();
});

async function nginx(t: TestContext, live = ""): Promise<Nginx> {
  if (typeof program === "string") throw new Error(program);
  const started = await startNginx(program, { rtmpPort: await freePort(), live });
  t.after(() => started.stop());
  return started;
}

/** A box whose default vhost is an edge of these origins. */
async function boxOf(t: TestContext, originPorts: readonly number[], own = ""): Promise<Dolphin> {
  const origins = originPorts.map((port) => `127.0.0.1:${port}`).join(" ");
  const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
  const conf = `listen 1935; http_server { enabled on; listen 8080; } ${own}
vhost __defaultVhost__ { cluster { mode remote; origin ${origins}; } ${remux} }\n`;
  return Dolphin.start(t, { conf });
}

function send(source: RtmpPublisher): Media[] {
  const sent = [...headers("avc", "aac"), ...Array.from({ length: steps }, (_, i) => step("avc", "aac", i)).flat()];
  for (const media of sent) source.send(media);
  return sent;
}

/** Pulls of a stream that began at the far origin. */
function pullsOf(dolphin: Dolphin, stream: string, port: number): LogLine[] {
  return dolphin.logLines(
    (line) => line.event === "pull.started" && line["stream"] === stream && JSON.stringify(line).includes(`:${port}`),
  );
}

function isRelayTrouble({ code }: LogLine): boolean {
  return (code ?? "").startsWith("RELAY_");
}
