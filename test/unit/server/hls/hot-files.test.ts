import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { eventually } from "../../../helpers/wait.js";
import { HotFiles, maxHotBytes, type FileSource } from "../../../../src/server/hls/hot-files.js";

interface Place extends FileSource {
  readonly path: string;
  /** How often it was looked at. */
  looks: number;
  /** How often it was opened. */
  opened: number;
}

function etagOf(path: string): string | null {
  const { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { size: null, mtimeMs: 0 };
  return size === null ? null : `"${mtimeMs}-${size}"`;
}

function place(t: TestContext, name = "s.ts"): Place {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-hot-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  const made: Place = {
    path,
    looks: 0,
    opened: 0,
    async etag() {
      made.looks += 1;
      return etagOf(path);
    },
    async open() {
      made.opened += 1;
      const handle = await open(path).catch(() => null);
      if (handle === null) return null;
      const { size, mtimeMs } = statSync(path);
      return { handle, file: { etag: etagOf(path)!, modifiedMs: mtimeMs, sizeBytes: size } };
    },
  };
  return made;
}

test("hot files: who asks while a file is read gets the same memory from one reading", async (t) => {
  const hot = new HotFiles();
  const file = place(t);
  writeFileSync(file.path, "media");
  const all = await Promise.all(Array.from({ length: 50 }, () => hot.get("a", file)));
  assert.equal(file.opened, 1);
  assert.ok(all.every((one) => one?.bytes === all[0]?.bytes));
  assert.equal(all[0]?.bytes.toString(), "media");
});

test("hot files: a file that has not changed is not read again, and one that has is", async (t) => {
  const hot = new HotFiles();
  const file = place(t);
  writeFileSync(file.path, "one");
  const before = await hot.get("a", file);
  assert.equal((await hot.get("a", file, true))?.bytes, before?.bytes);
  assert.deepEqual([file.looks, file.opened], [2, 1], "its name is enough");
  writeFileSync(file.path, "two");
  utimesSync(file.path, 1, 1);
  assert.equal((await hot.get("a", file, true))?.bytes.toString(), "two");
});

test("hot files: a segment that was looked at lately is known without another look, and nothing else is", async (t) => {
  const hot = new HotFiles();
  const file = place(t);
  writeFileSync(file.path, "media");
  assert.equal(hot.known("s.ts"), null);
  const found = await hot.get("s.ts", file);
  assert.equal(hot.known("s.ts"), found);
  assert.equal(hot.known("other.ts"), null);
});

test("hot files: a segment is known for a moment longer, while one looks whether it is still there", async (t) => {
  const hot = new HotFiles();
  const file = place(t);
  writeFileSync(file.path, "media");
  const found = await hot.get("s.ts", file);
  const atMs = performance.now();
  let laterMs = 1_100;
  t.mock.method(performance, "now", () => atMs + laterMs);
  rmSync(file.path);
  assert.equal(hot.known("s.ts"), found);
  await eventually(() => hot.known("s.ts") === null, { what: "the look that finds nothing" });
  writeFileSync(file.path, "media");
  assert.notEqual(await hot.get("s.ts", file), null);
  laterMs += 2_100;
  assert.equal(hot.known("s.ts"), null);
});

test("hot files: the system's copy of a file counts as memory, and ends with the file", async (t) => {
  const copies = new Set<number>();
  let made = 0;
  const hot = new HotFiles(() => {
    const number = made++;
    copies.add(number);
    return { send: () => 0, close: () => void copies.delete(number) };
  });
  const file = place(t);
  writeFileSync(file.path, "short");
  assert.equal((await hot.get("short.ts", file))?.copy, undefined);
  writeFileSync(file.path, Buffer.alloc(maxHotBytes / 8));
  for (const key of ["a", "b", "c", "d"]) await hot.get(key, file);
  assert.equal(copies.size, 4);
  await hot.get("e", file);
  assert.deepEqual([...copies], [1, 2, 3, 4]);
  utimesSync(file.path, 1, 1);
  await hot.get("e", file, true);
  assert.deepEqual([...copies], [1, 2, 3, 5], "another version has a copy of its own");
});

test("hot files: all who wait for another version are told of it by one look", async (t) => {
  const hot = new HotFiles();
  const file = place(t);
  const waiting = Array.from({ length: 50 }, () => hot.change("a", file, null));
  writeFileSync(file.path, "there");
  const found = await Promise.all(waiting);
  assert.ok(found.every((one) => one?.bytes.toString() === "there"));
  assert.ok(file.opened < 25, `${file.opened} looks`);
});

test("hot files: memory is bounded, and what was asked for least lately goes first", async (t) => {
  const hot = new HotFiles();
  const file = place(t);
  const sizeBytes = maxHotBytes / 4;
  writeFileSync(file.path, Buffer.alloc(sizeBytes));
  for (const key of ["a", "b", "c", "d"]) await hot.get(key, file);
  await hot.get("a", file);
  await hot.get("e", file);
  const first = await hot.get("a", file, true);
  const again = await hot.get("a", file, true);
  assert.equal(first?.bytes, again?.bytes);
  const gone = await hot.get("b", file);
  assert.equal(gone?.sizeBytes, sizeBytes);
});

test("hot files: a file that changes while it is read is read again", async (t) => {
  const hot = new HotFiles();
  const file = place(t, "s.m3u8");
  writeFileSync(file.path, "the list before, which is long");
  const before = file.open.bind(file);
  file.open = async () => {
    const opened = await before();
    if (file.opened === 1) {
      writeFileSync(file.path, "the next");
      utimesSync(file.path, 1, 1);
    }
    return opened;
  };
  assert.equal((await hot.get("a", file))?.bytes.toString(), "the next");
});
