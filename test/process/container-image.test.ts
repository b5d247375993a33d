// conf/Dockerfile without docker: its stages are made in folders, with those of the packages here that npm would fetch for them, and
// what comes of them is started by its own words. Which packages that are is what `make run` installs, too.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { defaultConfig } from "../../src/conf/load.js";
import { projectRoot, run, start } from "../helpers/child.js";
import type { LogLine } from "../helpers/dolphin.js";
import { temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { within } from "../helpers/wait.js";

interface Instruction {
  readonly word: string;
  readonly text: string;
}

/** The instructions of each stage, without its FROM. */
const stages: Instruction[][] = [];
for (const line of readFileSync(join(projectRoot, "conf/Dockerfile"), "utf8").split("\n")) {
  const [, word = "", text = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
  assert.ok(word !== "" || line === "" || line.startsWith("#"), `one instruction a line: ${line}`);
  if (word === "FROM") stages.push([]);
  else if (word !== "") stages.at(-1)?.push({ word, text });
}

test("conf/Dockerfile makes an image that holds what the package does, serves by its own words, is sound and stops", async (t) => {
  const folder = temporaryFolder(t);
  const [first = [], last = [], ...others] = stages;
  assert.deepEqual(others, []);
  const built = await make(first, join(folder, "build"), null);
  const image = await make(last, join(folder, "image"), built);

  const files = filesIn(image);
  const [{ files: packed }] = JSON.parse(await run("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], 30_000, projectRoot)) as [
    { readonly files: readonly { readonly path: string }[] },
  ];
  // What is compiled is made anew for an image; a working folder may hold more that is old.
  const isCopied = (path: string): boolean => /^(bin|conf)\/|^package\.json$/.test(path);
  assert.deepEqual(
    files.filter(isCopied),
    packed
      .map(({ path }) => path)
      .filter(isCopied)
      .sort(),
  );
  // The names of the pages' parts have a hash of what is in them, which tells where their packages lay.
  const nameOf = (path: string): string => path.replace(/-[A-Z0-9]{8}\./, "-.");
  const names = new Set(packed.map(({ path }) => nameOf(path)));
  assert.deepEqual(
    files.filter((path) => !names.has(nameOf(path))),
    [],
  );

  const { listen, http, api } = defaultConfig();
  const ports = [...listen, ...(http?.listen ?? []), ...api.listen].map(({ port }) => port);
  assert.deepEqual(theOnly(last, "EXPOSE").split(" ").map(Number), ports);

  const [, ...entry] = JSON.parse(theOnly(last, "ENTRYPOINT")) as string[];
  const [, ...check] = JSON.parse(theOnly(last, "HEALTHCHECK").replace(/^.* CMD /, "")) as string[];
  const env = { XDG_RUNTIME_DIR: folder };
  const isSound = async (): Promise<boolean> =>
    (await within(start(process.execPath, check, { cwd: image, env }).ended, 10_000, "the check")).code === 0;
  assert.equal(await isSound(), false, "nothing runs yet");
  const [rtmp, streams, operators] = [await freePort(), await freePort(), await freePort()];
  const addresses = ["--listen", `127.0.0.1:${rtmp}`, "--http", `127.0.0.1:${streams}`, "--api", `127.0.0.1:${operators}`];
  const box = await new Promise<ReturnType<typeof start>>((resolve, reject) => {
    const child = start(process.execPath, [...entry, ...addresses], {
      cwd: image,
      env,
      onLine: (line) => void ((JSON.parse(line) as LogLine).event === "dolphin.ready" && resolve(child)),
    });
    t.after(() => child.stop("SIGKILL"));
    void child.ended.then(() => reject(new Error(child.output())));
  });
  assert.equal(await isSound(), true);
  assert.deepEqual(await box.stop(theOnly(last, "STOPSIGNAL") as NodeJS.Signals, 10_000), { code: 0, signal: null });
  assert.deepEqual(filesIn(image), files, "it writes nothing into the image, which is root's");
});

test("what make run installs compiles the program, with or without koffi, and holds no tool of the tests", async (t) => {
  const folder = temporaryFolder(t);
  for (const part of ["package.json", "package-lock.json", "tsconfig.json", "src", "web"])
    cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
  const places = packagesOf(folder);
  const { devDependencies } = JSON.parse(readFileSync(join(projectRoot, "test/package.json"), "utf8")) as LockedPackage;
  const tools = Object.keys(devDependencies ?? {}).map((name) => `node_modules/${name}`);
  assert.ok(tools.length > 0);
  assert.deepEqual(
    places.filter((place) => tools.includes(place)),
    [],
  );
  assert.ok(places.includes("node_modules/koffi"));
  install(
    folder,
    places.filter((place) => !/koffi|koromix/.test(place)),
  );
  await run("npm", ["run", "build"], 60_000, folder);
  assert.ok(existsSync(join(folder, "dist/src/main.js")));
});

/** Makes a stage in a folder, `from` being the stage before. Returns its WORKDIR. */
async function make(stage: readonly Instruction[], root: string, from: string | null): Promise<string> {
  const workFolder = theOnly(stage, "WORKDIR");
  const here = join(root, workFolder);
  mkdirSync(here, { recursive: true });
  for (const { word, text } of stage) {
    if (word === "COPY")
      copy(text, here, (path) => (path.startsWith("/") ? join(from ?? "", relative(workFolder, path)) : join(projectRoot, path)));
    if (word === "RUN") for (const command of text.split(" && ")) await carryOut(command, here);
  }
  return here;
}

function copy(text: string, here: string, whereIs: (path: string) => string): void {
  const [, option, words = ""] = /^(--from=build )?(.+)$/.exec(text) ?? [];
  const paths = words.split(" ");
  const to = paths.pop() ?? "";
  for (const path of paths) {
    assert.equal(path.startsWith("/"), option !== undefined, text);
    // As docker does: files go into a folder, and of a folder what is in it.
    const target = to.endsWith("/") ? join(here, to, path.split("/").at(-1) ?? "") : join(here, to);
    cpSync(whereIs(path), target, { recursive: true, verbatimSymlinks: true });
  }
}

async function carryOut(command: string, here: string): Promise<void> {
  if (command === "npm ci --workspaces=false") {
    install(here, packagesOf(here));
  } else if (command === "npm prune --omit=dev --workspaces=false") {
    rmSync(join(here, "node_modules"), { recursive: true });
    install(here, packagesOf(here, { isForRunning: true }));
  } else {
    const [program = "", ...words] = command.split(" ");
    await run(program, words, 60_000, here);
  }
}

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The places of the packages that the manifest beside a lock file asks for, and of those that they ask for; no workspace's. */
function packagesOf(folder: string, { isForRunning = false } = {}): string[] {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as { packages: Record<string, LockedPackage> };
  const found = new Set<string>();
  const add = (path: string, { dependencies, optionalDependencies, devDependencies }: LockedPackage): void => {
    const isTop = path === "" && !isForRunning;
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...(isTop ? devDependencies : {}) })) {
      const place = [`${path}/node_modules/${name}`, `node_modules/${name}`].find((one) => one in lock.packages) ?? "";
      const locked = lock.packages[place];
      // Optional ones are for other systems, mostly.
      if (locked === undefined || found.has(place) || !existsSync(join(projectRoot, place))) continue;
      found.add(place);
      add(place, locked);
    }
  };
  add("", lock.packages[""] ?? {});
  return [...found];
}

/** Puts packages where npm would, and their commands where scripts find them. */
function install(folder: string, places: readonly string[]): void {
  const commands = join(folder, "node_modules/.bin");
  mkdirSync(commands, { recursive: true });
  for (const place of places) {
    mkdirSync(dirname(join(folder, place)), { recursive: true });
    symlinkSync(join(projectRoot, place), join(folder, place));
    const { bin = {} } = JSON.parse(readFileSync(join(folder, place, "package.json"), "utf8")) as { bin?: Record<string, string> };
    for (const [name, file] of Object.entries(bin)) symlinkSync(join(folder, place, file), join(commands, name));
  }
}

/** The text of an instruction that stands once. */
function theOnly(stage: readonly Instruction[], wanted: string): string {
  const found = stage.filter(({ word }) => word === wanted);
  assert.equal(found.length, 1, wanted);
  return found[0]?.text ?? "";
}

/** Those that are not packages of others. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => relative(folder, join(parentPath, name)))
    .filter((path) => !path.startsWith("node_modules/"))
    .sort();
}
