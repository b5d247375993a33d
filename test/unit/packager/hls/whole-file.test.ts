import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { withLibc } from "../../../../src/base/libc.js";
import { replaceText } from "../../../../src/packager/hls/whole-file.js";
import { threadOf } from "../../../../src/packager/media/file-thread.js";
import { spareOf } from "../../../../src/packager/media/file-work.js";
import { pair, read } from "../../socket-pair.js";

const files = threadOf("lists");
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
  for (const text of ["first", "the second, which is longer", "3", "the fourth one"]) {
    await replaceText(files, path, text);
    assert.equal(readFileSync(path, "utf8"), text);
    inodes.push(inode(path));
  }
  if (isSwapped) assert.deepEqual([inodes[2], inodes[3]], [inodes[0], inodes[1]]);
});

test("replaced text: who has a text open reads it to its end, however many come meanwhile", async (t) => {
  const { path } = listIn(t);
  const long = "x".repeat(20_000);
  for (const text of ["a short one", long]) {
    await replaceText(files, path, "there was one already");
    await replaceText(files, path, text);
    const fd = openSync(path, "r");
    for (const next of ["one", "two", long.replaceAll("x", "y"), "three"]) await replaceText(files, path, next);
    assert.ok(readFileSync(fd, "utf8") === text);
    closeSync(fd);
  }
});

test("replaced text: one that somebody has open is not written over, and as soon as nobody has it is", { skip: !isSwapped }, async (t) => {
  const { path } = listIn(t);
  for (const text of ["one", "two"]) await replaceText(files, path, text);
  const fd = openSync(spareOf(path), "r");
  await replaceText(files, path, "three");
  assert.equal(readFileSync(fd, "utf8"), "one");
  closeSync(fd);
  const spare = inode(spareOf(path));
  await replaceText(files, path, "four");
  assert.deepEqual([inode(path), readFileSync(path, "utf8")], [spare, "four"]);
});

test("replaced text: what a socket still has of one by sendfile stays as it was", { skip: !isSwapped }, async (t) => {
  const { path } = listIn(t);
  const sendfile = (await withLibc((libc) =>
    libc.func<(to: number, from: number, at: null, bytes: number) => number>("intptr_t sendfile(int, int, void *, size_t)"),
  ))!;
  const { fd, reader } = await pair(t);
  const long = "x".repeat(20_000);
  for (const text of ["one", long]) await replaceText(files, path, text);
  const from = openSync(path, "r");
  assert.equal(sendfile(fd, from, null, long.length), long.length);
  closeSync(from);
  for (const next of ["two", long.replaceAll("x", "y"), "three"]) await replaceText(files, path, next);
  assert.ok((await read(reader, long.length)).toString() === long);
});

test("replaced text: nothing is written through a link that somebody puts in its way, nor waits for a pipe", async (t) => {
  const { folder, path } = listIn(t);
  const other = join(folder, "other");
  writeFileSync(other, "of somebody else");
  for (const text of ["one", "two"]) await replaceText(files, path, text);
  const ways: readonly (() => void)[] = [
    () => symlinkSync(other, spareOf(path)),
    () => linkSync(other, spareOf(path)),
    () => execFileSync("mkfifo", [spareOf(path)]),
  ];
  for (const [index, put] of ways.entries()) {
    rmSync(spareOf(path), { force: true });
    put();
    await replaceText(files, path, `text ${index}`);
    assert.equal(readFileSync(path, "utf8"), `text ${index}`);
    assert.ok(lstatSync(path).isFile());
    assert.equal(readFileSync(other, "utf8"), "of somebody else");
  }
});

test("replaced text: whatever somebody does to its files meanwhile, the next text is there", async (t) => {
  const { folder, path } = listIn(t);
  for (let round = 0; round < 3; round++) await replaceText(files, path, `round ${round}`);
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
      await replaceText(files, path, text);
      assert.equal(readFileSync(path, "utf8"), text);
    }
});

test("replaced text: what cannot be written is told with its place, and nothing is left beside it", async (t) => {
  const { folder } = listIn(t);
  writeFileSync(join(folder, "live"), "no folder");
  await assert.rejects(replaceText(files, join(folder, "live", "s.m3u8"), "text"), { code: "PACK_WRITE", message: /s\.m3u8: / });
  assert.deepEqual(readdirSync(folder), ["live"]);
});
