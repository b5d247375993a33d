// All rows, in the order of the table.
import type { Row } from "./row.js";
import { askedRows } from "./rows/asked.js";
import { crowdRows, deathRows } from "./rows/crowds.js";
import { fanoutRows, manyRows } from "./rows/fanout.js";
import { hlsRows } from "./rows/hls.js";
import { hookRows } from "./rows/hooks.js";
import { ingestRows } from "./rows/ingest.js";
import { planBRows } from "./rows/planb.js";
import { workerRows } from "./rows/workers.js";

export const rows: readonly Row[] = [
  ...ingestRows,
  ...crowdRows,
  ...hookRows,
  ...askedRows,
  ...deathRows,
  ...manyRows,
  ...fanoutRows,
  ...hlsRows,
  ...planBRows,
  ...workerRows,
];
