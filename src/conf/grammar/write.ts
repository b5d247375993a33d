// A tree of directives → text that parser.ts, and SRS, read back: for a server that is given a copy of the user's file.
import type { Directive } from "./parser.js";

/** A directive, by its names from the root, that gets other arguments, or is added where it is missing. */
export interface Replacement {
  readonly path: readonly string[];
  readonly args: readonly string[];
}

/** The text of a tree. Words that hold what ends a word are quoted. */
export function formatDirectives(directives: readonly Directive[], depth = 0): string {
  const indent = "    ".repeat(depth);
  const lines = directives.map(({ name, args, children }) => {
    const words = formatWords([name, ...args]);
    if (children === null) return `${indent}${words};\n`;
    return `${indent}${words} {\n${formatDirectives(children, depth + 1)}${indent}}\n`;
  });
  return lines.join("");
}

/** Words in one line; those that hold what ends a word are quoted. */
export function formatWords(words: readonly string[]): string {
  return words.map(quote).join(" ");
}

/** The same tree with some values replaced; of several directives of a name the first is left. */
export function replaceDirectives(directives: readonly Directive[], replacements: readonly Replacement[]): Directive[] {
  return replacements.reduce<Directive[]>((tree, { path, args }) => replaceOne(tree, path, args), [...directives]);
}

function replaceOne(tree: readonly Directive[], [name = "", ...below]: readonly string[], args: readonly string[]): Directive[] {
  const at = tree.findIndex((directive) => directive.name === name);
  const old = tree[at] ?? { name, args: [], children: null, file: "", line: 1, column: 1 };
  const made: Directive =
    below.length === 0 ? { ...old, args, children: null } : { ...old, children: replaceOne(old.children ?? [], below, args) };
  return at < 0 ? [...tree, made] : tree.map((directive, index) => (index === at ? made : directive));
}

/** Quotes know no escapes, so a word with one kind of quote gets the other; nothing that was read can hold both and a blank. */
function quote(word: string): string {
  if (!/[\s;{}#"']/.test(word)) return word;
  return word.includes('"') ? `'${word}'` : `"${word}"`;
}
