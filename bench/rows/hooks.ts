// Players that the site's backend is asked about, beside as many about whom nobody is asked.
import { planA } from "../boxes/servers.js";
import type { Row } from "../row.js";
import { measureAdmissions, type Admissions } from "../runs/hooks.js";

const asked: Admissions = { players: 5000, rampS: 5, answerMs: 20 };

export const hookRows: readonly Row[] = [
  {
    name: "5,000 plays in 5 s, each asked about at a backend that answers in 20 ms, 2 edges",
    contenders: ({ own }) => [
      { name: own.name, measure: () => measureAdmissions(own, planA(2), asked) },
      { name: "nobody is asked", measure: () => measureAdmissions(own, planA(2), { ...asked, answerMs: null }) },
    ],
    held: [
      { figure: "admittedS", as: "value", limit: { bar: 8, aim: 5.5 } },
      { figure: "admissionsPerS", as: "value", limit: null },
      { figure: "longestLagMs", as: "value", limit: { bar: 50, aim: 20 } },
      { figure: "cpuPerJoinMs", as: "ratio", limit: null },
    ],
  },
];
