// A viewer of HLS who believes nothing: it polls a list as players do, holds every version to the one before, fetches each segment once it
// is named, and judges it as it comes. Source: RFC 8216 sections 6.2.1, 6.2.2 and 4.4.3.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { parse } from "hls-parser";
import { parseList, type ReadList } from "./packages.js";
import { TsJudge } from "./ts-judge.js";
import { eventually } from "./wait.js";

interface Seen {
  readonly uri: string;
  readonly seconds: number;
  readonly isDiscontinuous: boolean;
  readonly sum: string;
}

const everyMs = 150;
/** From the end of a segment to the beginning of the next, where both tell of one stream. */
const mostOffTicks = 90;
/** The requests of a moment may be lost with the process that answers them. */
const answerTimeoutMs = 15_000;

/** Reads one list until it is closed. */
export class HlsReader {
  private readonly url: string;
  private readonly judge = new TsJudge();
  private readonly seen = new Map<number, Seen>();
  private readonly done: Promise<void>;
  private last: ReadList | null = null;
  private discontinuitySequence = 0;
  private nextDts: number | null = null;
  private failure: unknown = null;
  private isClosed = false;
  discontinuities = 0;
  pictures = 0;

  constructor(url: string) {
    this.url = url;
    this.done = this.read();
    this.done.catch((thrown: unknown) => (this.failure = thrown));
  }

  get segments(): number {
    return this.seen.size;
  }

  /** Waits for more segments. Throws what is wrong as soon as anything is. */
  async more(count: number): Promise<void> {
    const wanted = this.seen.size + count;
    await eventually(() => this.failure !== null || this.seen.size >= wanted, { what: `${wanted} segments`, timeoutMs: 60_000 });
    if (this.failure !== null) throw this.failure;
  }

  /** Looks whether what is listed is what it was, and ends. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.done;
    for (const [index, { uri }] of (this.last?.entries ?? []).entries()) {
      const number = this.last!.sequence + index;
      assert.equal(sumOf(await this.fetch(uri)), this.seen.get(number)?.sum, `segment ${number} is what it was`);
    }
  }

  private async read(): Promise<void> {
    while (!this.isClosed) {
      const text = (await this.fetch("")).toString();
      assert.equal(parse(text).isMasterPlaylist, false);
      await this.take(parseList(text));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  private async take(list: ReadList): Promise<void> {
    const { last } = this;
    const told = Number(/^#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)$/m.exec(list.text)?.[1] ?? 0);
    if (last !== null) {
      assert.ok(list.sequence >= last.sequence, `the list fell from ${last.sequence} to ${list.sequence}`);
      assert.ok(
        list.sequence <= last.sequence + last.entries.length,
        `segments from ${last.sequence + last.entries.length} on were never listed`,
      );
      assert.ok(list.targetSeconds >= last.targetSeconds, "the target duration fell");
      const left = last.entries.slice(0, list.sequence - last.sequence);
      this.discontinuitySequence += left.filter(({ isDiscontinuous }) => isDiscontinuous).length;
      assert.equal(told, this.discontinuitySequence, "discontinuities that have left the list");
    } else this.discontinuitySequence = told;
    for (const [index, entry] of list.entries.entries()) {
      const number = list.sequence + index;
      assert.ok(Math.round(entry.seconds) <= list.targetSeconds, `segment ${number} lasts ${entry.seconds} of ${list.targetSeconds}`);
      const known = this.seen.get(number);
      if (known === undefined) await this.add(number, entry);
      else
        assert.deepEqual(
          [entry.uri, entry.seconds, entry.isDiscontinuous],
          [known.uri, known.seconds, known.isDiscontinuous],
          `number ${number} of the list has changed`,
        );
    }
    this.last = list;
  }

  private async add(number: number, entry: ReadList["entries"][number]): Promise<void> {
    const bytes = await this.fetch(entry.uri);
    const isContinued = !entry.isDiscontinuous && this.seen.size > 0;
    const { pes, tracks } = this.judge.read(bytes, isContinued);
    const pictures = pes.filter(({ pid }) => tracks.get(pid) === 0x1b);
    const first = pictures[0]!.dts;
    if (isContinued && this.nextDts !== null)
      assert.ok(Math.abs(first - this.nextDts) <= mostOffTicks, `a hole of ${(first - this.nextDts) / 90} ms before segment ${number}`);
    this.nextDts = first + entry.seconds * 90_000;
    this.pictures += pictures.length;
    if (entry.isDiscontinuous && this.seen.size > 0) this.discontinuities += 1;
    this.seen.set(number, { ...entry, sum: sumOf(bytes) });
  }

  private fetch(uri: string): Promise<Buffer> {
    const url = new URL(uri, this.url).href;
    return eventually(
      async () => {
        const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
        return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : null;
      },
      { what: url, timeoutMs: answerTimeoutMs },
    );
  }
}

function sumOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
