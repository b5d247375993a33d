import assert from "node:assert/strict";
import { test } from "node:test";
import { lex } from "../../../../src/conf/grammar/lexer.js";

/** Words stand for themselves, the other tokens for their character. */
const split: [sentence: string, text: string, tokens: string[]][] = [
  ["spaces, tabs, CR and LF separate", "a \t b;\r\nc d;", ["a", "b", ";", "c", "d", ";"]],
  ["a word ends at ; and at {", "vhost{listen 1935;}", ["vhost", "{", "listen", "1935", ";", "}"]],
  ["a word may hold : / ? = & [ ] * . , and }", "mount [vhost]/[app]?a=b&c=*.,:x} y;", ["mount", "[vhost]/[app]?a=b&c=*.,:x}", "y", ";"]],
  ["} is a word where no directive can start", "a } b;", ["a", "}", "b", ";"]],
  ["} closes where a directive can start", "a { b; } }", ["a", "{", "b", ";", "}", "}"]],
  ["# starts a comment at the start of a token", "# one\na b; # two\n#three", ["a", "b", ";"]],
  ["# inside a token is a character", "url http://a/#x;", ["url", "http://a/#x", ";"]],
  ["double quotes keep everything up to the next one", `a "b ; { } # 'c'";`, ["a", "b ; { } # 'c'", ";"]],
  ["single quotes keep everything up to the next one", `a 'b "c"' d;`, ["a", 'b "c"', "d", ";"]],
  ["a quote inside a token is a character", `a b"c' d;`, ["a", `b"c'`, "d", ";"]],
  ["there are no escapes", String.raw`a "b\" c;`, ["a", "b\\", "c", ";"]],
  ["a quoted empty string is no argument", `a "" b;`, ["a", "b", ";"]],
  ["a closing quote may be followed by ; or {", `a "b"{ c 'd';}`, ["a", "b", "{", "c", "d", ";", "}"]],
  ["a byte order mark is no text", "\uFEFFa;", ["a", ";"]],
  ["an empty text has no tokens", "", []],
];

for (const [sentence, text, expected] of split) {
  test(`lexer: ${sentence}`, () => {
    const { tokens, problems } = lex(text, "f");
    assert.deepEqual(problems, []);
    assert.deepEqual(
      tokens.map((token) => token.text),
      expected,
    );
  });
}

const refused: [sentence: string, text: string, places: [line: number, column: number][]][] = [
  ["a directive must end on its line", "listen 1935\nchunk_size 128;", [[1, 8]]],
  [
    "each unfinished line is a problem of its own",
    "a 1\nb 2\nc 3;",
    [
      [1, 3],
      [2, 3],
    ],
  ],
  ["the brace of a block stands on the line of its name", "vhost a.com\n{ }", [[1, 7]]],
  ["a comment does not end a directive", "listen 1935 # x\n;", [[1, 8]]],
  ["a text may not end inside a directive", "a;\nlisten 1935", [[2, 8]]],
  [
    "a quote must be closed, on its line",
    `a "b;\nc; d "e\nf" {\n"h`,
    [
      [1, 3],
      [2, 6],
      [4, 1],
    ],
  ],
  ["a space must follow a closing quote", `a "b"c;`, [[1, 6]]],
];

for (const [sentence, text, expected] of refused) {
  test(`lexer: ${sentence}`, () => {
    const { problems } = lex(text, "f");
    assert.deepEqual(
      problems.map((problem) => [problem.line, problem.column]),
      expected,
    );
    for (const problem of problems) assert.equal(`${problem.severity} ${problem.code} ${problem.file}`, "error CONF_SYNTAX f");
  });
}

test("lexer: tokens know their line and column", () => {
  const { tokens } = lex("a b;\n  c {\n\td;\n}", "f");
  assert.deepEqual(
    tokens.map((token) => `${token.text}@${token.line}:${token.column}`),
    ["a@1:1", "b@1:3", ";@1:4", "c@2:3", "{@2:5", "d@3:2", ";@3:3", "}@4:1"],
  );
});
