// A publisher stops and another comes a moment later, while real players stay: at a far edge of a box, at an edge of nginx-rtmp, and
// at nginx itself. Nobody leaves, and whoever comes then is given nothing of the first one.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { start } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { findFfmpeg, probe, publish, record, type PublishOptions } from "../helpers/ffmpeg.js";
import { headers, step } from "../helpers/media.js";
import { findNginx, startNginx, type Nginx } from "../helpers/nginx.js";
import { freePort } from "../helpers/ports.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const program = await findNginx();
const options = typeof program === "string" ? { skip: program } : {};

async function nginx(t: TestContext, live = ""): Promise<Nginx> {
  if (typeof program === "string") throw new Error(program);
  const started = await startNginx(program, { rtmpPort: await freePort(), live });
  t.after(() => started.stop());
  return started;
}

function edgeOf(t: TestContext, port: number): Promise<Dolphin> {
  const conf = `listen 1935; http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { cluster { mode remote; origin 127.0.0.1:${port}; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }\n`;
  return Dolphin.start(t, { conf });
}

const isRelayTrouble = ({ code }: LogLine): boolean => (code ?? "").startsWith("RELAY_");

/** ffmpeg publishes until it is stopped. */
async function encode(t: TestContext, url: string, kind: Omit<PublishOptions, "seconds">): Promise<() => Promise<unknown>> {
  const encoder = publish(url, { ...kind, seconds: 60 });
  t.after(() => encoder.stop());
  await encoder.started;
  return () => encoder.stop();
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-end-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a newcomer finds in a stream. */
async function codecsOf(folder: string, url: string): Promise<string[]> {
  const file = join(folder, "late.flv");
  await record(url, file, 1);
  return (await probe(file)).streams.map(({ codec }) => codec);
}

for (const what of ["a box", "nginx"] as const) {
  void test(`at a far edge of ${what}, ffmpeg that plays stays, and ffmpeg that comes gets the new publisher alone`, options, async (t) => {
    const folder = folderOf(t);
    const origin = what === "nginx" ? await nginx(t) : await Dolphin.start(t);
    const url = origin instanceof Dolphin ? origin.rtmpUrl("s") : origin.url("s");
    const far = await edgeOf(t, origin.rtmpPort);
    const stays = await player(far.rtmpUrl("s"));
    t.after(() => stays.close());
    const stop = await encode(t, url, { audio: "aac" });
    await stays.waitUntil("two seconds", ({ length }) => length > 100);
    const from = far.logLength;
    const real = start(findFfmpeg(), ["-v", "error", "-i", far.rtmpUrl("s"), "-c", "copy", "-f", "flv", join(folder, "stays.flv")]);
    t.after(() => real.stop("SIGKILL"));
    await far.waitFor("play.started", { from });
    await eventually(() => existsSync(join(folder, "stays.flv")), { what: "ffmpeg to have begun to play" });
    await stop();
    const before = stays.media.length;
    await encode(t, url, { video: "none", audio: "mp3" });
    await stays.waitForMedia(before + 20);
    assert.deepEqual(await codecsOf(folder, far.rtmpUrl("s")), ["mp3"]);
    assert.deepEqual(await codecsOf(folder, far.flvUrl("s")), ["mp3"]);
    assert.equal(real.ending, null, real.output());
    assert.equal(stays.connection.endedBy, null);
    await real.stop("SIGKILL");
    await far.stop({ allow: isRelayTrouble });
    if (origin instanceof Dolphin) await origin.stop();
  });
}

void test("nginx as an edge hears that the stream has ended, and tells its players", options, async (t) => {
  const dolphin = await Dolphin.start(t);
  const edge = await nginx(t, `pull rtmp://127.0.0.1:${dolphin.rtmpPort}/live;`);
  const viewer = await player(edge.url("told"));
  t.after(() => viewer.close());
  let ends = 0;
  const receive = viewer.connection.onMessage;
  viewer.connection.onMessage = (message) => {
    if (message.type === 4 && message.payload.readUInt16BE(0) === 1) ends += 1;
    receive(message);
  };
  for (const round of [1, 2]) {
    const before = viewer.media.length;
    const source = await publisher(dolphin.rtmpUrl("told"));
    t.after(() => source.close());
    const stop = source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), 40);
    await viewer.waitForMedia(before + 50);
    stop();
    source.close();
    await eventually(() => ends === round, { what: `end ${round}` });
  }
  assert.equal(viewer.connection.endedBy, null);
  viewer.close();
  await edge.stop();
  await dolphin.stop();
});
