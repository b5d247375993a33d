// Segments of the server beside this node, from the call of a hook to the bytes in the store: one behind the other for each stream, since
// their order is what a list is made of. Who calls may be anybody on this machine, so a file is read only below the server's folder, and
// is taken only as what it has to be.
import { open, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { DolphinError, messageOf } from "../base/errors.js";
import { probeTs, tsTimeModulo } from "../codec/ts/probe.js";
import type { SegmentHook } from "./hook.js";
import { segmentId } from "./names.js";
import { maxSegmentBytes } from "./report.js";
import { sha256Of, type Store } from "./store.js";
import type { OwnSegment } from "./stream.js";

/** Segments of one stream that wait for the disk. */
const maxWaiting = 16;
/** Segments that are read at once, of all streams: each is in memory meanwhile. */
const maxReads = 4;
/** By how much a segment may begin beside the end of the one before it and still continue it. */
const seamTicks = 45_000;
const ticksPerMs = 90;

export interface IntakeOptions {
  /** The folder below which the server writes. */
  readonly root: string;
  readonly me: string;
  readonly store: Store;
  /** The one that was taken last of a stream. */
  readonly lastOf: (path: string) => OwnSegment | null;
  readonly onSegment: (path: string, segment: OwnSegment) => void;
  readonly onRefused: (hook: SegmentHook, error: DolphinError) => void;
}

/** Takes segments. Nothing to close: what is under way ends by itself. */
export class Intake {
  private readonly options: IntakeOptions;
  private readonly turns = new Map<string, { last: Promise<void>; waiting: number }>();

  private readonly reads: Promise<unknown>[] = Array.from({ length: maxReads }, () => Promise.resolve());
  private nextRead = 0;

  constructor(options: IntakeOptions) {
    this.options = options;
  }

  /** Takes a segment that came at `atMs`. */
  take(hook: SegmentHook, atMs: number): void {
    const { path } = hook;
    const turn = this.turns.get(path) ?? { last: Promise.resolve(), waiting: 0 };
    this.turns.set(path, turn);
    if (turn.waiting >= maxWaiting) {
      this.options.onRefused(hook, refused(hook, `${maxWaiting} segments of the stream wait already`));
      return;
    }
    turn.waiting += 1;
    turn.last = turn.last
      .then(() => this.read(hook, atMs))
      .catch((thrown: unknown) => this.options.onRefused(hook, thrown instanceof DolphinError ? thrown : refused(hook, messageOf(thrown))))
      .finally(() => {
        turn.waiting -= 1;
        if (turn.waiting === 0) this.turns.delete(path);
      });
  }

  private async read(hook: SegmentHook, atMs: number): Promise<void> {
    const { path, publish, sequence, durationMs } = hook;
    const { store, me, lastOf, onSegment } = this.options;
    const last = lastOf(path);
    if (last?.publish === publish && sequence <= last.sequence) return; // a call that was repeated
    const bytes = await this.inTurn(() => this.bytesOf(hook));
    const facts = probeTs(bytes);
    if (facts === null)
      throw refused(hook, "it is no MPEG transport stream; keys and fMP4 are not taken: leave hls_keys and hls_use_fmp4 off");
    const sha256 = sha256Of(bytes);
    const id = segmentId(me, atMs, sequence, sha256);
    const { make, startTicks } = facts;
    const isContinuation =
      last !== null && last.publish === publish && last.sequence + 1 === sequence && last.make === make && meets(last, startTicks);
    await store.put(id, bytes);
    const sizeBytes = bytes.length;
    onSegment(path, { id, sha256, sizeBytes, durationMs, endMs: atMs, isContinuation, publish, sequence, startTicks, make });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const at = this.nextRead++ % maxReads;
    const mine = this.reads[at]!.then(work);
    this.reads[at] = mine.catch(() => undefined);
    return mine;
  }

  private async bytesOf(hook: SegmentHook): Promise<Buffer> {
    const [root, file] = await Promise.all([realpath(this.options.root), realpath(hook.file)]);
    if (!file.startsWith(root.endsWith(sep) ? root : root + sep)) throw refused(hook, `it is not below ${root}, the folder of --hls`);
    const handle = await open(file, "r");
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw refused(hook, "it is no file");
      if (found.size > maxSegmentBytes) throw refused(hook, `it is larger than ${maxSegmentBytes} bytes`);
      const bytes = Buffer.allocUnsafe(found.size);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
        if (bytesRead === 0) throw refused(hook, "it became shorter while it was read");
        filled += bytesRead;
      }
      return bytes;
    } finally {
      await handle.close();
    }
  }
}

function meets({ startTicks: from, durationMs }: OwnSegment, to: number | null): boolean {
  if (from === null || to === null) return true; // nothing says otherwise
  const off = (to - from - durationMs * ticksPerMs) % tsTimeModulo;
  const apart = Math.abs(off);
  return Math.min(apart, tsTimeModulo - apart) < seamTicks;
}

function refused({ file }: SegmentHook, why: string): DolphinError {
  return new DolphinError("BACKUP_SEGMENT", `${file} is not served: ${why}`);
}
