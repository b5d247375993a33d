// `make bench`: compares dolphin with an earlier commit of its own, with nginx-rtmp, and its proxies with HAProxy and nginx's stream
// module, on this machine and in the same run, and prints a Markdown table.
//
// All rows with three runs take about an hour and a half.
//
//   BENCH_RUNS   how often each row is run (3); medians are shown
//   BENCH_ROWS   words, separated by semicolons; a row is run when its name holds one of them. `?` prints the names
//   BENCH_BASE, BENCH_CACHE   the earlier commit, and where it is built: boxes/build.ts
//
// With BENCH_SOAK_MINUTES it prints instead the memory of a box over so many minutes of ingest (soak.ts); BENCH_SOAK_PLAN is `single`,
// when left out, or `a`.
import { findHaproxy } from "../test/helpers/haproxy.js";
import { findNginx } from "../test/helpers/nginx.js";
import { baseBuild, ownBuild } from "./boxes/build.js";
import { measureRow } from "./compare.js";
import { loadAverage, lookAtMachine, machineName, usageSince } from "./meter/machine.js";
import type { Outcome } from "./row.js";
import { rows } from "./rows.js";
import { soak } from "./soak.js";
import { tableOf } from "./table.js";

const runs = Number(process.env["BENCH_RUNS"] || 3);
const words = (process.env["BENCH_ROWS"] ?? "").split(";").map((word) => word.trim());
const say = (progress: string): void => void process.stderr.write(`${progress}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const soakMinutes = Number(process.env["BENCH_SOAK_MINUTES"] || 0);
if (soakMinutes > 0) process.exit((await soak(soakMinutes, process.env["BENCH_SOAK_PLAN"] === "a" ? "a" : "single", print)) ? 0 : 1);

const chosen = rows.filter(({ name }) => words.some((word) => name.includes(word)));
if (chosen.length === 0) {
  print(`The rows are:\n${rows.map(({ name }) => `  ${name}`).join("\n")}`);
  process.exit(words.includes("?") ? 0 : 64);
}
const [own, base, nginx, haproxy] = [await ownBuild(), await baseBuild(say), await findNginx(), await findHaproxy()];
const context = { own, base, nginx, haproxy, runs, say };
for (const missing of [base, nginx, haproxy]) if (typeof missing === "string") say(missing);

const loadBefore = loadAverage();
const machine = lookAtMachine();
const outcomes: { readonly name: string; readonly outcome: Outcome }[] = [];
for (const row of chosen) outcomes.push({ name: row.name, outcome: await measureRow(row, context) });

const peers = [
  typeof base === "string" ? "no earlier build" : `${base.name} (${base.commit.slice(0, 10)})`,
  typeof nginx === "string" ? "no nginx-rtmp" : `nginx ${nginx.version}`,
  typeof haproxy === "string" ? "no HAProxy" : `HAProxy ${haproxy.version}`,
];
const { stolen } = usageSince(machine);
print(
  `${machineName()}; node ${process.version}; dolphin ${own.commit} beside ${peers.join(", ")}; ${new Date().toISOString().slice(0, 10)}; ` +
    `median of ${runs}; load average before ${loadBefore.toFixed(2)}, after ${loadAverage().toFixed(2)}; ${stolen.toFixed(1)} % of a core stolen`,
);
print("");
for (const line of tableOf(outcomes)) print(line);
print("");
print(
  "CPU is that of all processes of a box, their kernel time included, in percent of one core; of plan b and its peers without the server " +
    "behind them. Memory is that of the same processes, every page once; per player it is what came with the players. A figure with × is " +
    "dolphin's over the peer's. On a machine that others use, CPU falls, because more waits to be done at once, and times rise: such a run " +
    "is a check, not a measurement.",
);
process.exit(outcomes.every(({ outcome }) => outcome.failure === null) ? 0 : 1);
