// An hour of the box's totals, a sample every five seconds: a ring of rows, whose memory is taken once, and the same in a file beside the
// control socket, a row at a time, so that it outlives the admin however that ends, and the master. Where nobody looked there is no row of
// that time, and the charts show a gap.
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { series, type History as Shape, type Series } from "./shapes.js";

/** From one sample to the next, and how far back they are kept. */
export const historyStepMs = 5_000;
export const historyKeptMs = 3_600_000;

const rows = historyKeptMs / historyStepMs;
/** Of a row: when, and each series. */
const width = 1 + series.length;
const rowBytes = width * Float64Array.BYTES_PER_ELEMENT;

/** The ring. `close` closes the file. */
export class History {
  private readonly table = new Float64Array(rows * width);
  private fd: number | null;

  /** `path`: its file, made where there is none; null, or one that cannot be used: it is in memory alone. */
  constructor(path: string | null = null) {
    this.fd = path === null ? null : this.load(path);
  }

  /** Adds a sample; the one of an hour ago goes. */
  add(atMs: number, sample: Readonly<Record<Series, number>>): void {
    const row = Math.floor(atMs / historyStepMs) % rows;
    const values = [atMs, ...series.map((name) => sample[name])];
    this.table.set(values, row * width);
    if (this.fd === null) return;
    try {
      writeSync(this.fd, new Uint8Array(this.table.buffer, row * rowBytes, rowBytes), 0, rowBytes, row * rowBytes);
    } catch {
      this.close(); // a full disk: what is in memory goes on
    }
  }

  /** The samples behind a time, oldest first. */
  since(sinceMs: number): Shape {
    const at = (row: number): number => this.table[row * width]!;
    const all = Array.from({ length: rows }, (_, row) => row);
    const newestMs = Math.max(...all.map(at));
    const wanted = all
      .filter((row) => at(row) > sinceMs && at(row) > newestMs - historyKeptMs)
      .toSorted((one, other) => at(one) - at(other));
    const pick = (column: number): number[] => wanted.map((row) => this.table[row * width + column]!);
    const columns = {} as Record<Series, readonly number[]>;
    for (const [i, name] of series.entries()) columns[name] = pick(i + 1);
    return { stepMs: historyStepMs, keptMs: historyKeptMs, at: pick(0), columns };
  }

  close(): void {
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }

  private load(path: string): number | null {
    let fd: number | null = null;
    try {
      // Nothing but a file is followed or written: the folder may be one of everybody's.
      fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
      const bytes = new Uint8Array(this.table.buffer);
      if (fstatSync(fd).size !== bytes.length) {
        ftruncateSync(fd, 0); // another version's, with other series
        ftruncateSync(fd, bytes.length);
      } else readSync(fd, bytes, 0, bytes.length, 0);
      const isRow = (ms: number): boolean => Number.isFinite(ms) && ms >= 0 && ms <= Date.now();
      for (let row = 0; row < rows; row++) if (!isRow(this.table[row * width]!)) this.table.fill(0, row * width, (row + 1) * width);
      return fd;
    } catch {
      if (fd !== null) closeSync(fd);
      return null;
    }
  }
}
