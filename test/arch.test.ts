import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/** What each folder of src may import from. Arrows point down only, and the three programs never import each other. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  codec: ["base"],
  conf: ["base"],
  ipc: ["base", "conf"], // the configuration travels in messages
  stream: ["base", "codec"],
  master: ["base", "codec", "conf", "ipc", "stream"],
  proxy: ["base", "codec", "conf", "ipc", "stream"],
  server: ["base", "codec", "conf", "ipc", "stream"],
  worker: ["base", "codec", "conf", "ipc", "stream", "proxy", "server"],
  box: ["base", "codec", "conf", "ipc", "stream", "master", "proxy", "server", "worker"],
  roles: ["base", "codec", "conf", "ipc", "stream", "master", "proxy", "server", "worker", "box"],
  verbs: ["base", "codec", "conf", "ipc", "stream", "master", "box", "roles"],
  main: ["base", "conf", "roles", "verbs"],
};

/** What some folders may use of Node.js and of packages; the others may use what they need. */
const mayUse: Readonly<Record<string, readonly string[]>> = {
  codec: ["node:crypto"],
  stream: [],
  conf: ["node:fs", "node:net", "node:path"],
};

const longestFile = 400;

interface SourceFile {
  readonly path: string;
  /** The folder below src, or `main` for a file that is in none. */
  readonly part: string;
  readonly text: string;
  /** Where its import statements point to: a path below src, or the name of a package. */
  readonly imports: readonly string[];
}

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  .map((path): SourceFile => {
    const text = readFileSync(`src/${path}`, "utf8");
    return { path, part: partOf(path), text, imports: importsOf(path, text) };
  });

function partOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "main";
}

function importsOf(path: string, text: string): string[] {
  const statements = text.matchAll(
    /^(?:import|export)\s(?:[^"';]*\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']|\brequire\(\s*["']([^"']+)["']/gm,
  );
  return Array.from(statements, ([, from, dynamic, required]) => (from ?? dynamic ?? required)!).map((name) =>
    name.startsWith(".") ? join(dirname(path), name).replaceAll("\\", "/") : name,
  );
}

/** The files in which something is wrong, as lines for a failed test. */
function found(problem: (file: SourceFile) => readonly string[]): string[] {
  return files.flatMap((file) => problem(file).map((what) => `src/${file.path}: ${what}`));
}

function uses(file: SourceFile, pattern: RegExp): string[] {
  return Array.from(file.text.matchAll(pattern), ([match]) => match.trim());
}

test("arch: every folder of src has its place in the layers", () => {
  assert.ok(files.length > 50, "the files are found");
  assert.deepEqual(
    found(({ part }) => (part in mayImport ? [] : [`${part} is not in the table`])),
    [],
  );
});

test("arch: imports point down only, and the three programs never import each other", () => {
  const upward = ({ part, imports }: SourceFile): string[] =>
    imports.filter((path) => isOwn(path) && partOf(path) !== part && !(mayImport[part] ?? []).includes(partOf(path)));
  assert.deepEqual(found(upward), []);
  assert.ok(
    files.some(({ imports }) => imports.some(isOwn)),
    "imports are found",
  );
});

test("arch: codec, stream and conf use nothing of the outside but what they are known to need", () => {
  const strange = ({ part, imports }: SourceFile): string[] => {
    const known = mayUse[part];
    return known === undefined ? [] : imports.filter((name) => !isOwn(name) && !known.includes(name));
  };
  assert.deepEqual(found(strange), []);
});

test("arch: codec and stream have no logger, codec no timers and no clock", () => {
  assert.deepEqual(
    found(({ part, imports }) => (part === "codec" || part === "stream" ? imports.filter((path) => path === "base/log.js") : [])),
    [],
  );
  assert.deepEqual(
    found((file) => (file.part === "codec" ? uses(file, /\b(?:setTimeout|setInterval|setImmediate|Date\.now|process)\b/g) : [])),
    [],
  );
});

test("arch: no file is longer than 400 lines", () => {
  assert.deepEqual(
    found(({ text }) => (text.trimEnd().split("\n").length > longestFile ? ["too long"] : [])),
    [],
  );
});

test("arch: every file says first what it is", () => {
  assert.deepEqual(
    found(({ text }) => (/^(?:#!.*\n)?\/\/ \S/.test(text) ? [] : ["it has no header"])),
    [],
  );
});

test("arch: no enums, namespaces, default exports or any", () => {
  const forbidden =
    /^\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?(?:enum|namespace|module)\s+\w+.*\{|^\s*export\s+default\b.*|(?::|\bas|<)\s*any\b/gm;
  assert.deepEqual(
    found((file) => uses(file, forbidden)),
    [],
  );
});

test("arch: there is no work left over in comments", () => {
  assert.deepEqual(
    found((file) => uses(file, /\/\/.*\b(?:TODO|FIXME|XXX|HACK)\b.*/g)),
    [],
  );
});

function isOwn(path: string): boolean {
  return path.endsWith(".js") && !path.startsWith("node:") && !path.startsWith("..");
}
