import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { signature, version } from "../../../src/base/version.js";

test("version: it is the package's", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.equal(version, manifest.version);
  assert.equal(signature, `dolphin/${manifest.version}`);
});
