// The pid file and the server's id of a running box, as others see them: the kernel, a second instance, scripts.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";

for (const plan of ["a", "b"]) {
  void test(`plan ${plan}: the master holds a write lock over its whole pid file, by which a second instance is refused`, async (t) => {
    const folder = temporaryFolder(t);
    const pidFile = join(folder, "srs.pid");
    const conf = `pid ${pidFile}; dolphin { plan ${plan}; } ${promptConf}`;
    const dolphin = await Dolphin.start(t, { cores: 1, conf });
    assert.equal(readFileSync(pidFile, "utf8"), String(dolphin.pid));
    assert.deepEqual(locksOn(pidFile), [`POSIX ADVISORY WRITE ${dolphin.pid} 0 EOF`]);

    // The lock decides and not the number, which a script may have spoiled.
    writeFileSync(pidFile, "1");
    const file = join(folder, "second.conf");
    writeFileSync(file, `daemon off; ${conf}`);
    const { code, output } = await runToItsEnd(t, ["-c", file, "--listen", `127.0.0.1:${await freePort()}`, "--http", "off"]);
    assert.equal(code, 73, output);
    assert.match(
      output,
      new RegExp(`${pidFile} belongs to process ${dolphin.pid}, which is running: stop it first \\(kill ${dolphin.pid}\\)`),
    );
    assert.equal(readFileSync(pidFile, "utf8"), "1", "the second one did not touch it");

    await dolphin.stop();
    assert.deepEqual([readFileSync(pidFile, "utf8"), locksOn(pidFile)], ["", []]);
  });
}

void test("a number that is left behind keeps nobody from starting, be its process alive or not", async (t) => {
  const pidFile = join(temporaryFolder(t), "srs.pid");
  writeFileSync(pidFile, String(process.pid));
  const dolphin = await Dolphin.start(t, { cores: 1, conf: `pid ${pidFile}; ${promptConf}` });
  assert.equal(readFileSync(pidFile, "utf8"), String(dolphin.pid));
  await dolphin.stop();
});

void test("the server's id stands beside the pid file and stays the same over a restart; one that is configured is not kept", async (t) => {
  const folder = temporaryFolder(t);
  const idOf = async (more: string): Promise<string> => {
    const dolphin = await Dolphin.start(t, { cores: 1, conf: `pid ${folder}/srs.pid; ${more} ${promptConf}` });
    const { serverId } = await dolphin.status();
    assert.equal((await dolphin.waitFor("dolphin.started"))["serverId"], serverId);
    await dolphin.stop();
    return serverId;
  };
  assert.equal(await idOf("server_id vid-mine;"), "vid-mine");
  assert.deepEqual(readdirSync(folder), ["srs.pid"]);
  const first = await idOf("");
  assert.match(first, /^vid-[0-9a-z]{7}$/);
  assert.equal(readFileSync(join(folder, "srs.id"), "utf8"), `${first}\n`);
  assert.equal(await idOf(""), first);
});

/** What the kernel tells of a file's locks: kind, mode, access, pid, first and last byte. */
function locksOn(file: string): string[] {
  const { ino } = statSync(file);
  const lines = readFileSync("/proc/locks", "utf8").split("\n");
  const fields = lines.map((line) => line.trim().split(/\s+/));
  return fields.filter((words) => words[5]?.endsWith(`:${ino}`)).map((words) => [...words.slice(1, 5), ...words.slice(6)].join(" "));
}
