// A program of its own, run once before the tests: fetches the foreign peers, so that no test's time is spent on it, and says what is
// there. It never fails: tests that miss a peer are skipped with the reason.
import { findFfmpeg, findFfprobe } from "./ffmpeg.js";
import { findNginx } from "./nginx.js";
import { findSystemdAnalyze } from "./systemd-analyze.js";

const nginx = await findNginx();
const found = typeof nginx === "string" ? nginx : `nginx ${nginx.version} (${nginx.path})`;
const analyze = await findSystemdAnalyze();
process.stdout.write(`peers: ${found}; ${typeof analyze === "string" ? analyze : analyze.path}; ${findFfmpeg()}; ${findFfprobe()}\n`);
