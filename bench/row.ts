// The words between the rows, whoever measures them, and whoever prints them.
import type { HaproxyProgram } from "../test/helpers/haproxy.js";
import type { NginxProgram } from "../test/helpers/nginx.js";
import type { Build } from "./boxes/build.js";

/** Every figure that a measurement may find: what it is called in the table, its unit, and how many digits are worth printing. */
export const figureWords = {
  cpu: { title: "CPU", unit: "%", digits: 1 },
  cpuPerJoinMs: { title: "CPU per join", unit: "ms", digits: 2 },
  cpuPerConnectionUs: { title: "CPU per connection", unit: "µs", digits: 0 },
  connectionsPerS: { title: "connections a second", unit: "", digits: 0 },
  edgesCpu: { title: "CPU of the edges", unit: "%", digits: 1 },
  requestsPerS: { title: "requests a second", unit: "", digits: 0 },
  answerKib: { title: "an answer", unit: "KiB", digits: 1 },
  wakeUps: { title: "wake-ups a second", unit: "", digits: 0 },
  totalMib: { title: "memory", unit: "MiB", digits: 0 },
  publisherMib: { title: "memory of the box per publisher", unit: "MiB", digits: 2 },
  grownMib: { title: "memory that each publisher added", unit: "MiB", digits: 2 },
  playerKib: { title: "memory per player", unit: "KiB", digits: 1 },
  edgePlayerKib: { title: "memory per player in the edge", unit: "KiB", digits: 1 },
  masterPlayerKib: { title: "memory per player in the master", unit: "KiB", digits: 1 },
  joinMedianS: { title: "first media, median", unit: "s", digits: 3 },
  join99S: { title: "first media, 99 %", unit: "s", digits: 3 },
  joinLastS: { title: "first media, last", unit: "s", digits: 3 },
  servedMedianS: { title: "served again, median", unit: "s", digits: 2 },
  served99S: { title: "served again, 99 %", unit: "s", digits: 2 },
  servedLastS: { title: "served again, last", unit: "s", digits: 2 },
  movedS: { title: "all in the new process", unit: "s", digits: 2 },
  admittedS: { title: "all let in", unit: "s", digits: 2 },
  admissionsPerS: { title: "let in a second", unit: "", digits: 0 },
  longestLagMs: { title: "an edge's event loop was late, at most", unit: "ms", digits: 0 },
  closed: { title: "closed", unit: "", digits: 0 },
  latePlayers: { title: "players with a gap over 1.5 s", unit: "", digits: 0 },
  longestGapMs: { title: "longest gap", unit: "ms", digits: 0 },
  maxOverMean: { title: "busiest worker over mean", unit: "", digits: 2 },
  listensAgainS: { title: "answers again", unit: "s", digits: 2 },
  loadCpu: { title: "load tools", unit: "%", digits: 1 },
  othersCpu: { title: "others on the machine", unit: "%", digits: 0 },
  stolenCpu: { title: "stolen by other guests", unit: "%", digits: 1 },
} as const;

export type FigureName = keyof typeof figureWords;
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

/** What one measurement found. */
export interface Sample {
  readonly figures: Figures;
  /** What makes the figures worth less than they seem: a load that was not served. */
  readonly problem: string | null;
}

/** What a figure must reach and what it should. */
export interface Limit {
  readonly bar: number;
  readonly aim: number;
  readonly isMoreBetter?: boolean;
}

/** A figure of a row, and what it is held to; without a limit it is only told. */
export interface Held {
  readonly figure: FigureName;
  /** `ratio`: ours over the row's first peer in the same run; `value`: ours. */
  readonly as: "ratio" | "value";
  readonly limit: Limit | null;
}

/** One line of the table. `value` is what the limit is about, `figure` how it is printed; null when it was not to be had. */
export interface Result {
  readonly name: string;
  readonly dolphin: string;
  readonly peer: string;
  readonly value: number | null;
  readonly figure: string;
  readonly limit: Limit | null;
}

/** What a row comes to: its lines, what is to be said about them, and why it failed where it did. */
export interface Outcome {
  readonly results: readonly Result[];
  readonly remarks: readonly string[];
  readonly failure: string | null;
}

/** What there is to compare with; a sentence says why there is none. */
export interface Context {
  readonly own: Build;
  readonly base: Build | string;
  readonly nginx: NginxProgram | string;
  readonly haproxy: HaproxyProgram | string;
  readonly runs: number;
  readonly say: (progress: string) => void;
}

/** Who is measured. `measure` starts him, measures, and stops him. */
export interface Contender {
  readonly name: string;
  measure(): Promise<Sample>;
}

/** One row as data: dolphin, and who else is measured in turn with it. */
export interface Row {
  readonly name: string;
  readonly held: readonly Held[];
  /** Ours first; the one behind it is the peer of the ratios; further ones are told in the remarks. A sentence: why one is missing. */
  contenders(context: Context): readonly (Contender | string)[];
  /** What a reader must know to read the figures. */
  readonly remark?: string | undefined;
}
