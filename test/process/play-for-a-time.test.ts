// Players that want a part of a live stream: rtmpdump with --stop gets that much and ends by itself, and ffmpeg with -ss, which waits
// for an answer, plays on from now.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { start } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findFfmpeg, probe, publish } from "../helpers/ffmpeg.js";
import { findRtmpdump } from "../helpers/rtmpdump.js";
import { within } from "../helpers/wait.js";

const rtmpdump = await findRtmpdump();
const options = typeof rtmpdump === "string" ? { skip: rtmpdump } : {};
const wantedMs = 3000;

for (const plan of ["a", "b"]) {
  void test(`plan ${plan}: rtmpdump --stop ${wantedMs / 1000} gets that much of a stream, and ends by itself`, options, async (t) => {
    if (typeof rtmpdump === "string") throw new Error(rtmpdump);
    const folder = mkdtempSync(join(tmpdir(), "dolphin-dump-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const dolphin = await Dolphin.start(t, { args: ["--plan", plan] });
    const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 60 });
    t.after(() => encoder.stop());
    await encoder.started;
    const file = join(folder, "part.flv");
    const player = rtmpdump("-q", "-v", "-r", dolphin.rtmpUrl("s"), "--stop", String(wantedMs / 1000), "-o", file);
    t.after(() => player.stop("SIGKILL"));
    const { code } = await within(player.ended, 15_000, () => `the end of rtmpdump: ${player.output()}`);
    assert.equal(code, 0, player.output());
    const times = (await probe(file)).packets.map(({ dtsMs }) => dtsMs);
    const lengthMs = Math.max(...times) - Math.min(...times);
    assert.ok(lengthMs <= wantedMs && lengthMs > wantedMs - 200, `${lengthMs} ms`);
    await encoder.stop();
    await dolphin.stop();
  });
}

void test("ffmpeg that seeks in a live stream gets what comes", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-seek-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const dolphin = await Dolphin.start(t);
  const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 60 });
  t.after(() => encoder.stop());
  await encoder.started;
  const file = join(folder, "part.flv");
  const player = start(findFfmpeg(), ["-y", "-v", "error", "-ss", "1", "-i", dolphin.rtmpUrl("s"), "-t", "2", "-c", "copy", file]);
  t.after(() => player.stop("SIGKILL"));
  const { code } = await within(player.ended, 15_000, () => `the end of ffmpeg: ${player.output()}`);
  assert.equal(code, 0, player.output());
  // Two seconds less what ffmpeg leaves out in front, up to a group of pictures more or less: that goes by when it has come.
  assert.ok((await probe(file)).packets.length > 10);
  await encoder.stop();
  await dolphin.stop();
});
