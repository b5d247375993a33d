// Viewers of HTTP-FLV who wait for the first byte of a stream outlive the process that serves them as those do who play: they wait on
// at another one, get the stream from its beginning with one head, or their 404 when their time is over.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { start } from "../helpers/child.js";
import { untilKept } from "../helpers/carried.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { findFfmpeg, probe } from "../helpers/ffmpeg.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { temporaryFolder } from "../helpers/launch.js";
import { headers, step } from "../helpers/media.js";
import { publisher } from "../helpers/rtmp-client.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

const conf = (
  inRemux = "",
  waitS = 300,
): string => `listen 1935; http_server { enabled on; listen 8080; } dolphin { http_flv_wait ${waitS}; }
vhost __defaultVhost__ { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; ${inRemux} } }`;

const provoked = ({ event }: LogLine): boolean => ["child.exited", "pull.lost"].includes(event ?? "");

/** Kills every process that serves, and waits until others have their places. */
async function killServing(dolphin: Dolphin): Promise<void> {
  const { processes } = await dolphin.status();
  const from = dolphin.logLength;
  const victims = processes.filter(({ name, pid }) => name !== "master" && pid !== null);
  for (const { pid } of victims) process.kill(pid!, "SIGKILL");
  for (const { name } of victims) await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
}

/** A request as it is, and all that comes of it. */
class Raw {
  text = "";
  isOver = false;
  readonly socket: Socket;

  constructor(t: TestContext, port: number, version: "1.0" | "1.1", stream: string) {
    this.socket = connect(port, "127.0.0.1").setEncoding("latin1");
    t.after(() => void this.socket.destroy());
    this.socket.on("data", (text) => (this.text += String(text)));
    this.socket.on("error", () => undefined).on("close", () => (this.isOver = true));
    this.socket.write(`GET /live/${stream}.flv HTTP/${version}\r\nHost: localhost\r\nOrigin: http://page.test\r\n\r\n`);
  }

  /** The head, which must be there once. */
  get head(): string {
    assert.equal(this.text.split("HTTP/1.1 ").length, 2, this.text.slice(0, 600));
    return this.text.slice(0, this.text.indexOf("\r\n\r\n"));
  }
}

for (const plan of ["a", "single"]) {
  void test(`plan ${plan}: who waits for a stream gets it from its beginning, however often its process is killed or replaced meanwhile`, async (t) => {
    const dolphin = await Dolphin.start(t, { args: ["--plan", plan], conf: conf() });
    const waiting = [1, 2, 3, 4].map(() => watchFlv(dolphin.flvUrl("s"), { timeoutMs: 50_000 }));
    const old = new Raw(t, dolphin.httpPort, "1.0", "s");
    const file = join(temporaryFolder(t), "s.flv");
    const recorder = start(findFfmpeg(), ["-rw_timeout", "150000000", "-i", dolphin.flvUrl("s"), "-t", "2", "-c", "copy", file]);
    t.after(async () => void (await recorder.stop("SIGKILL")));
    await untilKept(dolphin, 6);

    await killServing(dolphin);
    await untilKept(dolphin, 6);
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted");
    await killServing(dolphin);
    await untilKept(dolphin, 6);

    await steadyPublisher(t, dolphin, "s");
    for (const viewer of await Promise.all(waiting)) {
      assert.equal(viewer.status, 200);
      await viewer.waitForMedia(20);
      viewer.close();
    }
    await eventually(() => old.text.length > 20_000, { what: "the stream over HTTP 1.0" });
    assert.match(old.head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(old.head, /chunked/i);
    assert.match(old.head, /Access-Control-Allow-Origin: \*/);
    assert.ok(old.text.includes("\r\n\r\nFLV\u0001"));
    old.socket.destroy();
    assert.equal((await recorder.ended).code, 0, recorder.output());
    const { packets } = await probe(file);
    assert.ok(packets.filter(({ isKey, codecType }) => codecType === "video" && !isKey).length > 20, "an ffmpeg that waited has recorded");
    await untilKept(dolphin, 0);
    await dolphin.stop({ allow: provoked });
  });

  void test(`plan ${plan}: who waits in vain gets 404 after its time, also from the process that goes on`, async (t) => {
    const dolphin = await Dolphin.start(t, { args: ["--plan", plan], conf: conf("", 5) });
    const viewer = new Raw(t, dolphin.httpPort, "1.1", "nobody");
    await untilKept(dolphin, 1);
    await killServing(dolphin);
    await eventually(() => viewer.isOver, { what: "the end" });
    assert.match(viewer.head, /^HTTP\/1\.1 404 Not Found\r\n/);
    assert.match(viewer.text, /\r\n\r\nNot Found$/);
    await dolphin.waitFor("flv.closed", { where: ({ code }) => code === "FLV_NOT_FOUND" });
    await dolphin.stop({ allow: provoked });
  });
}

void test("who has got the head and no packet yet gets no second head", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: conf("guess_has_av off;") });
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  source.metadata({ width: 320 });
  const viewer = new Raw(t, dolphin.httpPort, "1.1", "s");
  await eventually(() => viewer.text.includes("FLV"), { what: "the head" });
  await untilKept(dolphin, 1);
  await killServing(dolphin);
  await untilKept(dolphin, 1);
  for (const media of [...headers("avc", "aac"), ...[0, 1, 2].flatMap((i) => step("avc", "aac", i))]) source.send(media);
  await eventually(() => viewer.text.length > 2000, { what: "media" });
  assert.match(viewer.head, /^HTTP\/1\.1 200 OK/);
  assert.equal(viewer.text.split("FLV\x01").length, 2);
  await dolphin.stop({ allow: provoked });
});

void test("an upgrade takes along who waits", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: conf() });
  const waiting = [1, 2, 3].map(() => watchFlv(dolphin.flvUrl("s"), { timeoutMs: 50_000 }));
  await untilKept(dolphin, 3);
  await dolphin.ask("upgrade");
  await untilKept(dolphin, 3);
  await steadyPublisher(t, dolphin, "s");
  for (const viewer of await Promise.all(waiting)) {
    assert.equal(viewer.status, 200);
    await viewer.waitForMedia(20);
    viewer.close();
  }
  await dolphin.stop();
});
