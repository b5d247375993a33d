// The foreign programs of the tests, fetched before any test needs them.
import { findChromium } from "./chromium.js";
import { findFfmpeg, findFfprobe } from "./ffmpeg.js";
import { findHaproxy } from "./haproxy.js";
import { findNginx } from "./nginx.js";
import { findPrometheus } from "./prometheus.js";
import { findRedis } from "./redis.js";
import { findRtmpdump } from "./rtmpdump.js";
import { findSystemdAnalyze } from "./systemd-analyze.js";

/** Fetches those that are missing, and says what is there. Never fails for one that is not to be had: its tests are skipped with the reason. */
export async function describePeers(): Promise<string> {
  const pathOf = (found: string | { readonly path: string }): string => (typeof found === "string" ? found : found.path);
  const nginx = await findNginx();
  const redis = await findRedis();
  const words = [
    typeof nginx === "string" ? nginx : `nginx ${nginx.version} (${nginx.path})`,
    pathOf(await findSystemdAnalyze()),
    await findChromium().catch((thrown: unknown) => `no chromium: ${String(thrown)}`),
    typeof redis === "string" ? redis : `redis (${redis.folder})`,
    await findPrometheus().catch((thrown: unknown) => `no prometheus: ${String(thrown)}`),
    pathOf(await findHaproxy()),
  ];
  const rtmpdump = await findRtmpdump();
  return `peers: ${[...words, typeof rtmpdump === "string" ? rtmpdump : "rtmpdump", findFfmpeg(), findFfprobe()].join("; ")}`;
}
