import assert from "node:assert/strict";
import { closeSync, existsSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DolphinError } from "../../../../src/base/errors.js";
import { withLibc } from "../../../../src/base/libc.js";
import { SegmentFile } from "../../../../src/packager/hls/segment-file.js";
import { maxThreadBytes, threadOf, type FileThread } from "../../../../src/packager/media/file-thread.js";
import { eventually } from "../../../helpers/wait.js";
import { maxAllWriteBehindBytes, reserve } from "../../../../src/packager/media/write-behind.js";
import { temporary } from "../direct.js";
import { stuckThread } from "../stuck-thread.js";

const reuses = (await withLibc(() => true)) === true;

function rig(folder: string, from: string | null = null) {
  const errors: DolphinError[] = [];
  let written = 0;
  const path = join(folder, "live", "s-0.ts.tmp");
  const file = new SegmentFile({
    files: threadOf(folder),
    path,
    from: () => from,
    after: Promise.resolve(),
    onError: (error) => void errors.push(error),
    onWritten: ({ length }) => void (written += length),
  });
  return { file, path, name: path.replace(".tmp", ""), errors, written: () => written };
}

test("segment file: however long it is, it has its name when it is whole, and gives its memory back", async (t) => {
  for (const count of [1, 40]) {
    const { file, path, name, errors, written } = rig(temporary(t));
    const pieces = Array.from({ length: count }, (_, index) => Buffer.alloc(100_000, index + 1));
    for (const piece of pieces) file.append(piece);
    if (count > 1) await eventually(() => existsSync(path), { what: "the first writes" });
    assert.equal(existsSync(name), false);
    assert.equal(await file.finish(name), null);
    assert.ok(readFileSync(name).equals(Buffer.concat(pieces)));
    assert.deepEqual([existsSync(path), errors.length, written(), file.sizeBytes], [false, 0, count * 100_000, count * 100_000]);
  }
});

test(
  "segment file: it is written over one that is not needed any more, longer or shorter, unless somebody has that open",
  { skip: !reuses },
  async (t) => {
    const folder = temporary(t);
    const old = join(folder, "old.ts");
    for (const [oldBytes, isOpen] of [
      [900_000, false],
      [10, false],
      [900_000, true],
    ] as const) {
      writeFileSync(old, Buffer.alloc(oldBytes, 1));
      const { ino } = statSync(old);
      const reader = isOpen ? openSync(old, "r") : null;
      const { file, name, path } = rig(folder, old);
      for (let sent = 0; sent < 6; sent++) file.append(Buffer.alloc(100_000, 2));
      assert.equal(await file.finish(name), null);
      assert.ok(readFileSync(name).equals(Buffer.alloc(600_000, 2)));
      assert.deepEqual([statSync(name).ino === ino, existsSync(old), existsSync(path), file.usedUp], [!isOpen, false, false, old]);
      if (reader === null) continue;
      assert.ok(readFileSync(reader).equals(Buffer.alloc(oldBytes, 1)), "whoever has it open reads it to its end");
      closeSync(reader);
    }
  },
);

test("segment file: where what it was to be made of has gone, or has another name too, a new one is made", async (t) => {
  const folder = temporary(t);
  for (const meddle of [(old: string) => rmSync(old), (old: string) => linkSync(old, `${old}.kept`)]) {
    const old = join(folder, "old.ts");
    writeFileSync(old, "of before");
    meddle(old);
    const { file, name } = rig(folder, old);
    file.append(Buffer.from("new"));
    assert.equal(await file.finish(name), null);
    assert.equal(readFileSync(name, "utf8"), "new");
    assert.equal(existsSync(old), false);
    if (existsSync(`${old}.kept`)) assert.equal(readFileSync(`${old}.kept`, "utf8"), "of before");
  }
});

test("segment file: one that cannot be written is told of once, and there is none", async (t) => {
  const folder = temporary(t);
  const { file, path, name, errors } = rig(folder);
  mkdirSync(path, { recursive: true }); // no file can have its name
  for (let sent = 0; sent < 20; sent++) file.append(Buffer.alloc(100_000));
  assert.equal((await file.finish(name))?.code, "PACK_WRITE");
  assert.deepEqual([errors.length, existsSync(name)], [1, false]);
});

test("segment file: one that somebody deletes while it grows is not whole", async (t) => {
  const { file, path, name, errors } = rig(temporary(t));
  for (let sent = 0; sent < 6; sent++) file.append(Buffer.alloc(100_000));
  await eventually(() => existsSync(path), { what: "the first write" });
  rmSync(path);
  file.append(Buffer.alloc(100_000));
  assert.match((await file.finish(name))?.message ?? "", /ENOENT/);
  assert.equal(errors.length, 1);
});

test("segment file: what is discarded is gone, written or not", async (t) => {
  const { file, path } = rig(temporary(t));
  for (let sent = 0; sent < 8; sent++) file.append(Buffer.alloc(100_000));
  await file.discard();
  assert.equal(existsSync(path), false);
});

test("segment file: segments that wait for a disk that hangs are bounded, and leave room for files of other disks", async (t) => {
  const folder = temporary(t);
  const stuck = await stuckThread(t, folder);
  const sizeBytes = 250_000;
  const segment = (index: number, files: FileThread) => {
    const errors: DolphinError[] = [];
    const path = join(folder, `${index}.tmp`);
    const onError = (error: DolphinError): void => void errors.push(error);
    const file = new SegmentFile({ files, path, from: () => null, after: Promise.resolve(), onError, onWritten: () => undefined });
    file.append(Buffer.from(new SharedArrayBuffer(sizeBytes)));
    return { errors, finished: file.finish(join(folder, `${index}`)) };
  };
  const most = Math.floor(maxThreadBytes / sizeBytes);
  const all = Array.from({ length: most + 10 }, (_, index) => segment(index, stuck.files));
  const other = segment(all.length, threadOf(folder));
  assert.equal(await other.finished, null);
  assert.equal(all.filter(({ errors }) => errors.length > 0).length, 10);
  assert.match(all.at(-1)!.errors[0]!.message, /the disk is behind/);
  stuck.letGo();
  const ends = await Promise.all(all.map(({ finished }) => finished));
  assert.equal(ends.filter((end) => end === null).length, most);
  const free = reserve(maxAllWriteBehindBytes);
  assert.ok(free, "nothing waits any more");
  free();
});
