// A real Prometheus that scrapes a box: Debian's, from PROMETHEUS_PATH, else the system, else downloaded and unpacked like the other
// peers. Its promtool lies beside it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { start } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";
import type { Cleanup } from "./dolphin.js";
import { freePort } from "./ports.js";
import { eventually } from "./wait.js";

/** One value of an answer, with its labels. */
interface PromSample {
  readonly metric: Readonly<Record<string, string>>;
  /** NaN where it is none. */
  readonly value: number;
}

export interface PrometheusServer {
  /** Evaluates an expression now. Throws what Prometheus says of it. */
  query(expression: string): Promise<readonly PromSample[]>;
  /** The values of a label. */
  valuesOf(label: string): Promise<readonly string[]>;
}

/** Throws what apt says where it cannot be had. */
export async function findPrometheus(): Promise<string> {
  const named = process.env["PROMETHEUS_PATH"];
  if (named !== undefined && named !== "") return named;
  if (existsSync("/usr/bin/prometheus")) return "/usr/bin/prometheus";
  const unpacked = join(peersFolder, "usr/bin/prometheus");
  if (!existsSync(unpacked)) await unpackDebianPackages(["prometheus"]);
  return unpacked;
}

/** Starts one that scrapes a port of this machine twice a second, until the end of the test. */
export async function startPrometheus(t: Cleanup, target: number): Promise<PrometheusServer> {
  const path = await findPrometheus();
  const folder = mkdtempSync(join(tmpdir(), "dolphin-prometheus-"));
  const port = await freePort();
  const config = {
    global: { scrape_interval: "500ms" },
    scrape_configs: [{ job_name: "dolphin", static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
  };
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config)); // JSON is YAML
  const child = start(path, [
    `--config.file=${join(folder, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(folder, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  t.after(async () => {
    await child.stop("SIGTERM", 5000);
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = async (question: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${question}`);
    const answer = (await response.json()) as { readonly status: string; readonly error?: string; readonly data: unknown };
    if (answer.status !== "success") throw new Error(`${question}: ${answer.error ?? response.status}`);
    return answer.data;
  };
  const query = async (expression: string): Promise<PromSample[]> => {
    const { result } = (await ask(`query?query=${encodeURIComponent(expression)}`)) as {
      readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[];
    };
    return result.map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
  };
  await eventually(async () => child.ending === null && (await query("up").catch(() => [])).length > 0, {
    timeoutMs: 30_000,
    what: "a first scrape by Prometheus",
  });
  return {
    query,
    valuesOf: async (label) => (await ask(`label/${label}/values`)) as string[],
  };
}

/** What promtool has to say against a text, line by line; null where there is no promtool. */
export async function lintMetrics(text: string): Promise<string[] | null> {
  const promtool = join(dirname(await findPrometheus()), "promtool");
  if (!existsSync(promtool)) return null;
  const { stdout, stderr } = spawnSync(promtool, ["check", "metrics"], { input: text, encoding: "utf8" });
  return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
}
