// The packager in a real box: it writes what its server has, and its death, its hang, a restart, a reload and an upgrade of the box are
// told by no list of segments and by no recording.
import assert from "node:assert/strict";
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { withLibc } from "../../src/base/libc.js";
import { run } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findFfmpeg } from "../helpers/ffmpeg.js";
import { clipSums, parseList, pictureSums, repeated, sendClip, type ReadList } from "../helpers/packages.js";
import { publisher, type Media } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const hls = "hls { enabled on; hls_fragment 1; hls_window 60; hls_ctx off; }";
const confOf = (inside: string, more = ""): string =>
  `listen 1935; http_server { enabled on; listen 8080; } ${more} vhost __defaultVhost__ { min_latency on; publish { normal_timeout 60000; } ${inside} }`;
const dvrAs = (ending: string): string => `dvr { enabled on; dvr_path ./objs/nginx/html/[app]/[stream].${ending}; }`;
const seconds = 10;
/** Where koffi is not to be had all files are new. */
const reuses = (await withLibc(() => true)) === true;

function httpUrl(dolphin: Dolphin, path: string): string {
  return dolphin.flvUrl("s").replace(/\/live\/.*$/, path);
}

async function fetchList(dolphin: Dolphin, stream: string): Promise<ReadList> {
  const response = await fetch(httpUrl(dolphin, `/live/${stream}.m3u8`));
  assert.equal(response.status, 200);
  return parseList(await response.text());
}

function listOf(dolphin: Dolphin, stream: string, entries: number): Promise<ReadList> {
  return eventually(
    async () => {
      const list = await fetchList(dolphin, stream);
      return list.entries.length >= entries ? list : null;
    },
    { what: `${entries} segments of ${stream}`, timeoutMs: 20_000 },
  );
}

/** Fails unless every picture of what was sent is in the list's segments once, under numbers from 0 on and without a break. */
async function assertWhole(dolphin: Dolphin, stream: string, media: readonly Media[]): Promise<void> {
  const { entries, text } = await listOf(dolphin, stream, seconds);
  assert.deepEqual(
    entries.map(({ uri, isDiscontinuous }) => [uri, isDiscontinuous]),
    Array.from({ length: seconds }, (_, number) => [`${stream}-${number}.ts`, false]),
    text,
  );
  const segments = await Promise.all(entries.map(async ({ uri }) => (await fetch(httpUrl(dolphin, `/live/${uri}`))).arrayBuffer()));
  assert.deepEqual(await pictureSums(Buffer.concat(segments.map((bytes) => Buffer.from(bytes))), "ts"), await clipSums(media));
}

/** Fails unless the recording of that name has every picture of what was sent, once. */
async function assertRecorded(dolphin: Dolphin, name: string, media: readonly Media[]): Promise<void> {
  const { file } = await dolphin.waitFor("dvr.finished", { where: (line) => String(line["file"]).endsWith(`/${name}`), timeoutMs: 20_000 });
  const recording = readFileSync(join(`/proc/${dolphin.pid}/cwd`, String(file)));
  assert.deepEqual(await pictureSums(recording, name.slice(-3)), await clipSums(media), name);
}

async function makeMedia(): Promise<Media[]> {
  return repeated(await clip({ seconds: 2, bFrames: 2 }), seconds / 2, 2000);
}

/** Publishes, and does something to the box when 4.5 s have been sent: in the middle of the fifth segment. */
async function publishOver(t: TestContext, dolphin: Dolphin, stream: string, strike: () => Promise<unknown>): Promise<readonly Media[]> {
  const media = await makeMedia();
  const middle = media.findIndex(({ timestamp }) => timestamp > 4500);
  const source = await publisher(dolphin.rtmpUrl(stream));
  t.after(() => source.close());
  await sendClip(source, media, 6, 0, middle);
  await listOf(dolphin, stream, 4);
  const struck = strike();
  await sendClip(source, media, 6, middle);
  await struck;
  source.close();
  return media;
}

async function packagerPid(dolphin: Dolphin): Promise<number> {
  return Number((await dolphin.waitFor("child.ready", { where: ({ child }) => child === "packager" }))["childPid"]);
}

for (const { how, signal, ending, more, provoked } of [
  { how: "is killed", signal: "SIGKILL", ending: "mp4", more: "", provoked: ["child.exited"] },
  { how: "hangs", signal: "SIGSTOP", ending: "flv", more: "dolphin { heartbeat_timeout 2; }", provoked: ["child.hung", "child.exited"] },
] as const) {
  test(`packager: one that ${how} in mid-segment is missed by nobody: numbers go on, and every picture is there once`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: confOf(`${hls} ${dvrAs(ending)}`, more) });
    const pid = await packagerPid(dolphin);
    const media = await publishOver(t, dolphin, "s", async () => void process.kill(pid, signal));
    await assertWhole(dolphin, "s", media);
    await assertRecorded(dolphin, `s.${ending}`, media);
    await dolphin.stop({ allow: ({ event }) => provoked.some((one) => one === event) });
  });
}

test("packager: a restart and an upgrade of the box in mid-segment leave lists and recordings whole", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf(`${hls} ${dvrAs("mp4")}`) });
  await packagerPid(dolphin);
  const restarted = await publishOver(t, dolphin, "a", () => Promise.resolve(dolphin.signal("SIGUSR2")));
  await assertWhole(dolphin, "a", restarted);
  const upgraded = await publishOver(t, dolphin, "b", () => dolphin.ask("upgrade"));
  await assertWhole(dolphin, "b", upgraded);
  await assertRecorded(dolphin, "a.mp4", restarted);
  await assertRecorded(dolphin, "b.mp4", upgraded);
  await dolphin.stop();
});

for (const plan of ["single", "b"]) {
  test(`packager: ffmpeg watches a list while it grows, from a box of plan ${plan}`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: confOf(hls, `dolphin { plan ${plan}; }`) });
    await packagerPid(dolphin);
    const media = await makeMedia();
    const source = await publisher(dolphin.rtmpUrl("s"));
    t.after(() => source.close());
    const sent = sendClip(source, media, 2);
    await listOf(dolphin, "s", 2);
    const input = [
      "-v",
      "error",
      "-live_start_index",
      "0",
      "-i",
      httpUrl(dolphin, "/live/s.m3u8"),
      "-t",
      "6",
      "-map",
      "0:v",
      "-f",
      "framemd5",
      "-",
    ];
    const lines = (await run(findFfmpeg(), input, 30_000)).split("\n").filter((line) => line.startsWith("0,"));
    const sums = lines.map((line) => line.split(",").at(-1)!.trim());
    assert.deepEqual(sums, (await clipSums(media)).slice(0, sums.length));
    assert.ok(sums.length >= 145, `${sums.length} pictures`);
    await sent;
    source.close();
    await dolphin.stop();
  });
}

test("packager: segments that nobody needs any more give their files to others, over a kill too, and nobody's bytes change", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf(hls.replace("hls_window 60", "hls_window 4")) });
  const pid = await packagerPid(dolphin);
  const media = repeated(await clip({ seconds: 2, bFrames: 2 }), 14, 2000);
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  const sent = sendClip(source, media, 2).then(() => source.close());
  const folder = `/proc/${dolphin.pid}/cwd/objs/nginx/html/live`;
  const segments: { readonly bytes: Buffer; readonly ino: number; readonly fd: number | null }[] = [];
  t.after(() => segments.forEach(({ fd }) => fd !== null && closeSync(fd)));
  for (let number = 0; number < 28; number++) {
    const path = join(folder, `s-${number}.ts`);
    await eventually(() => existsSync(path), { what: path, timeoutMs: 20_000 });
    const reader = openSync(path, "r");
    const isSlow = number % 3 === 0;
    segments.push({ bytes: readFileSync(path), ino: fstatSync(reader).ino, fd: isSlow ? reader : null });
    if (!isSlow) closeSync(reader);
    if (number === 18) process.kill(pid, "SIGKILL");
  }
  await sent;
  assert.deepEqual(await pictureSums(Buffer.concat(segments.map(({ bytes }) => bytes)), "ts"), await clipSums(media));
  for (const [number, { bytes, fd }] of segments.entries())
    if (fd !== null) assert.ok(readFileSync(fd).equals(bytes), `segment ${number}, which somebody has had open since`);
  const files = new Set(segments.map(({ ino }) => ino)).size;
  if (reuses) assert.ok(files < 26, `${files} files for 28 segments`);
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
});

test("packager: it comes with the first vhost that asks for it, and goes with the last, while streams go on", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf("") });
  const media = await makeMedia();
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  const sent = sendClip(source, media, 1.5);
  assert.equal(
    (await dolphin.status()).processes.some(({ name }) => name === "packager"),
    false,
  );
  await dolphin.reload(confOf(hls));
  await listOf(dolphin, "s", 2);
  await dolphin.reload(confOf(""));
  await eventually(async () => !(await dolphin.status()).processes.some(({ name }) => name === "packager"));
  await sent;
  assert.equal(source.connection.endedBy, null);
  source.close();
  await dolphin.stop();
});
