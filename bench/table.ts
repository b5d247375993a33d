// The table as Markdown, as it stands in README.md.
import type { Limit, Outcome, Result } from "./row.js";

/** The table, and below it what is to be said about its rows. */
export function tableOf(outcomes: readonly { readonly name: string; readonly outcome: Outcome }[]): string[] {
  const remarks = outcomes.flatMap(({ name, outcome }) =>
    outcome.remarks.length === 0 ? [] : [`- ${name}: ${outcome.remarks.join("; ")}`],
  );
  const failures = outcomes.flatMap(({ outcome }) => (outcome.failure === null ? [] : [`- failed: ${outcome.failure}`]));
  return [
    "| what | dolphin | peer | figure | bar | aim | |",
    "|---|---|---|---|---|---|---|",
    ...outcomes.flatMap(({ outcome }) => outcome.results.map(lineOf)),
    "",
    ...remarks,
    ...failures,
  ];
}

function lineOf({ name, dolphin, peer, value, figure, limit }: Result): string {
  const order = limit?.isMoreBetter === true ? "≥" : "≤";
  const limits = limit === null ? ["", ""] : [`${order} ${limit.bar}`, `${order} ${limit.aim}`];
  return `| ${[name, dolphin, peer, figure, ...limits, verdict(value, limit)].join(" | ")} |`;
}

function verdict(value: number | null, limit: Limit | null): string {
  if (limit === null) return "";
  if (value === null) return "no peer";
  const reaches = (goal: number): boolean => (limit.isMoreBetter === true ? value >= goal : value <= goal);
  return reaches(limit.aim) ? "ok, aim" : reaches(limit.bar) ? "ok" : "miss";
}
