// How the command is there: before the build, with an old Node.js, installed from what npm packs, without the optional package.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { projectRoot, run, start } from "../helpers/child.js";
import { Dolphin, type Cleanup } from "../helpers/dolphin.js";
import { temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

/** A folder with the command and what else is named of the project. */
function copyOf(t: Cleanup, ...paths: readonly string[]): string {
  const folder = temporaryFolder(t);
  for (const path of ["bin", "package.json", ...paths]) cpSync(join(projectRoot, path), join(folder, path), { recursive: true });
  return folder;
}

/** As `npm ci --omit=optional` leaves it. */
function withoutKoffi(t: Cleanup): string {
  const folder = copyOf(t, "dist/src");
  const modules = join(projectRoot, "node_modules");
  mkdirSync(join(folder, "node_modules"));
  const packages = readdirSync(modules).filter((name) => !name.startsWith(".") && name !== "koffi");
  for (const name of packages) symlinkSync(join(modules, name), join(folder, "node_modules", name));
  return join(folder, "bin/dolphin.js");
}

async function outcome(words: readonly string[]): Promise<[code: number | null, output: string]> {
  const child = start(process.execPath, words);
  const { code } = await child.ended;
  return [code, child.output()];
}

void describe("the command", { concurrency: 2 }, () => {
  void test("says in one sentence that it is not built, and how that is done", async (t) => {
    const folder = copyOf(t, "Makefile");
    assert.deepEqual(await outcome([join(folder, "bin/dolphin.js")]), [69, `dolphin: it is not built: run make build in ${folder}/`]);
  });

  void test("says in one sentence which package it lacks", async (t) => {
    const folder = copyOf(t, "dist/src");
    const sentence = `dolphin: Cannot find package 'commander': ${folder}/ is to be installed anew`;
    assert.deepEqual(await outcome([join(folder, "bin/dolphin.js")]), [69, sentence]);
  });

  void test("says in one sentence that this Node.js is too old", async (t) => {
    const folder = copyOf(t);
    const old = join(folder, "old.mjs");
    writeFileSync(old, 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.9.0" } });\n');
    const sentence = `dolphin: this takes Node.js 20.11 or newer, and ${process.execPath} is 20.9.0`;
    assert.deepEqual(await outcome(["--import", old, join(folder, "bin/dolphin.js")]), [69, sentence]);
  });
});

void test("what npm packs is all that the command takes, and a unit starts it from where it was installed", async (t) => {
  const prefix = temporaryFolder(t);
  await run("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", prefix], 60_000, projectRoot);
  const [tarball = ""] = readdirSync(prefix);
  assert.match(tarball, /^srs-dolphin-[\d.]+\.tgz$/);
  await run("tar", ["-xzf", tarball], 30_000, prefix);
  symlinkSync(join(projectRoot, "node_modules"), join(prefix, "package/node_modules"));
  mkdirSync(join(prefix, "bin"));
  const command = join(prefix, "bin/dolphin"); // as npm links it
  symlinkSync("../package/bin/dolphin.js", command);
  assert.match(await run(command, ["version"], 10_000), /^\d+\.\d+\.\d+$/);
  const unit = await run(command, ["unit", "--cores", "2"], 10_000);
  assert.ok(unit.includes(`\nExecStart=${process.execPath} ${join(prefix, "package/bin/dolphin.js")} --cores 2\n`), unit);
  for (const path of ["conf/full.conf", "conf/dolphin.init", "docs/install.md", "LICENSE", "CHANGELOG.md"]) {
    assert.ok(existsSync(join(prefix, "package", path)), path);
  }
});

void test("without koffi check and status say that connections are not carried, and a restart says where they stay", async (t) => {
  const program = withoutKoffi(t);
  const free = ["--listen", `127.0.0.1:${await freePort()}`, "--http", "off", "--api", "off"];
  const [code, findings] = await outcome([program, "check", ...free]);
  assert.equal(code, 0);
  assert.match(
    findings,
    /^warning: connections will end with the process that serves them: .* koffi; install it, or write carry_sessions off$/m,
  );

  const dolphin = await Dolphin.start(t, { cores: 1, program });
  const why = "to carry them takes Linux and the package koffi";
  assert.ok((await dolphin.ask("status")).endsWith(`\nviewers end with the process that serves them: ${why}`));
  const viewer = await player(dolphin.rtmpUrl("s"));
  t.after(() => viewer.close());
  await eventually(async () => (await dolphin.status()).processes[1]?.connections === 1, { what: "a heartbeat that counts the viewer" });
  assert.match(
    await dolphin.ask("restart"),
    new RegExp(`^done\n {2}connections stay at the old processes .*\\(${why}\\): edge-1 \\(1\\)$`),
  );
  await assert.rejects(dolphin.ask("upgrade"), /refused: everything is as it was\n {2}connections cannot be handed over: .* koffi$/);
  viewer.close();
  await dolphin.waitFor("child.exited", { where: ({ child }) => child === "edge-1" });
  await dolphin.stop();
});
