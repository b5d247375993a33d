// What a newcomer does before anything serves: calls the command before the build or with an old Node.js, and installs it.
import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { projectRoot, start } from "../helpers/child.js";
import { temporaryFolder } from "../helpers/launch.js";
import type { Cleanup } from "../helpers/dolphin.js";

/** A folder with the command and what else is named of the project. */
function copyOf(t: Cleanup, ...paths: readonly string[]): string {
  const folder = temporaryFolder(t);
  for (const path of ["bin", "package.json", ...paths]) cpSync(join(projectRoot, path), join(folder, path), { recursive: true });
  return folder;
}

async function outcome(folder: string, ...nodeFlags: readonly string[]): Promise<[code: number | null, output: string]> {
  const child = start(process.execPath, [...nodeFlags, join(folder, "bin/dolphin.js"), "--version"]);
  const { code } = await child.ended;
  return [code, child.output()];
}

void describe("the command", { concurrency: 2 }, () => {
  void test("says in one sentence that it is not built, and how that is done", async (t) => {
    const folder = copyOf(t, "Makefile");
    assert.deepEqual(await outcome(folder), [69, `dolphin: it is not built: run make build in ${folder}/`]);
  });

  void test("says in one sentence which package it lacks", async (t) => {
    const folder = copyOf(t, "dist/src");
    assert.deepEqual(await outcome(folder), [69, `dolphin: Cannot find package 'commander': ${folder}/ is to be installed anew`]);
  });

  void test("says in one sentence that this Node.js is too old", async (t) => {
    const folder = copyOf(t);
    const old = join(folder, "old.mjs");
    writeFileSync(old, 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.9.0" } });\n');
    const sentence = `dolphin: this takes Node.js 20.11 or newer, and ${process.execPath} is 20.9.0`;
    assert.deepEqual(await outcome(folder, "--import", old), [69, sentence]);
  });
});
