// Fan-out: viewers who have come and stay. Few streams are held against nginx-rtmp with one worker, many against the earlier build.
import { planA, single } from "../boxes/servers.js";
import type { Limit, Row } from "../row.js";
import { measurePlayers, type Audience } from "../runs/players.js";
import { boxes } from "./contenders.js";

interface Crowd extends Audience {
  readonly name: string;
  readonly cpu: Limit;
  readonly remark?: string;
}

const noFlv = "nginx-rtmp has no HTTP-FLV: it serves RTMP at the same load";

const crowds: readonly Crowd[] = [
  { name: "RTMP, 2000 × 200 kbps", players: 2000, kbps: 200, rampS: 3, protocol: "rtmp", cpu: { bar: 0.1, aim: 0.06 } },
  { name: "HTTP-FLV, 2000 × 200 kbps", players: 2000, kbps: 200, rampS: 3, protocol: "flv", cpu: { bar: 0.1, aim: 0.06 }, remark: noFlv },
  { name: "RTMP, 500 × 1 Mbps", players: 500, kbps: 1000, rampS: 2, protocol: "rtmp", cpu: { bar: 0.15, aim: 0.1 } },
];

const many: Audience = { players: 240, streams: 60, kbps: 500, rampS: 2, protocol: "rtmp" };
const notWorse: Limit = { bar: 1.05, aim: 0.65 };
const manyShapes = [
  { name: "plan single", shape: single, cpu: notWorse },
  { name: "plan a, 1 edge", shape: planA(1), cpu: { bar: 0.65, aim: 0.5 } },
  { name: "plan a, 2 edges", shape: planA(2), cpu: notWorse },
];

const thousands: Audience = { players: 10_000, kbps: 200, rampS: 8, protocol: "rtmp" };

export const fanoutRows: readonly Row[] = [
  ...crowds.map(({ name, cpu, remark, ...audience }): Row => ({
    name: `fan-out ${name}, one edge`,
    contenders: boxes(planA(1), ["nginx-rtmp", "base"], (serving) => measurePlayers(serving, audience)),
    held: [
      { figure: "cpu", as: "ratio", limit: cpu },
      { figure: "playerKib", as: "value", limit: null },
    ],
    remark,
  })),
  {
    name: "fan-out RTMP, 10,000 × 200 kbps, one edge",
    contenders: boxes(planA(1), ["base"], (serving) => measurePlayers(serving, thousands)),
    held: [
      { figure: "cpu", as: "value", limit: { bar: 28, aim: 22 } },
      { figure: "edgePlayerKib", as: "value", limit: { bar: 10, aim: 8 } },
      { figure: "masterPlayerKib", as: "value", limit: { bar: 2, aim: 1 } },
      { figure: "totalMib", as: "value", limit: null },
      { figure: "latePlayers", as: "value", limit: { bar: 0, aim: 0 } },
    ],
  },
  {
    name: "fan-out RTMP, 2000 × 200 kbps, carry_sessions on over off",
    contenders: boxes(planA(1), ["uncarried"], (serving) =>
      measurePlayers(serving, { players: 2000, kbps: 200, rampS: 3, protocol: "rtmp" }),
    ),
    held: [{ figure: "cpu", as: "ratio", limit: { bar: 1.03, aim: 1.03 } }],
  },
];

export const manyRows: readonly Row[] = manyShapes.map(({ name, shape, cpu }) => ({
  name: `60 streams × 500 kbps × 4 viewers, ${name}`,
  contenders: boxes(shape, ["base", "nginx-rtmp"], (serving) => measurePlayers(serving, many)),
  held: [
    { figure: "cpu", as: "ratio", limit: cpu },
    { figure: "totalMib", as: "value", limit: null },
  ],
}));
