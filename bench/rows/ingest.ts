// Ingest: publishers and nobody who watches, held against the earlier build. nginx-rtmp is told beside it: a peer's CPU at ingest
// swings by eight on virtual machines, because whoever reads until nothing is left gets more at once when an idle core wakes late.
import { planA, single } from "../boxes/servers.js";
import type { Limit, Row } from "../row.js";
import { measureIngest, type Ingest } from "../runs/ingest.js";
import { boxes } from "./contenders.js";

interface Load extends Ingest {
  readonly name: string;
  readonly cpu: Limit;
  readonly memory: Limit | null;
}

const loads: readonly Load[] = [
  { name: "300 × 1 Mbps", publishers: 300, kbps: 1000, cpu: { bar: 0.45, aim: 0.33 }, memory: { bar: 0.6, aim: 0.3 } },
  { name: "1000 × 200 kbps", publishers: 1000, kbps: 200, cpu: { bar: 0.45, aim: 0.33 }, memory: null },
  { name: "20 × 10 Mbps", publishers: 20, kbps: 10_000, cpu: { bar: 0.7, aim: 0.5 }, memory: null },
];

const shapes = [
  { name: "plan single", shape: single },
  { name: "plan a, 1 edge", shape: planA(1) },
];

export const ingestRows: readonly Row[] = loads.flatMap((load) =>
  shapes.map(({ name, shape }) => ({
    name: `ingest, ${load.name}, ${name}`,
    contenders: boxes(shape, ["base", "nginx-rtmp"], (serving) => measureIngest(serving, load)),
    held: [
      { figure: "cpu", as: "ratio", limit: load.cpu },
      { figure: "publisherMib", as: "value", limit: load.memory },
      { figure: "grownMib", as: "value", limit: null },
    ],
  })),
);
