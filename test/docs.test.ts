import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { errorCodes } from "../src/base/errors.js";

/** The rows of the tables in docs/errors.md: code, what happened, what to do. */
const rows = readFileSync("docs/errors.md", "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("docs: errors.md explains every code once, and no other", () => {
  const explained = rows.map(([code]) => code!.replaceAll("`", ""));
  assert.deepEqual(new Set(explained), new Set<string>(errorCodes));
  assert.equal(explained.length, errorCodes.length);
});

test("docs: errors.md says for every code what happened and what to do", () => {
  for (const row of rows) {
    assert.equal(row.length, 3, row[0]);
    for (const cell of row.slice(1)) assert.match(cell, /^[A-Z].{20,}\.$/, `${row[0]}: ${cell}`);
  }
});

test("docs: every code is used by the program", () => {
  const text = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith("errors.ts"))
    .map((path) => readFileSync(`src/${path}`, "utf8"))
    .join("\n");
  assert.deepEqual(
    errorCodes.filter((code) => !text.includes(`"${code}"`)),
    [],
  );
});
