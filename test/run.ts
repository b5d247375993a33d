// What `make unit`, `make test` and `make soak` run after the build: the kinds of tests that are named, one after the other, each file
// in a process of its own, several at a time. Ends with 1 when a test failed, and says which files took longest.
//
// Process tests wait for half of their time, so there are twice as many at a time as cores; each file has ports and folders of its
// own. Soak tests are one at a time, because what they show is what a box does with a machine to itself.
//
// A file or two that failed beside the others run once more, alone. One that passes then is told in the last lines: it is a defect of
// the test or of the product, to be mended, but does not keep all else from being landed. Three that fail are no accident.
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { projectRoot } from "./helpers/child.js";
import { describePeers } from "./helpers/peers.js";

const cores = availableParallelism();
const minute = 60_000;
const maxSecondRuns = 2;

interface Kind {
  /** Whether a file is of this kind, by its path below dist/test. */
  readonly has: (path: string) => boolean;
  readonly concurrency: number;
  /** No file may hang: far above what the slowest takes. */
  readonly timeoutMs: number;
}

const kinds: Readonly<Record<string, Kind>> = {
  unit: { has: (path) => !/^(?:process|soak)\//.test(path), concurrency: 2 * cores, timeoutMs: minute },
  process: { has: (path) => path.startsWith("process/"), concurrency: 2 * cores, timeoutMs: 3 * minute },
  soak: { has: (path) => path.startsWith("soak/"), concurrency: 1, timeoutMs: 24 * 60 * minute },
};

/** They take longest, so they begin first: one that began last would have the machine to itself for most of its time. */
const longest: readonly string[] = [
  "unit/server/server-relays",
  "unit/proxy/pump/pump",
  "process/carried-viewers",
  "process/upgrade",
  "process/upgrade-refused",
  "process/planb-lost-servers",
  "process/carried-publishers",
  "process/carried-raw",
  "process/service-manager",
  "process/planb-policies",
  "process/reload",
  "process/supervision-ends",
].map((name) => `${name}.test.js`);

const folder = import.meta.dirname;
// By their sources: what was compiled from a file that is gone stays in dist.
const sources = readdirSync(join(projectRoot, "test"), { recursive: true, encoding: "utf8" });
const all = sources.filter((path) => path.endsWith(".test.ts")).map((path) => path.replace(/\.ts$/, ".js"));
for (const path of longest) if (!all.includes(path)) throw new Error(`test/run.ts: there is no ${path} any more`);
const ordered = [...longest, ...all.filter((path) => !longest.includes(path)).sort()];

const names = process.argv.slice(2);
// Foreign programs are fetched while unit tests run, so that no test's time is spent on it.
const peers = names.includes("process") || names.includes("soak") ? describePeers() : null;
for (const name of names) {
  const kind = kinds[name];
  if (kind === undefined) throw new Error(`${name} is no kind of tests: they are ${Object.keys(kinds).join(", ")}`);
  if (name !== "unit") process.stdout.write(`${await peers}\n`);
  if (await passes(ordered.filter(kind.has), kind)) continue;
  process.exitCode = 1;
  break;
}

/** Whether every test of the files passes, of a file or two at the second run. */
async function passes(paths: readonly string[], kind: Kind): Promise<boolean> {
  const failed = await runAll(paths, kind);
  if (failed.length === 0) return true;
  if (failed.length > maxSecondRuns) return false;
  process.stdout.write(`once more, alone: ${failed.join(", ")}\n`);
  const again = await runAll(failed, { ...kind, concurrency: 1 });
  for (const path of failed) if (!again.includes(path)) process.stdout.write(`UNSTEADY: ${path} failed, and passed alone\n`);
  return again.length === 0;
}

/** Runs the files, and tells which of them failed. */
async function runAll(paths: readonly string[], { concurrency, timeoutMs }: Kind): Promise<string[]> {
  const begun = Date.now();
  const spent = new Map(paths.map((path) => [path, 0]));
  const failed = new Set<string>();
  const events = run({ files: paths.map((path) => join(folder, path)), concurrency, timeout: timeoutMs });
  const count = ({ file, nesting, details }: { file?: string; nesting: number; details: { duration_ms: number } }): string => {
    const path = relative(folder, file ?? "");
    if (nesting === 0) spent.set(path, (spent.get(path) ?? 0) + details.duration_ms);
    return path;
  };
  events.on("test:pass", count);
  events.on("test:fail", (event) => failed.add(count(event)));
  for await (const text of events.compose(new spec())) process.stdout.write(text as string);
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  const sum = [...spent.values()].reduce((total, ms) => total + ms, 0);
  const rows = [...spent].sort(([, a], [, b]) => b - a).slice(0, 10);
  const lines = [
    `${paths.length} files in ${seconds(Date.now() - begun)}, their tests ${seconds(sum)}; the longest:`,
    ...rows.map(([path, ms]) => `${seconds(ms).padStart(8)}  ${path}`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return [...failed];
}
