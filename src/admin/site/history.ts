// An hour of the box's totals, a sample every five seconds: a ring of columns, whose memory is taken once. Where nobody looked, as while
// the admin was being replaced, there is no row, and the charts show a gap.
import { series, type History as Shape, type Series } from "./shapes.js";

/** From one sample to the next, and how far back they are kept. */
export const historyStepMs = 5_000;
export const historyKeptMs = 3_600_000;

const rows = historyKeptMs / historyStepMs;

/** The ring. */
export class History {
  private readonly at = new Float64Array(rows);
  private readonly columns = new Map<Series, Float64Array>(series.map((name) => [name, new Float64Array(rows)]));
  private count = 0;

  /** Adds a sample; the oldest one goes. */
  add(atMs: number, sample: Readonly<Record<Series, number>>): void {
    const to = this.count++ % rows;
    this.at[to] = atMs;
    for (const [name, column] of this.columns) column[to] = sample[name];
  }

  /** The samples behind a time, oldest first. */
  since(sinceMs: number): Shape {
    const first = Math.max(0, this.count - rows);
    const indices = Array.from({ length: this.count - first }, (_, i) => (first + i) % rows).filter((i) => this.at[i]! > sinceMs);
    const pick = (column: Float64Array): number[] => indices.map((i) => column[i]!);
    const columns = {} as Record<Series, readonly number[]>;
    for (const [name, column] of this.columns) columns[name] = pick(column);
    return { stepMs: historyStepMs, keptMs: historyKeptMs, at: pick(this.at), columns };
  }
}
