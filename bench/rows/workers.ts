// The box itself: what it takes when nobody is there, how it spreads connections, how soon a dead worker is replaced.
import { planA } from "../boxes/servers.js";
import type { Row } from "../row.js";
import { measureIdle } from "../runs/idle.js";
import { measureRecovery, measureSpread } from "../runs/workers.js";
import { boxes } from "./contenders.js";

export const workerRows: readonly Row[] = [
  {
    name: "idle, 2 edges",
    contenders: boxes(planA(2), ["base"], measureIdle),
    held: [
      { figure: "cpu", as: "value", limit: { bar: 1, aim: 0.5 } },
      { figure: "wakeUps", as: "value", limit: { bar: 30, aim: 15 } },
      { figure: "totalMib", as: "value", limit: null },
    ],
  },
  {
    name: "400 long connections over 4 workers",
    contenders: boxes(planA(4), [], measureSpread),
    held: [{ figure: "maxOverMean", as: "value", limit: { bar: 1.3, aim: 1.1 } }],
  },
  {
    name: "the only edge, killed",
    contenders: boxes(planA(1), ["base"], measureRecovery),
    held: [{ figure: "listensAgainS", as: "value", limit: { bar: 1, aim: 0.3 } }],
  },
];
