// The documents at their word: the example of "Nothing drops" as it is written, typed into a terminal and run as a script, and every
// command line of dolphin, whose flags and verbs there must be.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exitCodes } from "../../src/base/exit-codes.js";
import { isRunning, projectRoot, start, type Child, type StartOptions } from "../helpers/child.js";
import type { Cleanup } from "../helpers/dolphin.js";
import { findFfmpeg } from "../helpers/ffmpeg.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { within } from "../helpers/wait.js";

const read = (page: string): string => readFileSync(join(projectRoot, page), "utf8");

/** The example's lines, on a port of its own. */
async function example(): Promise<string> {
  const [, block] = /^## Nothing drops\n\n```\n([^]*?)^```$/m.exec(read("README.md")) ?? [];
  assert.ok(block !== undefined);
  const address = `127.0.0.1:${await freePort()}`;
  const lines = block
    .replace("dolphin --cores 2", `dolphin --cores 2 --listen ${address} --http off --api off`)
    .replaceAll("//localhost/", `//${address}/`);
  assert.equal(lines.split(address).length, 4, "the start, the encoder and the viewers");
  return lines;
}

/** Has a shell with `dolphin` and `ffmpeg` on its PATH run the example. Gives what it printed when all that it started has ended. */
async function runExample(t: Cleanup, begin: (folder: string, lines: string, options: StartOptions) => Child): Promise<string> {
  const masters = new Set<number>();
  t.after(() => {
    for (const pid of masters) if (isRunning(pid)) process.kill(pid); // of an example that failed
  });
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "bin"));
  symlinkSync(join(projectRoot, "bin/dolphin.js"), join(folder, "bin/dolphin"));
  symlinkSync(findFfmpeg(), join(folder, "bin/ffmpeg"));
  const env = { XDG_RUNTIME_DIR: folder, PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`, TERM: "dumb", ENV: "" };
  const child = begin(folder, await example(), { cwd: folder, env });
  try {
    await within(child.ended, 60_000, () => `the example to end:\n${child.output()}`);
  } finally {
    await child.stop("SIGKILL");
    const log = readFileSync(join(folder, "dolphin.log"), "utf8");
    for (const [, pid] of log.matchAll(/"role":"master","pid":(\d+)/g)) masters.add(Number(pid));
  }
  return child.output();
}

function assertNothingDropped(output: string): void {
  assert.match(output, /live\/show +publish .* 4 +edge-/, output);
  assert.match(output, /^viewers: \d+ carried over to another process/m, output);
  assert.ok((output.match(/\[[2-6]\].* Running/g) ?? []).length === 5, output);
}

void test("the example of README runs as a script, and nobody is disconnected", async (t) => {
  const output = await runExample(t, (folder, lines, options) => {
    writeFileSync(join(folder, "example.sh"), lines);
    return start("/bin/sh", ["example.sh"], options);
  });
  assertNothingDropped(output);
});

void test("the example of README can be typed into a terminal, and nobody is disconnected", async (t) => {
  if (!existsSync("/usr/bin/script")) return t.skip("no script(1) to make a terminal with");
  const output = await runExample(t, (_, lines, options) => {
    const terminal = start("/usr/bin/script", ["-qec", "/bin/sh -i", "/dev/null"], options);
    terminal.write(`${lines}exit\n`);
    return terminal;
  });
  assertNothingDropped(output);
});

/** Every command line of the documents, without comments, redirections and what comes behind it. */
function commandLines(): Set<string> {
  const pages = ["README.md", ...["install", "service", "from-srs", "reload", "logs", "configuration"].map((name) => `docs/${name}.md`)];
  const code = [
    ...pages
      .map(read)
      .join("\n")
      .matchAll(/^```\n([^]*?)^```$|^ {4}(.*)$|`([^`\n]+)`/gm),
  ];
  const lines = code.map(([, block, indented, inline]) => block ?? indented ?? inline ?? "").join("\n");
  // At the beginning, behind variables, or inside of another command.
  const commands = [...lines.matchAll(/(?:^|&& |\$\(|until |^[A-Z_]+=\S+ )(dolphin(?: [^{)\n]*)?)(?=$|\))/gm)];
  const bare = commands.map(([, command = ""]) => command.replace(/ {2,}.*| [>&|#].*/, "").trim());
  return new Set(bare.filter((command) => !command.includes("…")));
}

/** The words by which a line is tried: what starts, or looks at the machine, is asked for its unit, which takes the same flags. */
function triedBy(line: string): string[] {
  const [, first = "", ...rest] = line.split(" ");
  if (first === "" || first === "check") return ["unit", ...rest];
  if (first === "hls-backup" && rest.length === 0) return [first, "--help"]; // as its name, not as a line to type
  return first.startsWith("-") && first !== "-v" ? ["unit", first, ...rest] : [first, ...rest];
}

void test("every command line of the documents is one that dolphin understands", async (t) => {
  const lines = [...commandLines()].filter((line) => !/ -[tpg]/.test(line)); // those letters are held by the tests of SRS's flags
  for (const line of ["dolphin", "dolphin --cores 4 --listen 1935", "dolphin status --pid edge-1", "dolphin upgrade"]) {
    assert.ok(lines.includes(line), `${line} among ${lines.join("\n")}`);
  }
  const wrong: string[] = [];
  for (const line of lines) {
    const { code, output } = await runToItsEnd(t, triedBy(line));
    if (code === exitCodes.usage) wrong.push(`${line}: ${output}`);
  }
  assert.deepEqual(wrong, []);
});
