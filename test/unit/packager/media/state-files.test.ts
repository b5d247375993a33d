import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { threadOf } from "../../../../src/packager/media/file-thread.js";
import { StateFiles } from "../../../../src/packager/media/state-files.js";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-states-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "states");
}

const files = threadOf("states");

const onlyFile = (folder: string): string => {
  const names = readdirSync(folder);
  assert.equal(names.length, 1, names.join(" "));
  return join(folder, names[0]!);
};

test("state files: of what was added the last counts, for whoever comes next too", async (t) => {
  const folder = folderOf(t);
  const states = new StateFiles(folder);
  for (let number = 0; number < 3; number++) await states.add(files, "a", { number });
  assert.deepEqual(await states.load("a"), { number: 2 });
  assert.deepEqual(await new StateFiles(folder).all(() => false), [{ number: 2 }]);
  await states.release("a");
  await states.add(files, "a", { number: 3 });
  await states.save("a", { number: 4 });
  assert.equal(readFileSync(onlyFile(folder), "utf8"), '{"number":4}');
  await states.release("a");
});

test("state files: a line that was cut off leaves the one before, and what is added next is read", async (t) => {
  const folder = folderOf(t);
  const dead = new StateFiles(folder);
  await dead.add(files, "a", { number: 1 });
  appendFileSync(onlyFile(folder), '{"number":2,"mo');
  const states = new StateFiles(folder);
  assert.deepEqual(await states.load("a"), { number: 1 });
  await states.add(files, "a", { number: 3 });
  assert.deepEqual(await states.load("a"), { number: 3 });
  await Promise.all([dead.release("a"), states.release("a")]);
});

test("state files: of rows that come and go a line has what changed, and what they come to is read", async (t) => {
  const folder = folderOf(t);
  const states = new StateFiles(folder);
  const [a, b, c, d] = ["aa", "bb", "cc", "dd"].map((name) => ({ name }));
  const rows = [[], [a], [a, b], [b, c], [c], [c, d, a], [b], [d, b], [d, b], [b, d], []];
  let bytes = 0;
  for (const [count, row] of rows.entries()) {
    await states.add(files, "rows", { count, row });
    const text = readFileSync(onlyFile(folder), "utf8");
    if (count === 2) assert.doesNotMatch(text.slice(bytes), /aa/);
    bytes = text.length;
    assert.deepEqual(await states.load("rows"), { count, row });
  }
  await states.release("rows");
});

test("state files: whole lines are read, and none behind one that is none", async (t) => {
  const folder = folderOf(t);
  const states = new StateFiles(folder);
  await states.save("a", { row: [1, 2], more: 1 });
  writeFileSync(onlyFile(folder), '{"row":[1,2],"more":1}\n{"row":[2,3]}\n{"row":{"left":1,"came":[4]}}\n');
  assert.deepEqual(await states.load("a"), { row: [3, 4] });
  appendFileSync(onlyFile(folder), '{"ro\n{"row":{"left":2,"came":[]}}\n');
  assert.deepEqual(await states.load("a"), { row: [3, 4] });
});

test("state files: what is added does not grow without end", async (t) => {
  const folder = folderOf(t);
  const states = new StateFiles(folder);
  const filling = "x".repeat(20_000);
  for (let number = 0; number < 40; number++) await states.add(files, "a", { number, filling });
  assert.ok(readFileSync(onlyFile(folder)).length <= 256 << 10);
  assert.deepEqual(await states.load("a"), { number: 39, filling });
  await states.release("a");
});
