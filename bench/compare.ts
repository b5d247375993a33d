// From a row as data to lines of the table: everybody is measured in turn (ABAB…), so that what else the machine does falls on all of
// them, and medians are compared. What fails is counted and told; it ends neither its row nor the table.
import { median } from "./median.js";
import {
  figureWords,
  type Contender,
  type Context,
  type FigureName,
  type Held,
  type Outcome,
  type Result,
  type Row,
  type Sample,
} from "./row.js";

/** What was measured of one of them. */
interface Measured {
  readonly name: string;
  readonly samples: readonly Sample[];
  readonly failures: readonly string[];
}

/** Load tools that take more of a core were out of breath, or near it. */
const breathlessPercent = 85;
/** Others that take more of a core are worth a word, and so is what other guests of the host take. */
const crowdedPercent = 25;
const stolenPercent = 3;

/** Measures a row as often as the context says. Never throws. */
export async function measureRow(row: Row, context: Context): Promise<Outcome> {
  const wanted = row.contenders(context);
  const contenders = wanted.filter((one) => typeof one !== "string");
  const missing = wanted.filter((one) => typeof one === "string");
  const measured = contenders.map(({ name }) => ({ name, samples: [] as Sample[], failures: [] as string[] }));
  for (let turn = 0; turn < context.runs; turn++) {
    for (const [index, contender] of contenders.entries()) {
      const into = measured[index];
      if (into !== undefined) await measureOnce(contender, into, (what) => context.say(`${row.name}: ${what}`));
    }
  }
  // A peer that is missing must not hand its place to the one behind it.
  const [own] = measured;
  const peerName = typeof wanted[1] === "string" ? undefined : wanted[1]?.name;
  const peer = measured.find(({ name }) => name === peerName);
  if (own === undefined || own.samples.length === 0)
    return { results: [], remarks: [], failure: `${row.name}: ${own?.failures[0] ?? missing[0]}` };
  const results = row.held.map((held) => resultOf(row.name, held, own, peer));
  const remarks = [
    ...(row.remark === undefined ? [] : [row.remark]),
    ...measured.filter((one) => one !== own && one !== peer && one.samples.length > 0).map((other) => toldOf(other, row.held)),
    ...missing,
    ...measured.flatMap(doubtsAbout),
    besideThem(measured),
  ].filter((remark) => remark !== "");
  const failed = measured.find(({ samples }) => samples.length === 0);
  return { results, remarks, failure: failed === undefined ? null : `${row.name}: ${failed.name}: ${failed.failures[0]}` };
}

async function measureOnce(
  contender: Contender,
  into: { samples: Sample[]; failures: string[] },
  say: (what: string) => void,
): Promise<void> {
  try {
    const sample = await contender.measure();
    into.samples.push(sample);
    const figures = Object.keys(sample.figures).map((figure) =>
      inWords(figure as FigureName, sample.figures[figure as FigureName] ?? Number.NaN),
    );
    say(`${contender.name}: ${figures.join(", ")}${sample.problem === null ? "" : ` (${sample.problem})`}`);
  } catch (thrown) {
    into.failures.push(thrown instanceof Error ? thrown.message : String(thrown));
    say(`${contender.name} failed: ${into.failures.at(-1)}`);
  }
}

function resultOf(rowName: string, { figure, as, limit }: Held, own: Measured, peer: Measured | undefined): Result {
  const ours = medianOf(own, figure);
  const theirs = peer === undefined ? null : medianOf(peer, figure);
  const ratio = ours === null || theirs === null ? null : ours / theirs;
  const value = as === "ratio" ? ratio : ours;
  return {
    name: `${rowName}: ${figureWords[figure].title}`,
    dolphin: ours === null ? "" : withUnit(figure, ours),
    peer: theirs === null || peer === undefined ? "" : `${peer.name} ${withUnit(figure, theirs)}`,
    value,
    figure: value === null ? "–" : as === "ratio" ? `${value.toFixed(2)} ×` : withUnit(figure, value),
    limit,
  };
}

/** The figures of one who is only told. */
function toldOf(other: Measured, held: readonly Held[]): string {
  const figures = held.map(({ figure }) => ({ figure, value: medianOf(other, figure) })).filter(({ value }) => value !== null);
  return `${other.name}: ${figures.map(({ figure, value }) => inWords(figure, value ?? Number.NaN)).join(", ")}`;
}

/** Runs that failed, and runs that did not get what they asked for. */
function doubtsAbout({ name, samples, failures }: Measured): string[] {
  const runs = samples.length + failures.length;
  const short = samples.map(({ problem }) => problem).filter((problem) => problem !== null);
  return [
    ...(failures.length === 0 ? [] : [`${name}: ${failures.length} of ${runs} runs failed (${failures[0]})`]),
    ...(short.length === 0 ? [] : [`${name}: ${short.length} of ${runs} runs fell short (${short[0]})`]),
  ];
}

/** What the load cost, and what else the machine did. */
function besideThem(measured: readonly Measured[]): string {
  const most = (figure: FigureName): number => Math.max(0, ...measured.map((one) => medianOf(one, figure) ?? 0));
  const [load, others, stolen] = [most("loadCpu"), most("othersCpu"), most("stolenCpu")];
  return [
    load > 0
      ? `the load tools took up to ${withUnit("loadCpu", load)} of a core${load > breathlessPercent ? ", too much to trust it" : ""}`
      : "",
    others > crowdedPercent ? `others on the machine took ${withUnit("othersCpu", others)} of a core` : "",
    stolen > stolenPercent ? `other guests of the host took ${withUnit("stolenCpu", stolen)} of a core` : "",
  ]
    .filter((part) => part !== "")
    .join("; ");
}

/** Null when no run found it. */
function medianOf({ samples }: Measured, figure: FigureName): number | null {
  const values = samples.map(({ figures }) => figures[figure] ?? Number.NaN).filter((value) => Number.isFinite(value));
  return values.length === 0 ? null : median(values);
}

function inWords(figure: FigureName, value: number): string {
  return `${figureWords[figure].title} ${withUnit(figure, value)}`;
}

function withUnit(figure: FigureName, value: number): string {
  const { unit, digits } = figureWords[figure];
  return `${value.toFixed(digits)} ${unit}`.trim();
}
