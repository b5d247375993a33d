// Tokens → a tree of directives, with `include` followed. The tree keeps what was written and where: what the names
// mean is known to the table of directives, old spellings to rewrites.ts. Pure: files are read through a function of the caller.
//
//   text ─▶ lexer.ts ─ tokens ─▶ parser.ts ─ a tree ─┬─▶ rewrites.ts ─ in today's spelling ─▶ the rooms directives and meaning
//               problem.ts: what they find wrong     └─▶ write.ts ─ text again ─▶ a server that gets a copy of the user's file
import { normalize } from "node:path";
import { messageOf } from "../../base/errors.js";
import { lex, shorten, type Token } from "./lexer.js";
import { errorAt, type Place, type Problem } from "./problem.js";

/** One directive as written. `children` is null for `name arg;` and a list, maybe empty, for `name arg { … }`. */
export interface Directive extends Place {
  readonly name: string;
  readonly args: readonly string[];
  readonly children: readonly Directive[] | null;
}

export interface Parsed {
  readonly directives: readonly Directive[];
  readonly problems: readonly Problem[];
}

/** An included file that has no text at all, not even a comment, and where it is included. */
export interface BlankFile extends Place {
  readonly path: string;
}

/** Gives the text of a file, or throws. Relative paths are relative to the current directory, as in SRS. */
export type ReadFile = (path: string) => string;

const maxBlockDepth = 64;
const maxIncludeDepth = 16;
const maxIncludes = 1000;

/** What one parse shares over all of its files. */
interface Run {
  readonly readFile: ReadFile;
  readonly problems: Problem[];
  readonly blank: BlankFile[];
  includes: number;
}

/** A block that is being filled; `opened` is null for the text as a whole. */
interface OpenBlock {
  readonly opened: Token | null;
  readonly children: Directive[];
}

/** Parses a text and everything that it includes. Problems are gathered over all the files; never throws. */
export function parse(text: string, file: string, readFile: ReadFile): Parsed & { readonly blank: readonly BlankFile[] } {
  const run: Run = { readFile, problems: [], blank: [], includes: 0 };
  const directives = parseText(run, text, file, 0, [normalize(file)]);
  const { problems, blank } = run;
  return { directives, problems, blank };
}

/** `depth` counts the blocks around the text; `files` are the file itself and those that led to it. */
function parseText(run: Run, text: string, file: string, depth: number, files: readonly string[]): Directive[] {
  const { tokens, problems } = lex(text, file);
  run.problems.push(...problems);
  let block: OpenBlock = { opened: null, children: [] };
  const outer: OpenBlock[] = [];
  let words: Token[] = [];

  for (const token of tokens) {
    if (token.kind === "word") {
      words.push(token);
      continue;
    }
    const [name, ...args] = words;
    words = [];
    if (token.kind === "close") {
      const parent = outer.pop();
      if (parent === undefined) run.problems.push(errorAt(token, "CONF_SYNTAX", 'this "}" closes nothing'));
      else block = parent;
    } else if (token.kind === "end") {
      if (name === undefined) run.problems.push(errorAt(token, "CONF_SYNTAX", 'a name is missing before ";"'));
      else if (name.text === "include") block.children.push(...include(run, name, args, depth + outer.length, files));
      else block.children.push(toDirective(name, args, null));
    } else {
      // A block that has no name is walked through all the same, so that its "}" finds its "{".
      const children: Directive[] = [];
      if (name === undefined) run.problems.push(errorAt(token, "CONF_SYNTAX", 'a name is missing before "{"'));
      else if (name.text === "include") run.problems.push(errorAt(name, "CONF_SYNTAX", "include takes paths, not a block"));
      else block.children.push(toDirective(name, args, children));
      outer.push(block);
      block = { opened: name ?? token, children };
      if (depth + outer.length > maxBlockDepth) {
        run.problems.push(errorAt(token, "CONF_SYNTAX", `blocks are nested more than ${maxBlockDepth} deep`));
        break;
      }
    }
  }

  for (const { opened } of [...outer, block]) {
    if (opened === null || outer.length + depth > maxBlockDepth) continue;
    run.problems.push(errorAt(opened, "CONF_SYNTAX", `the block ${shorten(opened.text)} is never closed: "}" is missing`));
  }
  return (outer[0] ?? block).children;
}

/** The directives of the files that an `include` names; they land in the block that the include stands in. */
function include(run: Run, at: Token, paths: readonly Token[], depth: number, files: readonly string[]): Directive[] {
  if (paths.length === 0) run.problems.push(errorAt(at, "CONF_ARGUMENTS", "include needs at least one path"));
  const found: Directive[] = [];
  for (const path of paths) {
    const file = normalize(path.text);
    run.includes += 1;
    if (files.includes(file)) {
      run.problems.push(errorAt(path, "CONF_FILE", `${shorten(path.text)} includes itself: ${[...files, file].join(" → ")}`));
    } else if (files.length > maxIncludeDepth || run.includes > maxIncludes) {
      const limits = `${maxIncludeDepth} deep and ${maxIncludes} in all`;
      run.problems.push(errorAt(path, "CONF_FILE", `${shorten(path.text)} is not included: the limits are ${limits}`));
      return found;
    } else {
      const text = readOrReport(run, path);
      if (text?.trim() === "") run.blank.push({ path: path.text, file: path.file, line: path.line, column: path.column });
      if (text !== null) found.push(...parseText(run, text, path.text, depth, [...files, file]));
    }
  }
  return found;
}

function readOrReport(run: Run, path: Token): string | null {
  try {
    return run.readFile(path.text);
  } catch (error) {
    run.problems.push(errorAt(path, "CONF_FILE", `cannot read ${shorten(path.text)}: ${messageOf(error)}`));
    return null;
  }
}

function toDirective(name: Token, args: readonly Token[], children: readonly Directive[] | null): Directive {
  const { file, line, column } = name;
  return { name: name.text, args: args.map((arg) => arg.text), children, file, line, column };
}
