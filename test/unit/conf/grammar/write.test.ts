import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, type Directive } from "../../../../src/conf/grammar/parser.js";
import { formatDirectives, replaceDirectives } from "../../../../src/conf/grammar/write.js";

const read = (text: string): readonly Directive[] => {
  const { directives, problems } = parse(text, "f", () => "");
  assert.deepEqual(problems, []);
  return directives;
};
type Shape = readonly [name: string, args: readonly string[], children: readonly Shape[] | null];
const shape = (tree: readonly Directive[]): Shape[] =>
  tree.map(({ name, args, children }) => [name, args, children === null ? null : shape(children)]);

test("write: what is written is read back as the same tree", () => {
  const text = `listen 1935 [::1]:1936; a "x y" 'say "hi"' "it's" "#1" "{b}"; v w { c { d; } } e { }`;
  const tree = read(text);
  assert.deepEqual(shape(read(formatDirectives(tree))), shape(tree));
});

test("write: a value is replaced where it stands, the first of its name, and nothing else changes", () => {
  const tree = replaceDirectives(read("a 1; b { c 2; d 3; } a 4;"), [
    { path: ["a"], args: ["9"] },
    { path: ["b", "d"], args: ["8", "7"] },
  ]);
  assert.equal(formatDirectives(tree), "a 9;\nb {\n    c 2;\n    d 8 7;\n}\na 4;\n");
});

test("write: what is missing is added, with the block around it", () => {
  const tree = replaceDirectives(read("a 1;"), [
    { path: ["b", "c"], args: ["2"] },
    { path: ["d"], args: ["3"] },
  ]);
  assert.equal(formatDirectives(tree), "a 1;\nb {\n    c 2;\n}\nd 3;\n");
});
