// systemd-analyze, which knows whether a unit is right without a running systemd. Taken from the system, else unpacked from Debian's
// packages; where it cannot be had, the tests that need it are skipped with the reason.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { start } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";

export interface SystemdAnalyze {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The program itself, and the libraries that a small image may lack. */
const packages = ["systemd", "libsystemd-shared", "libapparmor1", "libip4tc2", "libkmod2", "libseccomp2", "libcap2", "libmount1"];

/** The program, or a sentence that says why there is none. */
export async function findSystemdAnalyze(): Promise<SystemdAnalyze | string> {
  const installed = "/usr/bin/systemd-analyze";
  if (existsSync(installed)) return usable({ path: installed, env: {} });
  const path = join(peersFolder, "usr/bin/systemd-analyze");
  try {
    if (!existsSync(path)) await unpackDebianPackages(packages);
  } catch (thrown) {
    return `systemd-analyze is not to be had: ${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)}`;
  }
  const roots = ["lib", "usr/lib"].map((folder) => join(peersFolder, folder)).filter((folder) => existsSync(folder));
  const libraries = roots.flatMap((folder) => {
    const names = readdirSync(folder).filter((name) => name.endsWith("-linux-gnu"));
    return names.flatMap((name) => [join(folder, name), join(folder, name, "systemd")]);
  });
  // The targets that every unit refers to.
  const units = `${roots.map((folder) => join(folder, "systemd/system")).join(":")}:`;
  return usable({ path, env: { LD_LIBRARY_PATH: libraries.join(":"), SYSTEMD_UNIT_PATH: units } });
}

/** What it has to say about unit files; nothing when they are right. */
export async function verifyUnits({ path, env }: SystemdAnalyze, files: readonly string[]): Promise<string> {
  const child = start(path, ["verify", "--man=no", ...files], { env });
  const { code } = await child.ended;
  return code === 0 ? child.output() : `exit ${code}: ${child.output()}`;
}

async function usable(program: SystemdAnalyze): Promise<SystemdAnalyze | string> {
  const child = start(program.path, ["--version"], { env: program.env });
  const { code } = await child.ended;
  return code === 0 ? program : `${program.path} does not run: ${child.output().slice(0, 300)}`;
}
