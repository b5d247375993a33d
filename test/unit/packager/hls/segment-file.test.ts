import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DolphinError } from "../../../../src/base/errors.js";
import { SegmentFile } from "../../../../src/packager/hls/segment-file.js";
import { eventually } from "../../../helpers/wait.js";
import { temporary } from "../direct.js";

function rig(folder: string) {
  const errors: DolphinError[] = [];
  let written = 0;
  const path = join(folder, "live", "s-0.ts.tmp");
  const file = new SegmentFile({
    path,
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
    await file.finish(name);
    assert.ok(readFileSync(name).equals(Buffer.concat(pieces)));
    assert.deepEqual([existsSync(path), errors.length, written(), file.sizeBytes], [false, 0, count * 100_000, count * 100_000]);
  }
});

test("segment file: one that cannot be written is told of once, and there is none", async (t) => {
  const folder = temporary(t);
  const { file, path, name, errors } = rig(folder);
  mkdirSync(path, { recursive: true }); // no file can have its name
  for (let sent = 0; sent < 20; sent++) file.append(Buffer.alloc(100_000));
  await assert.rejects(file.finish(name), { code: "PACK_WRITE" });
  assert.deepEqual([errors.length, existsSync(name)], [1, false]);
});

test("segment file: one that somebody deletes while it grows is not whole", async (t) => {
  const { file, path, name, errors } = rig(temporary(t));
  for (let sent = 0; sent < 6; sent++) file.append(Buffer.alloc(100_000));
  await eventually(() => existsSync(path), { what: "the first write" });
  rmSync(path);
  file.append(Buffer.alloc(100_000));
  await assert.rejects(file.finish(name), { code: "PACK_WRITE", message: /ENOENT/ });
  assert.equal(errors.length, 1);
});

test("segment file: what is discarded is gone, written or not", async (t) => {
  const { file, path } = rig(temporary(t));
  for (let sent = 0; sent < 8; sent++) file.append(Buffer.alloc(100_000));
  await file.discard();
  assert.equal(existsSync(path), false);
});
