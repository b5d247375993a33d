// Recordings against a real server: what operators order, files that are added to, and disks that fail.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RecordingReport } from "../../../../src/ipc/lists.js";
import { clip, decode } from "../../../helpers/clips.js";
import { clipSums, pictureSums, repeated, sendClip } from "../../../helpers/packages.js";
import { publisher } from "../../../helpers/rtmp-client.js";
import { eventually } from "../../../helpers/wait.js";
import { startBox, type Box } from "../box.js";
import { dvrOf, temporary, write } from "../direct.js";

const dvr =
  (inside: string, more = "") =>
  (folder: string): string =>
    `dvr { enabled on; dvr_path ${folder}/${inside}; ${more} }`;

async function recordingsOf({ packager }: Box): Promise<RecordingReport[]> {
  return JSON.parse(`[${(await packager.list("recordings")).rows}]`) as RecordingReport[];
}

test("dvr: plan append adds each publish to one file, which plays through", async (t) => {
  const media = await clip({ seconds: 2 });
  const box = await startBox(t, dvr("[stream].flv", "dvr_plan append;"));
  for (const times of [1, 2]) {
    const source = await publisher(box.rtmpUrl("s"));
    await sendClip(source, media, 12);
    source.close();
    await eventually(() => box.told.filter(({ event }) => event === "dvr.finished").length === times, { what: `${times} publishes` });
  }
  assert.deepEqual(
    readdirSync(box.folder).filter((name) => name !== "states"),
    ["s.flv"],
  );
  const sums = await clipSums(media);
  assert.deepEqual(await pictureSums(readFileSync(join(box.folder, "s.flv")), "flv"), [...sums, ...sums]);
  const [recording, ...others] = await recordingsOf(box);
  assert.deepEqual([recording?.state, others], ["finished", []]);
  assert.ok(Math.abs((recording?.durationMs ?? 0) - 4000) < 150, String(recording?.durationMs));
});

test("dvr: where a file stands in the place of its folder a recording fails with one line", { timeout: 20_000 }, async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, "rec"), "");
  const box = await dvrOf(t, "rec/s.flv", "", folder);
  await write(box, await clip({ seconds: 1 }));
  assert.deepEqual(
    box.told.map(({ event }) => event),
    ["dvr.failed"],
  );
  assert.deepEqual(box.finished, []);
});

for (const ending of ["flv", "mp4"])
  test(`dvr: sound alone is in its recordings from the first frame to the last, as ${ending}, over their ends too`, async (t) => {
    const media = repeated(await clip({ seconds: 2, video: "none" }), 4, 2000);
    const box = await dvrOf(t, `[stream]-[timestamp].${ending}`, "dvr_plan segment; dvr_duration 3;");
    await write(box, media);
    assert.equal(box.finished.length, 3);
    const counts = await Promise.all(box.finished.map(({ path }) => decode(readFileSync(path), ending)));
    const frames = media.filter(({ payload }) => payload[1] === 1).length;
    assert.equal(
      counts.reduce((sum, { aac = 0 }) => sum + aac, 0),
      frames,
    );
  });

test("dvr: a live stream is recorded from when an operator says so until he says otherwise, over the packager's replacement too", async (t) => {
  const media = await clip({ seconds: 8 });
  const box = await startBox(t, dvr("[stream].[timestamp].flv", "dvr_apply other/*;"));
  assert.equal(await box.packager.record("__defaultVhost__/live/s", true), undefined, "nobody publishes it");
  const source = await publisher(box.rtmpUrl("s"));
  const sent = sendClip(source, media, 2);
  await eventually(async () => (await box.packager.record("__defaultVhost__/live/s", true)) === null);
  await eventually(async () => (await recordingsOf(box)).some(({ state, sizeBytes }) => state === "recording" && sizeBytes > 0));
  await box.replace();
  await eventually(async () => (await recordingsOf(box)).some(({ state }) => state === "recording"));
  await eventually(async () => (await box.packager.record("__defaultVhost__/live/s", false)) === null);
  await eventually(async () => (await recordingsOf(box)).every(({ state }) => state === "finished"));
  assert.equal((await recordingsOf(box)).length, 1);
  await sent;
  source.close();
});

test("dvr: a folder that vanishes, or may not be written to, costs the file and one line; the stream goes on, and so does recording", async (t) => {
  const media = await clip({ seconds: 2 });
  const box = await startBox(t, dvr("rec/[stream]-[timestamp].flv"));
  mkdirSync(join(box.folder, "rec"));
  if (process.getuid?.() === 0) rmSync(join(box.folder, "rec"), { recursive: true });
  else chmodSync(join(box.folder, "rec"), 0o500);
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 4, 0, media.length / 2);
  rmSync(join(box.folder, "rec"), { recursive: true, force: true });
  await sendClip(source, media, 4, media.length / 2);
  assert.equal(source.connection.endedBy, null);
  source.close();
  await eventually(() => box.told.some(({ event }) => event === "package.ended"));
  assert.ok(box.told.filter(({ event }) => event === "dvr.failed").length <= 1);
  const again = await publisher(box.rtmpUrl("t"));
  await sendClip(again, media, 8);
  again.close();
  await eventually(
    () => existsSync(join(box.folder, "rec")) && readdirSync(join(box.folder, "rec")).some((name) => /^t-\d+\.flv$/.test(name)),
  );
});

test("dvr: less room than dvr_min_free records nothing and tells once; the stream goes on", async (t) => {
  const media = await clip({ seconds: 2 });
  const box = await startBox(t, dvr("[stream].flv"), "dolphin { dvr_min_free 1000000; }");
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 4);
  const failed = await eventually(() => box.told.find(({ event }) => event === "dvr.failed"));
  assert.equal(failed.code, "PACK_FULL");
  assert.equal(source.connection.endedBy, null);
  source.close();
  await eventually(() => box.told.some(({ event }) => event === "package.ended"));
  assert.equal(existsSync(join(box.folder, "s.flv")), false);
});
