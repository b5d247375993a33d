import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig, type Loaded } from "../../../../src/conf/load.js";
import { formatProblem } from "../../../../src/conf/grammar/problem.js";
import { findEmptied } from "../../../../src/conf/meaning/emptied.js";

type Files = Readonly<Record<string, string>>;

const load = (files: Files): Loaded => loadConfig({ file: "main", read: (path) => files[path] ?? "" });

function found(before: Files, after: Files): string[] {
  const [running, wanted] = [load(before), load(after)];
  assert.ok(running.config !== null && wanted.config !== null);
  return findEmptied(running.directives, wanted, "main").map(formatProblem);
}

const main = "listen 1935;\ninclude vhosts more;\nvhost a { include play; }";
const full: Files = { main, vhosts: "vhost b { }", more: "vhost c { }", play: "play { gop_cache off; }" };

test("an included file that said something and has no text any more is refused, at the root and in a block", () => {
  for (const [name, place] of [
    ["vhosts", "main:2:9"],
    ["play", "main:3:19"],
  ] as const) {
    for (const text of ["", " \n\n"]) {
      const told = found(full, { ...full, [name]: text });
      assert.equal(told.length, 1);
      assert.ok(
        told[0]?.startsWith(`${place}: CONF_RELOAD: "${name}" is empty, and what it said is in force: write it again; where`),
        told[0],
      );
    }
  }
});

test("a file that is included by one that is included is looked at too", () => {
  const deep = { main: "listen 1935; include one;", one: "vhost a { } include two;", two: "vhost b { }" };
  assert.match(found(deep, { ...deep, two: "" }).join(), /^one:1:21: CONF_RELOAD: "two" is empty/);
});

test("without any vhost nobody would be served: refused", () => {
  const sentence = "main:1:1: CONF_RELOAD: no vhost is left, and everybody would be sent away: is the file whole?";
  assert.deepEqual(found({ main: "listen 1935; vhost a { }" }, { main: "listen 1935;" }), [sentence]);
  const included = { main: "listen 1935; include vhosts;", vhosts: "vhost a { }" };
  assert.equal(found(included, { ...included, vhosts: "" }).length, 2);
  assert.deepEqual(found(included, { ...included, vhosts: "# none" }), [sentence]);
});

const meant: [sentence: string, before: Files, after: Files][] = [
  ["a comment in place of what the file said", full, { ...full, vhosts: "# vhost b is gone" }],
  ["no include any more", full, { main: "listen 1935; include more; vhost a { }", more: "vhost c { }" }],
  ["a file that was empty before", { ...full, vhosts: "" }, { ...full, vhosts: "" }],
  ["a vhost less", { main: "listen 1935; vhost a { } vhost b { }" }, { main: "listen 1935; vhost a { }" }],
  ["another vhost", { main: "listen 1935; vhost a { }" }, { main: "listen 1935; vhost b { }" }],
  ["no vhost where there was none", { main: "listen 1935;" }, { main: "listen 1936;" }],
  ["the only vhost switched off", { main: "listen 1935; vhost a { }" }, { main: "listen 1935; vhost a { enabled off; }" }],
];

for (const [sentence, before, after] of meant) {
  test(`nothing is cut off: ${sentence}`, () => assert.deepEqual(found(before, after), []));
}

test("an included file without text is told of at every start", () => {
  const { problems } = load({ ...full, more: "\n" });
  assert.deepEqual(problems.map(formatProblem), ['main:2:16: CONF_FILE: "more" is empty: nothing comes from it']);
});
