// Publishers of one stream each, and nobody who watches.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Serving } from "../boxes/servers.js";
import { startPublishers } from "../load.js";
import { memoryOf } from "../meter/memory.js";
import { watch } from "../meter/window.js";
import type { Sample } from "../row.js";
import { mib, missingOf, youthOf } from "./pace.js";

export interface Ingest {
  readonly publishers: number;
  readonly kbps: number;
}

const windowS = 10;
/** Two rounds of key frames: what is kept for newcomers has its size by then. */
const settleMs = 4000;

export async function measureIngest(serving: Serving, { publishers, kbps }: Ingest): Promise<Sample> {
  const { rtmpPort, tree } = serving;
  const cleanups = new Cleanups();
  try {
    await pause(youthOf(serving));
    const before = memoryOf(tree);
    const load = await startPublishers({ port: rtmpPort, stream: "ingest", publishers, kbps }, settleMs / 1000 + windowS + 5);
    cleanups.after(() => load.stop());
    await pause(settleMs);
    const { spent, beside } = await watch(serving.tree, [load.pid], windowS);
    const total = memoryOf(tree);
    const problem = missingOf(await load.report, { publishers, kbps });
    const figures = { cpu: spent.cpu, publisherMib: mib(total) / publishers, grownMib: mib(total - before) / publishers, ...beside };
    return { figures, problem };
  } finally {
    await cleanups.stopAll();
  }
}
