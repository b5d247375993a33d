// The foreign programs of the tests, fetched before any test needs them.
import { findChromium } from "./chromium.js";
import { findFfmpeg, findFfprobe } from "./ffmpeg.js";
import { findNginx } from "./nginx.js";
import { findSystemdAnalyze } from "./systemd-analyze.js";

/** Fetches those that are missing, and says what is there. Never fails for one that is not to be had: its tests are skipped with the reason. */
export async function describePeers(): Promise<string> {
  const nginx = await findNginx();
  const found = typeof nginx === "string" ? nginx : `nginx ${nginx.version} (${nginx.path})`;
  const analyze = await findSystemdAnalyze();
  const chromium = await findChromium().catch((thrown: unknown) => `no chromium: ${String(thrown)}`);
  return `peers: ${found}; ${typeof analyze === "string" ? analyze : analyze.path}; ${chromium}; ${findFfmpeg()}; ${findFfprobe()}`;
}
