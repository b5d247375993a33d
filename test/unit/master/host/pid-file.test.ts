import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { loadFileLocks, type FileLocks, type LockHolder } from "../../../../src/master/host/file-lock.js";
import { alreadyRuns, findHolder, PidFile } from "../../../../src/master/host/pid-file.js";

const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "srs.pid");
beforeEach(() => rmSync(file, { force: true }));

const isStartError = (pattern: RegExp) => (thrown: unknown) =>
  thrown instanceof DolphinError && thrown.code === "CHILD_START" && pattern.test(thrown.message);
const heldBy = (holder: LockHolder | null): FileLocks => ({ take: () => holder, look: () => holder });
const own = String(process.pid);

for (const [how, locks] of [
  ["with the system's locks", await loadFileLocks()],
  ["where there are no locks", null],
] as const) {
  describe(`the pid file ${how}`, () => {
    it("holds the pid in decimal without a newline, in folders that are made, for everybody to read", () => {
      const deep = join(folder, how.replaceAll(" ", "-"), "run", "srs.pid");
      const pidFile = PidFile.create(deep, locks);
      assert.equal(readFileSync(deep, "utf8"), own);
      assert.equal(statSync(deep).mode & 0o777, 0o644 & ~process.umask());
      pidFile.close();
    });

    it("stays at the end and names nobody", () => {
      const pidFile = PidFile.create(file, locks);
      pidFile.close();
      pidFile.close();
      assert.equal(readFileSync(file, "utf8"), "");
    });

    it("is taken over when it names nobody that lives, or nonsense, and nothing of that remains", () => {
      for (const text of [String(2 ** 22 + 1), "", "x", "-1", "123456789012345"]) {
        writeFileSync(file, text);
        const pidFile = PidFile.create(file, locks);
        assert.equal(readFileSync(file, "utf8"), own);
        pidFile.close();
      }
    });

    it("is refused where it cannot be written", () => {
      writeFileSync(file, "");
      assert.throws(() => PidFile.create(join(file, "srs.pid"), locks), isStartError(/cannot write the pid file/));
      mkdirSync(join(folder, "folder.pid"), { recursive: true });
      assert.throws(() => PidFile.create(join(folder, "folder.pid"), locks), isStartError(/cannot write the pid file/));
    });
  });
}

describe("a pid file that somebody else has", () => {
  it("is refused with his pid and how to stop him, and left as it is", () => {
    writeFileSync(file, "4711");
    assert.throws(
      () => PidFile.create(file, heldBy({ pid: 4711 })),
      isStartError(/process 4711, which is running: stop it first \(kill 4711\)/),
    );
    assert.equal(readFileSync(file, "utf8"), "4711");
    assert.equal(alreadyRuns(file, 4711).includes(file), true);
  });

  it("is refused when the system does not tell who it is", () => {
    assert.throws(() => PidFile.create(file, heldBy({ pid: null })), isStartError(/not visible from here/));
  });

  it("is known by its number alone where there are no locks", () => {
    writeFileSync(file, String(process.ppid));
    assert.throws(() => PidFile.create(file, null), isStartError(new RegExp(`process ${process.ppid}, which is running`)));
    assert.deepEqual(findHolder(file, null), { pid: process.ppid });
  });

  it("is not known by its number where there are locks: the process may be any other by now", async (t) => {
    if ((await loadFileLocks()) === null) return t.skip("no locks here");
    writeFileSync(file, String(process.ppid));
    assert.equal(findHolder(file, await loadFileLocks()), null);
  });

  it("is looked for without making it", async () => {
    assert.equal(findHolder(file, await loadFileLocks()), null);
    assert.equal(findHolder(file, null), null);
    assert.equal(existsSync(file), false);
    writeFileSync(file, "");
    assert.deepEqual(findHolder(file, heldBy({ pid: 12 })), { pid: 12 });
  });
});
