// The builds of dolphin that are measured: this one, and that of an earlier commit, which it is held against in the same run. What
// an earlier commit costs on this machine today is the only stable thing to compare with.
//
//   BENCH_BASE    the commit (c019847); `none`: compare with no earlier build
//   BENCH_CACHE   the folder in which its builds are kept, one for each commit (~/.cache/dolphin-bench)
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { projectRoot, run } from "../../test/helpers/child.js";

/** A compiled dolphin. */
export interface Build {
  readonly name: string;
  /** Its command. */
  readonly program: string;
  /** Its commit, and whether there is more than that in the folder. */
  readonly commit: string;
}

const defaultBase = "c019847";
const programOf = (folder: string): string => join(folder, "bin/dolphin.js");
const git = (...words: readonly string[]): Promise<string> => run("git", ["-C", projectRoot, ...words], 60_000);

/** This build. */
export async function ownBuild(): Promise<Build> {
  const commit = await git("describe", "--always", "--dirty").catch(() => "unknown commit");
  return { name: "dolphin", program: programOf(projectRoot), commit };
}

/** The build of the earlier commit, made when it is not there yet; or why it is not to be had. */
export async function baseBuild(say: (progress: string) => void): Promise<Build | string> {
  const named = process.env["BENCH_BASE"] || defaultBase;
  if (named === "none") return "no earlier build was asked for";
  try {
    const commit = (await git("rev-parse", "--verify", `${named}^{commit}`)).trim();
    const cache = process.env["BENCH_CACHE"] || join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "dolphin-bench");
    const folder = join(cache, commit);
    if (!existsSync(folder)) {
      say(`building ${named} in ${folder}`);
      await build(commit, cache, folder);
    }
    if (!existsSync(join(folder, "node_modules", ".package-lock.json"))) linkModules(folder);
    return { name: named, program: programOf(folder), commit };
  } catch (thrown) {
    return `${named} cannot be built: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
}

/** Beside its place first, so that a build that is cut short is never taken for one, and two at once do not meet. */
async function build(commit: string, cache: string, folder: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, "draft-"));
  try {
    const archive = join(draft, "source.tar");
    await git("archive", "--format=tar", `--output=${archive}`, commit);
    await run("tar", ["-xf", archive, "-C", draft], 60_000);
    rmSync(archive);
    const lockOf = (root: string): string => readFileSync(join(root, "package-lock.json"), "utf8");
    if (lockOf(draft) === lockOf(projectRoot)) linkModules(draft);
    else await run("npm", ["ci", "--workspaces=false", "--no-audit", "--no-fund"], 600_000, draft);
    await run("npm", ["run", "--silent", "build"], 300_000, draft);
    if (!existsSync(folder)) renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The same dependencies need not be there twice. The folder that they are in may have gone since. */
function linkModules(folder: string): void {
  const link = join(folder, "node_modules");
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link, { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), link);
}
