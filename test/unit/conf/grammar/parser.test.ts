import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Directive, parse } from "../../../../src/conf/grammar/parser.js";

type Written = [name: string, args: string[], children: Written[] | null];

function written(directives: readonly Directive[]): Written[] {
  return directives.map(({ name, args, children }) => [name, [...args], children === null ? null : written(children)]);
}

function print(tree: readonly Written[]): string {
  const quote = (text: string): string => (/^["'#}]|[ \t\r\n;{]/.test(text) ? `"${text}"` : text);
  return tree
    .map(([name, args, children]) => `${[name, ...args].map(quote).join(" ")}${children === null ? ";" : ` {\n${print(children)}}`}\n`)
    .join("");
}

/** Reads from a table of files; what is not there throws, as on a disk. */
function files(table: Record<string, string>): (path: string) => string {
  return (path) => {
    const text = table[path];
    if (text === undefined) throw new Error("ENOENT");
    return text;
  };
}

const noFiles = files({});

test("parser: braces make blocks, semicolons make values", () => {
  const { directives, problems } = parse("a 1 2; b x { c; d { } }\nb;", "f", noFiles);
  assert.deepEqual(problems, []);
  assert.deepEqual(written(directives), [
    ["a", ["1", "2"], null],
    [
      "b",
      ["x"],
      [
        ["c", [], null],
        ["d", [], []],
      ],
    ],
    ["b", [], null],
  ]);
});

test("parser: a directive knows where its name stands", () => {
  const { directives } = parse("a;\n  b {\n c; }", "f", noFiles);
  const [, block] = directives;
  assert.deepEqual([block?.file, block?.line, block?.column, block?.children?.[0]?.line], ["f", 2, 3, 3]);
});

const refused: [sentence: string, text: string, messages: RegExp[]][] = [
  ["}; is a directive without a name", "vhost a { };", [/name is missing before ";"/]],
  ["a block needs a name", "{ a; }", [/name is missing before "\{"/]],
  ["a } too many", "a; }\nb; }", [/closes nothing/, /closes nothing/]],
  ["a block that is not closed is named", "vhost a {\n play {\n", [/"vhost" is never closed/, /"play" is never closed/]],
  ["a lone ; has no name", ";", [/name is missing/]],
  ["include takes paths", "include { }", [/not a block/]],
  ["include needs a path", "include;", [/at least one path/]],
  ["an included file must be there", "include none.conf;", [/cannot read "none.conf": ENOENT/]],
  [
    "problems of several kinds come together",
    "};\ninclude none.conf;\na 1\n",
    [/after "1"/, /closes nothing/, /name is missing/, /cannot read/],
  ],
  ["blocks have a depth limit", "a{".repeat(65), [/nested more than 64 deep/]],
];

for (const [sentence, text, messages] of refused) {
  test(`parser: ${sentence}`, () => {
    const { problems } = parse(text, "f", noFiles);
    assert.equal(problems.length, messages.length, problems.map((problem) => problem.message).join("\n"));
    for (const [index, message] of messages.entries()) assert.match(problems[index]?.message ?? "", message);
  });
}

test("parser: include puts directives into the block where it stands", () => {
  const read = files({ "a.conf": "one;\ninclude b.conf;", "b.conf": "two { three; }", "c.conf": "four;" });
  const { directives, problems } = parse("x { include a.conf c.conf; five; }", "f", read);
  assert.deepEqual(problems, []);
  assert.deepEqual(written(directives), [
    [
      "x",
      [],
      [
        ["one", [], null],
        ["two", [], [["three", [], null]]],
        ["four", [], null],
        ["five", [], null],
      ],
    ],
  ]);
  assert.equal(directives[0]?.children?.[1]?.file, "b.conf");
});

test("parser: a block may not begin in one file and end in another", () => {
  const { problems } = parse("include a.conf; }", "f", files({ "a.conf": "x {" }));
  assert.deepEqual(
    problems.map(({ file, line }) => `${file}:${line}`),
    ["a.conf:1", "f:1"],
  );
});

test("parser: an include of itself is refused, by whatever way", () => {
  const read = files({ "a.conf": "include ./b.conf;", "./b.conf": "include dir/../a.conf;" });
  const { problems } = parse("include f;\ninclude a.conf;", "f", read);
  assert.deepEqual(
    problems.map(({ code, file, line }) => `${code} ${file}:${line}`),
    ["CONF_FILE f:1", "CONF_FILE ./b.conf:1"],
  );
});

test("parser: a file may be included in two places", () => {
  const { directives, problems } = parse("x { include a.conf; } y { include a.conf; }", "f", files({ "a.conf": "b;" }));
  assert.deepEqual(problems, []);
  assert.deepEqual(
    directives.map((directive) => directive.children?.length),
    [1, 1],
  );
});

test("parser: includes are limited in depth and number", () => {
  const endless = (path: string): string => `include ${path}x;`;
  assert.match(parse("include a;", "f", endless).problems[0]?.message ?? "", /16 deep/);
  const twice = (path: string): string => `include ${path}l ${path}r;`;
  assert.ok(parse("include a;", "f", twice).problems.some((problem) => problem.message.includes("1000 in all")));
});

test("parser: the depth of blocks counts through includes", () => {
  const nest = (path: string): string => `${"a {".repeat(20)} include ${path}x; ${"}".repeat(20)}`;
  assert.match(parse("include a;", "f", nest).problems[0]?.message ?? "", /nested more than 64 deep/);
});

const word = fc.string({ minLength: 1, unit: fc.constantFrom(..."ab1./:[]{}; \t\r#'=\\é".split("")) }).filter((text) => text !== "include");
const tree = fc.letrec<{ tree: Written[] }>((tie) => ({
  tree: fc.array(fc.tuple(word, fc.array(word, { maxLength: 3 }), fc.option(tie("tree"), { depthSize: "small" })), {
    maxLength: 4,
    depthIdentifier: "tree",
  }),
})).tree;

test("parser: what is printed is read back", () => {
  fc.assert(
    fc.property(tree, (expected) => {
      const { directives, problems } = parse(print(expected), "f", noFiles);
      assert.deepEqual(problems, []);
      assert.deepEqual(written(directives), expected);
    }),
  );
});
