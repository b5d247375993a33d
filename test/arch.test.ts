import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/** What each folder of src may import from. Arrows point down only, and the programs never import each other. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  codec: ["base"],
  conf: ["base"],
  ipc: ["base", "conf"], // the configuration travels in messages
  hooks: ["base", "conf", "ipc"],
  registry: ["base", "conf", "ipc"],
  stream: ["base", "codec"],
  master: ["base", "codec", "conf", "ipc"],
  wire: ["base", "codec", "conf"],
  server: ["base", "codec", "conf", "ipc", "hooks", "stream", "wire"],
  proxy: ["base", "codec", "conf", "ipc"],
  publisher: ["base", "codec", "conf"],
  admin: ["base", "codec", "conf", "ipc"],
  packager: ["base", "codec", "conf", "ipc", "hooks", "stream", "wire"],
  backup: ["base", "codec"],
  worker: ["base", "codec", "conf", "ipc", "wire", "proxy", "server"],
  cluster: ["base", "conf", "ipc", "hooks", "wire", "registry"],
  box: ["base", "conf", "ipc", "hooks", "registry", "cluster", "master", "proxy", "server", "worker"],
  roles: ["base", "conf", "ipc", "hooks", "wire", "master", "proxy", "server", "publisher", "admin", "packager", "backup", "worker", "box"],
  verbs: ["base", "conf", "ipc", "master", "box", "roles"],
  main: ["base", "conf", "verbs"],
};

/** The rooms of a folder, and which of the folder's other rooms each may know; `.` is what stands above the rooms, or below them. */
const rooms: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  base: { ".": [], programs: ["."], sockets: ["."] },
  codec: { ".": [], rtmp: ["."], ts: ["."], mp4: ["."] },
  conf: {
    grammar: [],
    directives: ["grammar"],
    meaning: ["grammar", "directives"],
    building: ["grammar", "directives", "meaning"],
    ".": ["grammar", "directives", "meaning", "building"],
  },
  master: {
    host: [],
    logs: [],
    vault: [],
    sockets: ["host"],
    processes: [],
    backends: ["processes", "sockets"],
    control: ["host", "processes", "backends", "vault"],
    ".": ["host", "sockets", "processes", "backends", "control"],
  },
  server: {
    peers: [],
    relay: ["peers"],
    streams: ["peers", "relay"],
    rtmp: ["peers", "streams"],
    hls: ["peers", "streams"],
    http: ["peers", "streams", "hls"],
    ".": ["peers", "streams", "rtmp", "hls", "http"],
  },
  packager: {
    media: [],
    origin: [],
    hls: ["media"],
    dvr: ["media"],
    programs: ["media", "origin"],
    ".": ["media", "origin", "hls", "dvr", "programs"],
  },
  box: { "plan-b": [], ".": ["plan-b"] },
  verbs: { ".": [], programs: ["."] },
  admin: {
    box: [],
    http: [],
    api: ["box", "http"],
    metrics: ["box", "http"],
    site: ["box", "http"],
    ".": ["box", "http", "api", "metrics", "site"],
  },
  proxy: {
    pump: [],
    balance: ["pump"],
    rtmp: ["balance", "pump"],
    http: ["balance"],
    ".": ["balance", "pump", "rtmp", "http"],
  },
};

/** A room that is larger has two concepts. */
const largestRoom = 18;

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
  /** The folder in that one; `.` for a file that is in none. */
  readonly room: string;
  readonly text: string;
  /** Where its import statements point to: a path below src, or the name of a package. */
  readonly imports: readonly string[];
}

const files = readdirSync("src", { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"))
  .map((path): SourceFile => {
    const text = readFileSync(`src/${path}`, "utf8");
    return { path, part: partOf(path), room: roomOf(path), text, imports: importsOf(path, text) };
  });

function partOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : "main";
}

function roomOf(path: string): string {
  const [, room = ".", ...rest] = path.split("/");
  return room.endsWith(".ts") || room.endsWith(".js") ? "." : [room, ...rest.slice(0, -1)].join("/");
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

test("arch: imports point down only, and the programs never import each other", () => {
  const upward = ({ part, imports }: SourceFile): string[] =>
    imports.filter((path) => isOwn(path) && partOf(path) !== part && !(mayImport[part] ?? []).includes(partOf(path)));
  assert.deepEqual(found(upward), []);
  assert.ok(
    files.some(({ imports }) => imports.some(isOwn)),
    "imports are found",
  );
});

test("arch: every room has its place, and knows only those that the table names", () => {
  const strange = ({ part, room, imports }: SourceFile): string[] => {
    const known = (rooms[part] ?? { ".": [] })[room];
    if (known === undefined) return [`the room ${part}/${room} is not in the table`];
    const inside = imports.filter((path) => isOwn(path) && partOf(path) === part).map(roomOf);
    return inside.filter((other) => other !== room && !known.includes(other)).map((other) => `${room} imports from ${other}`);
  };
  assert.deepEqual(found(strange), []);
});

test("arch: the table of rooms has no circle and no room that is gone", () => {
  for (const [part, table] of Object.entries(rooms)) {
    assert.deepEqual(circlesIn(new Map(Object.entries(table))), [], part);
    for (const room of Object.keys(table))
      assert.ok(
        files.some((file) => file.part === part && file.room === room),
        `${part}/${room}`,
      );
  }
});

test(`arch: no room has more than ${largestRoom} files`, () => {
  const sizes = new Map<string, number>();
  for (const { part, room } of files) sizes.set(`${part}/${room}`, (sizes.get(`${part}/${room}`) ?? 0) + 1);
  assert.deepEqual(
    [...sizes].filter(([, size]) => size > largestRoom),
    [],
  );
});

test("arch: ARCHITECTURE has the same tables", () => {
  const lines = readFileSync("docs/ARCHITECTURE.md", "utf8").split("\n");
  const rows = lines.map((line) => /^\| `([a-z0-9/-]+?)(?:\/|\.ts)` \|.*\| ([^|]+) \|$/.exec(line)).filter((row) => row !== null);
  const told = rows.map(([, folder = "", names = ""]) => [folder, names === "–" ? [] : names.split(", ")]);
  const held: Record<string, readonly string[]> = { ...mayImport };
  for (const [part, table] of Object.entries(rooms)) {
    const known = (room: string): string => (room === "." ? part : room);
    for (const [room, others] of Object.entries(table)) if (room !== ".") held[`${part}/${room}`] = others.map(known);
  }
  assert.deepEqual(Object.fromEntries(told), held);
});

test("arch: no files import each other in a circle, not even types", () => {
  const others = ["bench", "test"].flatMap(sourcesIn);
  const graph = new Map(
    [...sourcesIn("src"), ...others].map(({ path, imports }) => [path, imports.filter((name) => name.endsWith(".ts"))]),
  );
  assert.ok([...graph.values()].flat().length > 1000, "imports are found");
  assert.deepEqual(circlesIn(graph), []);
});

test("arch: a circle is found", () => {
  const graph = { a: ["b", "c"], b: ["c"], c: ["d"], d: ["b"], e: ["a"], f: [] };
  assert.deepEqual(circlesIn(new Map(Object.entries(graph))), [["b", "c", "d"]]);
});

test("arch: a unit test is named after the file that it is about, and stands where that does", () => {
  const paths = readdirSync("test/unit", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".test.ts"));
  const sources = files.map(({ path }) => path.slice(0, -".ts".length));
  const isAbout = (name: string, source: string): boolean => name === source || name.startsWith(`${source}-`);
  assert.ok(paths.length > 50, "the tests are found");
  assert.deepEqual(
    paths.filter((path) => !sources.some((source) => isAbout(path.slice(0, -".test.ts".length), source))),
    [],
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

/** The TypeScript files below a folder, and what each imports of the project, as paths from its root. */
function sourcesIn(folder: string): { readonly path: string; readonly imports: readonly string[] }[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  return paths.map((name) => {
    const path = join(folder, name);
    return { path, imports: importsOf(path, readFileSync(path, "utf8")).map((to) => to.replace(/\.js$/, ".ts")) };
  });
}

/** The groups of nodes that reach each other, each group once and sorted. */
function circlesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const reach = new Map<string, ReadonlySet<string>>();
  const reachedFrom = (start: string): ReadonlySet<string> => {
    const seen = new Set<string>();
    const open = [start];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const next of graph.get(node) ?? []) if (!seen.has(next)) open.push((seen.add(next), next));
    }
    return seen;
  };
  for (const node of graph.keys()) reach.set(node, reachedFrom(node));
  const inCircle = [...graph.keys()].filter((node) => reach.get(node)?.has(node));
  const groups = inCircle.map((node) => inCircle.filter((other) => reach.get(node)?.has(other) && reach.get(other)?.has(node)).toSorted());
  return groups.filter((group, at) => group[0] === inCircle[at]);
}

function isOwn(path: string): boolean {
  return path.endsWith(".js") && !path.startsWith("node:") && !path.startsWith("..");
}
