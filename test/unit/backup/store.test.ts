import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { segmentId } from "../../../src/backup/names.js";
import { sha256Of, Store } from "../../../src/backup/store.js";
import { temporaryFolder } from "../../helpers/launch.js";

const bytesOf = (fill: number): Buffer => Buffer.alloc(1000, fill);
const idOf = (fill: number): string => segmentId("a", 1, fill, sha256Of(bytesOf(fill)));
const all = (): boolean => true;

async function open(folder: string, { memoryBytes = 2500, diskBytes = 1e6, errors = [] as unknown[] } = {}): Promise<Store> {
  return Store.open({ folder, memoryBytes, diskBytes, onError: (error) => errors.push(error) }, all);
}

test("store: the newest are in memory up to its bound, the others come from the disk", async (t) => {
  const store = await open(temporaryFolder(t));
  for (const fill of [1, 2, 3, 4]) await store.put(idOf(fill), bytesOf(fill));
  assert.equal(store.memoryBytes, 2000);
  assert.equal(store.diskBytes, 4000);
  for (const fill of [1, 2, 3, 4]) assert.deepEqual(await store.read(idOf(fill)), bytesOf(fill));
  assert.ok(store.memoryBytes <= 2500);
});

test("store: what a process before left is found, but for what nobody needs and what it had not finished", async (t) => {
  const folder = temporaryFolder(t);
  const store = await open(folder);
  for (const fill of [1, 2]) await store.put(idOf(fill), bytesOf(fill));
  writeFileSync(join(folder, `${idOf(3)}.tmp`), "half");
  const again = await Store.open({ folder, memoryBytes: 1e6, diskBytes: 1e6, onError: assert.ifError }, (id) => id === idOf(1));
  assert.deepEqual(readdirSync(folder), [idOf(1)]);
  assert.deepEqual(await again.read(idOf(1)), bytesOf(1));
  assert.equal(await again.read(idOf(2)), null);
  await again.sweep(() => false);
  assert.deepEqual([readdirSync(folder), again.diskBytes, again.memoryBytes], [[], 0, 0]);
});

test("store: a file that has lost its bytes is none", async (t) => {
  const folder = temporaryFolder(t);
  await (await open(folder)).put(idOf(1), bytesOf(1));
  writeFileSync(join(folder, idOf(1)), Buffer.alloc(1000));
  const errors: unknown[] = [];
  const store = await open(folder, { errors });
  assert.equal(await store.read(idOf(1)), null);
  assert.equal(store.has(idOf(1)), false);
  assert.equal(errors.length, 1);
});

test("store: a disk that is full, or may take no more, leaves what is in memory, and a segment is read once however many ask", async (t) => {
  const errors: unknown[] = [];
  const folder = temporaryFolder(t);
  const store = await open(folder, { diskBytes: 1500, errors });
  await store.put(idOf(1), bytesOf(1));
  await store.put(idOf(2), bytesOf(2));
  assert.equal(errors.length, 1);
  assert.deepEqual(readdirSync(folder), [idOf(1)]);
  assert.deepEqual(await store.read(idOf(2)), bytesOf(2));
  assert.ok(readFileSync(join(folder, idOf(1))).equals(bytesOf(1)));
  await store.put(idOf(3), bytesOf(3));
  await store.put(idOf(4), bytesOf(4)); // 1 has left memory
  const [one, two] = await Promise.all([store.read(idOf(1)), store.read(idOf(1))]);
  assert.equal(one, two);
});

test("store: what comes while others are deleted, or is not on the disk yet, is not deleted with them", async (t) => {
  const folder = temporaryFolder(t);
  const store = await open(folder, { memoryBytes: 1e6 });
  for (const fill of [1, 2, 3]) await store.put(idOf(fill), bytesOf(fill));
  const known = new Set<string>();
  const coming = store.put(idOf(4), bytesOf(4)); // nobody knows of it before it is there
  const sweeping = store.sweep((id) => known.has(id));
  await coming;
  assert.equal(store.has(idOf(4)), true);
  await store.put(idOf(5), bytesOf(5));
  await sweeping;
  assert.deepEqual(readdirSync(folder).toSorted(), [idOf(4), idOf(5)].toSorted());
  for (const fill of [4, 5]) assert.deepEqual(await store.read(idOf(fill)), bytesOf(fill));
  assert.equal(store.diskBytes, 2000);
});
