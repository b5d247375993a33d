// conf/Dockerfile without docker: its stages are made in folders, with the packages that are installed here in place of what npm
// would fetch, and what comes of them is started by its own words.
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
  const names = new Set(packed.map(({ path }) => path));
  assert.deepEqual(
    files.filter((path) => !names.has(path)),
    [],
  );

  const { listen, http } = defaultConfig();
  const ports = [...listen, ...(http?.listen ?? [])].map(({ port }) => port);
  assert.deepEqual(theOnly(last, "EXPOSE").split(" ").map(Number), ports);

  const [, ...entry] = JSON.parse(theOnly(last, "ENTRYPOINT")) as string[];
  const [, ...check] = JSON.parse(theOnly(last, "HEALTHCHECK").replace(/^.* CMD /, "")) as string[];
  const env = { XDG_RUNTIME_DIR: folder };
  const isSound = async (): Promise<boolean> =>
    (await within(start(process.execPath, check, { cwd: image, env }).ended, 10_000, "the check")).code === 0;
  assert.equal(await isSound(), false, "nothing runs yet");
  const addresses = ["--listen", `127.0.0.1:${await freePort()}`, "--http", `127.0.0.1:${await freePort()}`];
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
  const modules = join(here, "node_modules");
  const installed = join(projectRoot, "node_modules");
  if (command === "npm ci") {
    assert.ok(existsSync(join(here, "package-lock.json")));
    symlinkSync(installed, modules);
  } else if (command === "npm prune --omit=dev") {
    rmSync(modules);
    const { packages } = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly dev?: true }>>;
    };
    const kept = Object.entries(packages).filter(([path, { dev }]) => path !== "" && dev !== true && existsSync(join(projectRoot, path)));
    for (const [path] of kept) {
      mkdirSync(dirname(join(here, path)), { recursive: true });
      symlinkSync(join(projectRoot, path), join(here, path));
    }
  } else {
    const [program = "", ...words] = command.split(" ");
    await run(program, words, 60_000, here);
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
