// What the two threads of the splice pump share: memory laid out by slot, and the messages between them. A slot is one
// joined pair; the main thread gives slots out and takes them back, the loop fills them. Side 0 of a slot is the client,
// side 1 the server, and entry `2 * slot + side` of an array belongs to that side.
//
//   main thread                                 loop (worker thread)
//     │ commands: join, end  (port, then eventfd) ─▶│
//     │◀─────────────── ends: slot, by whom, reason │  one message for all of a turn
//     │            shared: fds, pipes, bytes        │
//
// Nothing here is locked: an entry has one writer at a time, and messages order what belongs together.

/** Pairs at once: twice what one proxy process is meant to hold. Memory is used as slots are, from the lowest on. */
export const maxSlots = 40_000;

export interface SpliceTable {
  /** Descriptors by side; 0: none. The main thread sets them before `join`; the loop clears one before it closes it. */
  readonly fds: Int32Array;
  /** A private pipe for what a side sent and the other could not take: its two ends, `2 * (2 * slot + side)`; 0: none. */
  readonly pipes: Int32Array;
  /** What a side has sent and the other was given. */
  readonly bytes: Float64Array;
}

const bytesPerSlot = 2 * Float64Array.BYTES_PER_ELEMENT + 2 * Int32Array.BYTES_PER_ELEMENT + 4 * Int32Array.BYTES_PER_ELEMENT;

export function createTableMemory(slots = maxSlots): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * bytesPerSlot);
}

/** The arrays over the memory, the same for both threads. */
export function tableOver(memory: SharedArrayBuffer): SpliceTable {
  const slots = memory.byteLength / bytesPerSlot;
  const fdsAt = slots * 2 * Float64Array.BYTES_PER_ELEMENT;
  const pipesAt = fdsAt + slots * 2 * Int32Array.BYTES_PER_ELEMENT;
  return {
    bytes: new Float64Array(memory, 0, slots * 2),
    fds: new Int32Array(memory, fdsAt, slots * 2),
    pipes: new Int32Array(memory, pipesAt, slots * 4),
  };
}

/**
 * A command takes four numbers: slot, idle time and total time in milliseconds (0: no limit), and the pair's row in the marks (or
 * {@link noRow}) join the pair whose descriptors stand in the table; with one of these in the place of the idle time they end it, or
 * let go of it.
 */
export const commandNumbers = 4;
export const endCommand = -1;
export const letGoCommand = -2;
/** Of a pair that is not carried. */
export const noRow = -1;

/** In a message from the loop, each end takes three numbers: slot, index into {@link endedBySides}, index into {@link reasons}. */
export const endNumbers = 3;
export const endedBySides = ["client", "server", "proxy"] as const;
export const reasons = ["closed", "reset", "idle", "limit", "stopped", "failed", "moved"] as const;

export const byProxy = 2;
export const closed = 0;
export const reset = 1;
export const idle = 2;
export const limit = 3;
export const stopped = 4;
export const failed = 5;
export const moved = 6;

/** What the worker is started with. */
export interface WorkerSetup {
  readonly memory: SharedArrayBuffer;
  /** An eventfd that counts up when commands wait; the main thread closes it once the loop is over. */
  readonly wakeFd: number;
  /** The memory of the marks; null: no pair is carried. The main thread's. */
  readonly marksFd: number | null;
  /** Set before the last wake: the loop closes everything and returns. */
  readonly stop: Int32Array;
}
