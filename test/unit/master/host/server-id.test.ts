import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { serverIdOf } from "../../../../src/master/host/server-id.js";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const made = /^vid-[0-9a-z]{7}$/;

test("server id: one that is made up is kept beside the pid file, and stays the same", (t) => {
  const folder = folderOf(t);
  const pidFile = join(folder, "srs.pid");
  const id = serverIdOf({ serverId: null, pidFile });
  assert.match(id, made);
  assert.equal(readFileSync(join(folder, "srs.id"), "utf8"), `${id}\n`);
  assert.equal(serverIdOf({ serverId: null, pidFile }), id);
});

test("server id: that of an srs is taken over, and nonsense is replaced", (t) => {
  const folder = folderOf(t);
  const pidFile = join(folder, "srs.pid");
  writeFileSync(join(folder, "srs.id"), "vid-8k1x0zq\n");
  assert.equal(serverIdOf({ serverId: null, pidFile }), "vid-8k1x0zq");
  for (const text of ["", "\n", "two words", "x".repeat(65), "\x1b[31m"]) {
    writeFileSync(join(folder, "srs.id"), text);
    assert.match(serverIdOf({ serverId: null, pidFile }), made);
  }
});

test("server id: a pid file of another name gets a file of its own", (t) => {
  const folder = folderOf(t);
  serverIdOf({ serverId: null, pidFile: join(folder, "dolphin.run") });
  assert.deepEqual(readdirSync(folder), ["dolphin.run.id"]);
});

test("server id: one of the configuration is used and not kept", (t) => {
  const folder = folderOf(t);
  assert.equal(serverIdOf({ serverId: "vid-mine", pidFile: join(folder, "srs.pid") }), "vid-mine");
  assert.deepEqual(readdirSync(folder), []);
});

test("server id: without a pid file there is one for this life", () => {
  assert.match(serverIdOf({ serverId: null, pidFile: null }), made);
  assert.notEqual(serverIdOf({ serverId: null, pidFile: null }), serverIdOf({ serverId: null, pidFile: null }));
});

test("server id: one that cannot be kept is refused with what to write instead", (t) => {
  const pidFile = join(folderOf(t), "gone", "srs.pid");
  assert.throws(
    () => serverIdOf({ serverId: null, pidFile }),
    (thrown: unknown) => thrown instanceof DolphinError && thrown.code === "CHILD_START" && /or write server_id/.test(thrown.message),
  );
});
