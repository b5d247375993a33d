// Plan b: one proxy and its master before one server, which does not count, against HAProxy and nginx's stream module before the same.
import type { Row } from "../row.js";
import { measurePlayers } from "../runs/players.js";
import { measureStorm } from "../runs/storm.js";
import { relays } from "./contenders.js";

export const planBRows: readonly Row[] = [
  {
    name: "plan b relay, 500 × 1 Mbps",
    contenders: relays("stream", ["HAProxy with splice", "base", "HAProxy", "nginx stream"], (serving) =>
      measurePlayers(serving, { players: 500, kbps: 1000, rampS: 2, protocol: "rtmp" }),
    ),
    held: [
      { figure: "cpu", as: "ratio", limit: { bar: 1, aim: 0.8 } },
      { figure: "playerKib", as: "value", limit: null },
    ],
  },
  {
    name: "plan b relay, 2000 × 200 kbps",
    contenders: relays("stream", ["HAProxy", "base", "HAProxy with splice"], (serving) =>
      measurePlayers(serving, { players: 2000, kbps: 200, rampS: 3, protocol: "rtmp" }),
    ),
    held: [{ figure: "cpu", as: "ratio", limit: { bar: 1, aim: 0.8 } }],
  },
  {
    name: "plan b relay, 2000 × 200 kbps, over nginx's stream module",
    contenders: relays("stream", ["nginx stream"], (serving) =>
      measurePlayers(serving, { players: 2000, kbps: 200, rampS: 3, protocol: "rtmp" }),
    ),
    held: [{ figure: "playerKib", as: "ratio", limit: { bar: 1, aim: 0.5 } }],
  },
  {
    name: "plan b connections set up and ended",
    contenders: relays("storm", ["HAProxy", "base", "nginx stream"], measureStorm),
    held: [
      { figure: "cpuPerConnectionUs", as: "ratio", limit: { bar: 2, aim: 1.5 } },
      { figure: "connectionsPerS", as: "value", limit: null },
    ],
  },
];
