// Files on a disk that takes nothing: a pipe that nobody reads stands for it.
import assert from "node:assert/strict";
import { closeSync, constants, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { DolphinError } from "../../../../src/base/errors.js";
import { FileWriter } from "../../../../src/packager/dvr/file-writer.js";
import { maxAllWriteBehindBytes, maxWriteBehindBytes, reserve } from "../../../../src/packager/media/write-behind.js";
import { run } from "../../../helpers/child.js";
import { temporary } from "../direct.js";

const piece = Buffer.alloc(1 << 20);

/** A file of which nothing is written until the test lets go of it. */
async function stuck(t: TestContext, folder: string, name: string, errors: DolphinError[]) {
  const path = join(folder, name);
  await run("mkfifo", [path], 5000);
  const reader = openSync(path, constants.O_RDWR);
  const writer = new FileWriter(path, (error) => void errors.push(error));
  await writer.written(); // it is open: without a reader that would wait for one
  let isLeft = false;
  const letGo = async (): Promise<void> => {
    if (!isLeft) closeSync(reader); // whoever writes is told that nobody reads
    isLeft = true;
    await writer.close();
  };
  t.after(letGo);
  return { writer, letGo };
}

test("file-writer: a file that waits for its disk with more than it may is given up, and costs no memory any more", async (t) => {
  const errors: DolphinError[] = [];
  const { writer, letGo } = await stuck(t, temporary(t), "one", errors);
  for (let sent = 0; sent <= maxWriteBehindBytes; sent += piece.length) writer.append(piece);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["PACK_SLOW"],
  );
  writer.append(piece);
  assert.equal(errors.length, 1, "told once");
  const free = reserve(maxAllWriteBehindBytes - piece.length);
  assert.ok(free, "all but what is being written");
  free();
  await letGo();
  const all = reserve(maxAllWriteBehindBytes);
  assert.ok(all, "that too");
  all();
});

test("file-writer: a file that somebody has deleted has failed when it is written down", async (t) => {
  const path = join(temporary(t), "one");
  const errors: DolphinError[] = [];
  const writer = new FileWriter(path, (error) => void errors.push(error));
  writer.append(piece);
  await writer.sync();
  assert.deepEqual(errors, []);
  rmSync(path);
  writer.append(piece);
  const ended = [writer.sync(), writer.close()]; // it is looked at before it is closed
  await Promise.all(ended);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["PACK_WRITE"],
  );
});

test("file-writer: of many files on slow disks the one that waits with most is given up, and others go on", async (t) => {
  const folder = temporary(t);
  const errors: DolphinError[] = [];
  const most = maxWriteBehindBytes / piece.length;
  const release = reserve(maxAllWriteBehindBytes - 2 * maxWriteBehindBytes);
  assert.ok(release, "what waits elsewhere counts");
  t.after(release);
  const [first, second] = [await stuck(t, folder, "one", errors), await stuck(t, folder, "other", errors)];
  const [one, other] = [first.writer, second.writer];
  for (let sent = 0; sent < most - 1; sent++) one.append(piece);
  for (let sent = 0; sent < most - 2; sent++) other.append(piece);
  assert.equal(errors.length, 0);
  const last = new FileWriter(join(folder, "last"), (error) => void errors.push(error));
  for (let sent = 0; sent < 4; sent++) last.append(piece);
  assert.equal(reserve(maxAllWriteBehindBytes), null);
  assert.deepEqual([one.hasFailed, other.hasFailed, last.hasFailed], [true, false, false]);
  assert.match(errors[0]!.message, /in all/);
  await first.letGo();
  await second.letGo();
  await last.close();
  assert.equal(readFileSync(join(folder, "last")).length, 4 * piece.length);
});

test("file-writer: a file that gets its name while it is synced is whole", async (t) => {
  const folder = temporary(t);
  const errors: DolphinError[] = [];
  for (let at = 0; at < 50; at++) {
    const writer = new FileWriter(join(folder, `${at}.tmp`), (error) => void errors.push(error));
    writer.append(piece.subarray(0, 1000));
    await writer.written();
    await Promise.all([writer.sync(), writer.close().then(() => renameSync(join(folder, `${at}.tmp`), join(folder, `${at}`)))]);
  }
  assert.equal(errors.length, 0);
});
