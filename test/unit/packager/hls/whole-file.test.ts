import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { withLibc } from "../../../../src/base/libc.js";
import { replaceText } from "../../../../src/packager/hls/whole-file.js";
import { spareOf } from "../../../../src/packager/media/file-work.js";

const isSwapped = (await withLibc(() => true)) === true;
const inode = (path: string): number => statSync(path).ino;

function listIn(t: TestContext): { readonly folder: string; readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-list-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, path: join(folder, "live", "s.m3u8") };
}

test("replaced text: two files take turns, in folders that are made, and each text is whole", async (t) => {
  const { path } = listIn(t);
  const inodes: number[] = [];
  for (const text of ["first", "the second, which is longer", "3", "the fourth one", ""]) {
    await replaceText(path, text);
    assert.equal(readFileSync(path, "utf8"), text);
    inodes.push(inode(path));
  }
  if (isSwapped) assert.deepEqual([inodes[2], inodes[3], inodes[4]], [inodes[0], inodes[1], inodes[0]]);
});

test("replaced text: who has a text open reads it to its end while the next one comes; of a long one, whatever comes", async (t) => {
  const { path } = listIn(t);
  const long = "x".repeat(20_000);
  for (const [text, later] of [
    ["before", ["one"]],
    [long, ["one", "two", long.replaceAll("x", "y"), "three"]],
  ] as const) {
    await replaceText(path, "there was one already");
    await replaceText(path, text);
    const fd = openSync(path, "r");
    for (const next of later) await replaceText(path, next);
    assert.ok(readFileSync(fd, "utf8") === text);
    closeSync(fd);
  }
});

test("replaced text: whatever somebody does to its files meanwhile, the next text is there", async (t) => {
  const { folder, path } = listIn(t);
  for (let round = 0; round < 3; round++) await replaceText(path, `round ${round}`);
  const meddling: readonly (() => void)[] = [
    () => rmSync(path),
    () => rmSync(spareOf(path), { force: true }),
    () => rmSync(join(folder, "live"), { recursive: true }),
    () => writeFileSync(path, "of another, and longer than any of ours"),
    () => writeFileSync(spareOf(path), "left by one who was killed, and longer than any of ours"),
  ];
  for (const meddle of meddling)
    for (const text of ["a text", "another one", "a third"]) {
      if (text === "a text") meddle();
      await replaceText(path, text);
      assert.equal(readFileSync(path, "utf8"), text);
    }
});

test("replaced text: what cannot be written is told with its place, and nothing is left beside it", async (t) => {
  const { folder } = listIn(t);
  writeFileSync(join(folder, "live"), "no folder");
  await assert.rejects(replaceText(join(folder, "live", "s.m3u8"), "text"), { code: "PACK_WRITE", message: /s\.m3u8: / });
  assert.deepEqual(readdirSync(folder), ["live"]);
});
