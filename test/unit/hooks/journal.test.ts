import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { duesIn, Journal, spareLines } from "../../../src/hooks/journal.js";
import type { Due, DueNote } from "../../../src/ipc/dues.js";

const due = (key: string): Due => ({ key, action: "on_stop", urls: ["http://a/stop"], body: { client_id: key, param: "?token=\n" } });
const open = (key: string): DueNote => ({ open: due(key) });

let folder: string;
let path: string;
let failures: unknown[];
let journal: Journal;

const keysIn = (): string[] => duesIn(path).flatMap((note) => ("open" in note ? [note.open.key] : []));
const fresh = (): Journal => new Journal((thrown) => void failures.push(thrown));

describe("journal", () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
    path = join(folder, "1935.sock.dues");
    failures = [];
    journal = fresh();
  });
  afterEach(() => {
    journal.close();
    rmSync(folder, { recursive: true });
    assert.deepEqual(failures, []);
  });

  it("has what is due as it was opened, wherever it was before the file was there, and not what was called", () => {
    journal.take([open("early"), open("over"), { done: "over" }]);
    journal.begin(path);
    journal.take([open("a"), open("b"), { moved: "b" }, { sitting: { due: due("s"), idleMs: 4000 } }, { touched: "s" }]);
    journal.take([{ done: "a" }, { done: "unknown" }, open("b")]);
    assert.deepEqual(duesIn(path), [open("early"), open("b"), { sitting: { due: due("s"), idleMs: 4000 } }]);
    assert.equal(statSync(path).mode & 0o777, 0o600, "it holds what clients said");
  });

  it("leaves no file where nothing is due, neither before the first nor behind the last", () => {
    writeFileSync(path, "of an earlier master");
    journal.begin(path);
    assert.equal(existsSync(path), false);
    journal.take([open("a"), { done: "a" }]);
    journal.close();
    assert.equal(existsSync(path), false);
  });

  it("leaves what could not be called to the next master", () => {
    journal.begin(path);
    journal.take([open("a")]);
    journal.close();
    assert.deepEqual(keysIn(), ["a"]);
    assert.deepEqual(duesIn(join(folder, "none")), []);
  });

  it("passes over a line that was cut by the kill, and what is none of its own", () => {
    journal.begin(path);
    journal.take([open("a")]);
    appendFileSync(path, `null\n7\n{"open":{"key":1}}\n{"sitting":{}}\n{"open":{"key":"b","acti`);
    assert.deepEqual(keysIn(), ["a"]);
  });

  it("is written anew when most of it is over, while things go on", async () => {
    journal.begin(path);
    const live = Array.from({ length: 1200 }, (_, i) => `live-${i}`);
    journal.take(live.map(open));
    const inode = (): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    while (inode() === undefined) await turn();
    const before = inode();
    for (let i = 0; i < spareLines; i++) journal.take([open(`short-${i}`), { done: `short-${i}` }]);
    journal.take([open("meanwhile"), { done: "live-0" }, { done: "live-1199" }]);
    while (inode() === before) await turn();
    journal.take([{ done: "live-1" }, open("later")]);
    assert.ok(readFileSync(path, "utf8").split("\n").length < 2 * spareLines);
    assert.deepEqual(keysIn().toSorted(), [...live.slice(2, -1), "later", "meanwhile"].toSorted());
    assert.equal(existsSync(`${path}.new`), false);
  });

  it("does not touch the file of a master that has taken its place", () => {
    journal.begin(path);
    journal.take([open("a"), open("b")]);
    const heir = fresh();
    heir.take([open("a")]);
    heir.begin(path);
    journal.take([{ done: "a" }, { done: "b" }]);
    journal.close();
    assert.deepEqual(keysIn(), ["a"]);
    heir.close();
  });

  it("tells once that it cannot write, and nothing else comes of it", () => {
    journal.begin(join(folder, "no such folder", "dues"));
    journal.take([open("a")]);
    journal.take([open("b"), { done: "a" }]);
    assert.match(String(failures.splice(0)), /^Error: ENOENT/);
  });
});
