// `make bench`: compares dolphin with nginx-rtmp, and its proxies with HAProxy and nginx's stream module, on this machine
// and in the same run, and prints a Markdown table.
// BENCH_RUNS is how often each row is run (3; medians are shown), BENCH_ROWS a word that the names of the rows must hold.
import { loadavg } from "node:os";
import { findNginx } from "../test/helpers/nginx.js";
import { machineName } from "./measure.js";
import { rows } from "./rows.js";
import type { Result } from "./row.js";

const runs = Number(process.env["BENCH_RUNS"] ?? 3);
const filter = process.env["BENCH_ROWS"] ?? "";
const say = (progress: string): void => void process.stderr.write(`${progress}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** What else the machine does: a figure taken beside other work is worth less. */
const loadBefore = loadavg()[0] ?? 0;
const nginx = await findNginx();
if (typeof nginx === "string") say(nginx);
const results: Result[] = [];
const failures: string[] = [];
for (const row of rows.filter(({ name }) => name.includes(filter))) {
  try {
    results.push(...(await row.run({ nginx, runs, say })));
  } catch (thrown) {
    failures.push(`${row.name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    say(`${failures.at(-1)}`);
  }
}

const peer = typeof nginx === "string" ? "without nginx" : `nginx ${nginx.version}`;
print(
  `${machineName()}; node ${process.version}, ${peer}; ${new Date().toISOString().slice(0, 10)}; median of ${runs}; load average before ${loadBefore.toFixed(2)}`,
);
print("");
print("| what | dolphin | peer | figure | bar | aim | |");
print("|---|---|---|---|---|---|---|");
for (const result of results) {
  const { limit } = result;
  const order = limit?.isMoreBetter === true ? "≥" : "≤";
  const limits = limit === null ? "– | –" : `${order} ${limit.bar} | ${order} ${limit.aim}`;
  print(
    `| ${result.name} | ${result.dolphin} | ${result.peer} | ${result.value === null ? "–" : result.value.toFixed(result.digits)} | ${limits} | ${verdict(result)} |`,
  );
}
const remarks = results.flatMap(({ name, remarks: said }) => said.map((remark) => `- ${name}: ${remark}`));
print("");
print("CPU is that of the serving process in percent of one core; the figure of a comparison is dolphin's CPU over the peer's.");
print("The peer is nginx-rtmp where no other is named.");
for (const line of [...remarks, ...failures.map((failure) => `- failed: ${failure}`)]) print(line);
process.exit(failures.length === 0 ? 0 : 1);

function verdict({ value, limit }: Result): string {
  if (limit === null) return "";
  if (value === null) return "no peer";
  const reaches = (goal: number): boolean => (limit.isMoreBetter === true ? value >= goal : value <= goal);
  return reaches(limit.aim) ? "ok, aim" : reaches(limit.bar) ? "ok" : "miss";
}
