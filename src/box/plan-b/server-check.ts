// Whether the servers of plan b can run: the program is there and is what it is taken for, its configuration can be read, and a
// real srs says of the file that it will get that it is right (its own -t, with the environment of its slot).
import { execFile } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { messageOf } from "../../base/errors.js";
import { isForeign, type Config } from "../../conf/meaning/config.js";
import { refusal, type Finding } from "../../master/preflight.js";
import { writeFiles } from "../../master/backends/process-spawner.js";
import { programFor } from "../../master/backends/program.js";
import type { Program } from "../../master/processes/plan.js";
import { recognise } from "../../master/backends/software.js";
import { programFacts } from "./plan-b.js";

const answerTimeoutMs = 10_000;

/** What would keep the servers of plan b from running when dolphin is started in `cwd`; nothing for our own. Leaves nothing behind. */
export async function checkServers(config: Config, cwd: string): Promise<Finding[]> {
  if (config.dolphin.plan !== "b" || !isForeign(config.dolphin)) return [];
  const { server } = config.dolphin.balance;
  const [program = ""] = server;
  // One with a placeholder is made only when it starts.
  if (!program.includes("{") && !canRun(program)) {
    return [refusal(`the server ${program} is not there or may not be run: correct server, or install it`)];
  }
  try {
    const software = await recognise(server);
    if (software.kind === "builtin") return [];
    const facts = programFacts(config, software, cwd);
    if (software.kind === "command") return [];
    const folder = mkdtempSync(join(tmpdir(), "dolphin-check-"));
    try {
      const slot = { number: 1, name: "server-1", folder, rtmpPort: 1936, httpPort: 8081, apiPort: 1986 };
      return await testSrs(programFor(software, slot, facts));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  } catch (thrown) {
    return [refusal(messageOf(thrown))];
  }
}

/** Asks an srs about its file. Its last line of level ERROR, or its last line, is the reason. */
function testSrs(program: Program): Promise<Finding[]> {
  const { argv, env, cwd } = program;
  writeFiles(program);
  const [path = "", ...words] = argv;
  const options = { timeout: answerTimeoutMs, env: { ...process.env, ...env }, ...(cwd === null ? {} : { cwd }) };
  return new Promise((resolve) => {
    execFile(path, [...words, "-t"], options, (error, stdout) => {
      if (error === null) return resolve([]);
      const lines = stripVTControlCharacters(stdout).trim().split("\n");
      const reason = lines.findLast((line) => line.includes("ERROR")) ?? lines.at(-1) ?? messageOf(error);
      return resolve([refusal(`the server's own test (${path} -t) refuses its configuration ${words.join(" ")}: ${reason}`)]);
    });
  });
}

/** Whether a command is there and may be run, by itself or somewhere in the PATH. */
function canRun(program: string): boolean {
  const folders = program.includes("/") ? [""] : (process.env["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => {
    try {
      const path = join(folder, program);
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}
