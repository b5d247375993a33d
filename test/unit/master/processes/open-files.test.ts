import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { applyFlags } from "../../../../src/conf/flags.js";
import { defaultConfig } from "../../../../src/conf/load.js";
import { checkOpenFiles, fewFilesWarning } from "../../../../src/master/processes/open-files.js";

const config = (plan: "a" | "b" | "single", maxConnections?: number): ReturnType<typeof defaultConfig> =>
  applyFlags(defaultConfig(), { plan, cores: "auto", maxConnections });

const rows: [sentence: string, plan: "a" | "b" | "single", maxConnections: number, cores: number, maxOpenFiles: number, fits: boolean][] = [
  ["one process needs 128 files beside its connections", "single", 896, 4, 1024, true],
  ["one connection more does not fit", "single", 897, 4, 1024, false],
  ["edges share the connections", "a", 3584, 4, 1024, true],
  ["a share is rounded up", "a", 3585, 4, 1024, false],
  ["a proxy has two files for each connection", "b", 1792, 4, 1024, true],
  ["and one connection more does not fit", "b", 1793, 4, 1024, false],
];
for (const [sentence, plan, maxConnections, cores, maxOpenFiles, fits] of rows) {
  test(`open files: ${sentence}`, () => {
    const check = (): void => checkOpenFiles(config(plan, maxConnections), { cores, maxOpenFiles });
    if (fits) return check();
    return assert.throws(check, (thrown: unknown) => thrown instanceof DolphinError && thrown.code === "CONF_VALUE");
  });
}

test("open files: a refusal says which number is needed, which there is, and how to raise it", () => {
  assert.throws(
    () => checkOpenFiles(config("a", 20_000), { cores: 2, maxOpenFiles: 1024 }),
    /max_connections 20000 needs 10128 open files in each of 2 processes, and one may have 1024: lower it, or .*ulimit -n 10128 .*LimitNOFILE=10128/,
  );
});

test("open files: where the system tells no limit, everything fits", () => {
  checkOpenFiles(config("single", 1_000_000), { cores: 1, maxOpenFiles: null });
  assert.equal(fewFilesWarning(config("a"), null), null);
});

test("open files: few of them are told only where nothing is said of connections", () => {
  assert.match(fewFilesWarning(config("a"), 1024) ?? "", /only 1024 open files.*ulimit -n 65536/);
  assert.equal(fewFilesWarning(config("a"), 4096), null);
  assert.equal(fewFilesWarning(config("a", 100), 1024), null);
});
