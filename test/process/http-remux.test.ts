// HTTP-TS, AAC and MP3 from a real box: what ffmpeg makes of them, and that every viewer's bytes are whole whenever he comes, also where
// the process that serves him dies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run, start } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findFfmpeg, publish } from "../helpers/ffmpeg.js";
import { clipSums, repeated, sendClip } from "../helpers/packages.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually, within } from "../helpers/wait.js";

const mounts = ["flv", "ts", "aac", "mp3"].map((ending) => `[vhost]/[app]/[stream].${ending}`).join(" ");
const conf = `listen 1935; http_server { enabled on; listen 8080; } vhost __defaultVhost__ { publish { normal_timeout 60000; } http_remux { enabled on; mount ${mounts}; } }`;
const packetBytes = 188;

function urlOf(dolphin: Dolphin, ending: string): string {
  return dolphin.flvUrl("s").replace(/\.flv$/, `.${ending}`);
}

/** Takes so many bytes of an answer, or what there is of it. */
async function take(url: string, bytes: number): Promise<Buffer> {
  const leave = new AbortController();
  const response = await fetch(url, { signal: leave.signal });
  assert.equal(response.headers.get("content-type"), "video/mp2t");
  const parts: Uint8Array[] = [];
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    if (parts.reduce((sum, { length }) => sum + length, 0) >= bytes) break;
  }
  leave.abort();
  return Buffer.concat(parts);
}

/** The places where a counter does not follow the one before. */
function gapsIn(ts: Buffer): string[] {
  const counters = new Map<number, number>();
  const gaps: string[] = [];
  for (let at = 0; at + packetBytes <= ts.length; at += packetBytes) {
    assert.equal(ts[at], 0x47, `a packet at ${at}`);
    const pid = ts.readUInt16BE(at + 1) & 0x1fff;
    const counter = ts[at + 3]! & 15;
    const before = counters.get(pid);
    if (before !== undefined && counter !== ((before + 1) & 15)) gaps.push(`${pid}: ${before} → ${counter} at ${at}`);
    counters.set(pid, counter);
  }
  return gaps;
}

test("http_remux: each mount gives what its ending says; viewers of HTTP-TS who come at any moment get every packet in its order", async (t) => {
  const dolphin = await Dolphin.start(t, { conf });
  const source = publish(dolphin.rtmpUrl("s"), { seconds: 20 });
  t.after(() => source.stop());
  await source.started;
  const decoded = async (ending: string): Promise<string> =>
    run(findFfmpeg(), ["-v", "warning", "-i", urlOf(dolphin, ending), "-t", "2", "-f", "framemd5", "-"], 20_000);
  const late = [0, 90, 170, 260].map(async (ms) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return take(urlOf(dolphin, "ts"), 150_000);
  });
  const [ts, aac, viewers] = await Promise.all([decoded("ts"), decoded("aac"), Promise.all(late)]);
  for (const viewer of viewers) assert.deepEqual(gapsIn(viewer), []);
  const linesOf = (text: string, track: number): number => text.split("\n").filter((line) => line.startsWith(`${track},`)).length;
  assert.ok(linesOf(ts, 0) >= 45 && linesOf(ts, 1) >= 80, ts);
  assert.ok(linesOf(aac, 0) >= 80 && linesOf(aac, 1) === 0, aac);
  await source.stop();
  await dolphin.stop();
});

test("http_remux: MP3 is what an .mp3 mount gives, and in HTTP-TS too", async (t) => {
  const dolphin = await Dolphin.start(t, { conf });
  const source = publish(dolphin.rtmpUrl("s"), { seconds: 20, video: "none", audio: "mp3" });
  t.after(() => source.stop());
  await source.started;
  for (const ending of ["mp3", "ts"]) {
    const text = await run(findFfmpeg(), ["-v", "error", "-i", urlOf(dolphin, ending), "-t", "1", "-f", "framecrc", "-"], 20_000);
    assert.ok(text.split("\n").filter((line) => line.startsWith("0,")).length >= 30, `${ending}: ${text}`);
  }
  await source.stop();
  await dolphin.stop();
});

test("http_remux: a viewer of HTTP-TS goes on where he was when his edge is killed, and misses no picture", async (t) => {
  const dolphin = await Dolphin.start(t, { conf, cores: 1 });
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  const media = repeated(await clip({ seconds: 2 }), 3, 2000);
  const sums: string[] = [];
  const words = [
    "-nostdin",
    "-v",
    "error",
    "-analyzeduration",
    "500000",
    "-i",
    urlOf(dolphin, "ts"),
    "-map",
    "0:v",
    "-t",
    "5",
    "-vsync",
    "0",
    "-f",
    "framemd5",
    "-",
  ];
  const player = start(findFfmpeg(), words, {
    onLine: (line, from) => void (from === "stdout" && line.startsWith("0,") && sums.push(line.split(",").at(-1)!.trim())),
  });
  t.after(async () => void (await player.stop("SIGKILL")));
  await dolphin.waitFor("play.started");
  const [middle = 0, nextKey = 0] = [2500, 2900].map((ms) => media.findIndex(({ timestamp }) => timestamp > ms));
  await sendClip(source, media, 1, 0, middle);
  await eventually(() => sums.length > 51, { what: "a picture of the third second" });
  const from = dolphin.logLength;
  process.kill(dolphin.pidOf("edge-1"), "SIGKILL");
  // What is sent while there is no edge; an heir that comes behind the next key frame would begin with that.
  await sendClip(source, media, 4, middle, nextKey);
  await dolphin.waitFor("pull.started", { from });
  await sendClip(source, media, 1, nextKey);
  source.close();
  assert.equal((await within(player.ended, 20_000, "the end of ffmpeg")).code, 0, player.output());
  assert.deepEqual(sums, (await clipSums(media)).slice(0, sums.length));
  assert.ok(sums.length >= 120, String(sums.length));
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
});
