// Crowds that come at once to a stream that runs, and crowds whose process dies or is replaced; all held against the earlier build.
import { planA } from "../boxes/servers.js";
import type { Limit, Row } from "../row.js";
import { killOfEdge, measureBlow, upgrade, type Blow, type Viewers } from "../runs/blow.js";
import { measureCrowd, type Crowd } from "../runs/crowd.js";
import { boxes } from "./contenders.js";

interface Coming extends Crowd {
  readonly edges: number;
  readonly first99: Limit;
  readonly perJoin: Limit;
}

interface Struck extends Viewers {
  readonly what: string;
  readonly blow: Blow;
  readonly figure: "servedLastS" | "movedS";
}

const [rtmp, flv] = [
  { bar: 0.5, aim: 0.3 },
  { bar: 0.2, aim: 0.05 },
];
const perJoin = { bar: 0.6, aim: 0.4 };
const notWorse = { bar: 1.05, aim: 0.5 };

const comings: readonly Coming[] = [
  { players: 2000, rampS: 1, protocol: "rtmp", edges: 1, first99: rtmp, perJoin },
  { players: 2000, rampS: 1, protocol: "flv", edges: 1, first99: flv, perJoin },
  { players: 5000, rampS: 3, protocol: "rtmp", edges: 2, first99: notWorse, perJoin: notWorse },
  { players: 5000, rampS: 3, protocol: "flv", edges: 2, first99: notWorse, perJoin: notWorse },
];

const blows: readonly Struck[] = [
  { what: "of the only edge, killed", blow: killOfEdge, players: 2000, rampS: 3, protocol: "rtmp", figure: "servedLastS" },
  { what: "of the only edge, killed", blow: killOfEdge, players: 2000, rampS: 3, protocol: "flv", figure: "servedLastS" },
  { what: "of the only edge, killed", blow: killOfEdge, players: 10_000, rampS: 10, protocol: "rtmp", figure: "servedLastS" },
  { what: "at an upgrade", blow: upgrade, players: 2000, rampS: 3, protocol: "rtmp", figure: "movedS" },
];

export const crowdRows: readonly Row[] = comings.map((coming) => ({
  name: `crowd, ${nameOf(coming)} in ${coming.rampS} s, ${coming.edges === 1 ? "one edge" : `${coming.edges} edges`}`,
  contenders: boxes(planA(coming.edges), ["base"], (serving) => measureCrowd(serving, coming)),
  held: [
    { figure: "joinMedianS", as: "ratio", limit: null },
    { figure: "join99S", as: "ratio", limit: coming.first99 },
    { figure: "joinLastS", as: "ratio", limit: null },
    { figure: "cpuPerJoinMs", as: "ratio", limit: coming.perJoin },
  ],
}));

export const deathRows: readonly Row[] = blows.map(({ what, blow, figure, ...viewers }) => ({
  name: `${nameOf(viewers)} ${what}`,
  contenders: boxes(planA(1), ["base"], (serving) => measureBlow(serving, viewers, blow)),
  held: [
    ...(figure === "movedS" ? [] : [{ figure: "servedMedianS", as: "ratio", limit: null } as const]),
    { figure, as: "ratio", limit: { bar: 0.6, aim: 0.4 } },
    { figure: "closed", as: "value", limit: { bar: 0, aim: 0 } },
    { figure: "longestGapMs", as: "value", limit: null },
  ],
}));

function nameOf({ players, protocol }: { readonly players: number; readonly protocol: "rtmp" | "flv" }): string {
  return `${players.toLocaleString("en")} viewers (${protocol === "flv" ? "HTTP-FLV" : "RTMP"})`;
}
