import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { packetWord, stateBusy, stateClean, stateUnused, stateWord, timestampWord } from "../../../../src/ipc/marks.js";
import { dataWord, eventWords, EPOLLIN, EPOLLOUT, type SpliceCalls } from "../../../../src/proxy/pump/splice-calls.js";
import { SpliceLoop, type LoopHost } from "../../../../src/proxy/pump/splice-loop.js";
import {
  byProxy,
  createTableMemory,
  idle,
  limit,
  moved,
  stopped,
  tableOver,
  type SpliceTable,
} from "../../../../src/proxy/pump/splice-table.js";

/** What one turn of the loop is woken by. */
interface Turn {
  /** The clock when it begins. */
  readonly atMs: number;
  /** What the main thread writes into the table before: slot, and its two descriptors. */
  readonly fills?: readonly (readonly [slot: number, client: number, server: number])[];
  /** Sides that have sent something. */
  readonly sent?: readonly number[];
  readonly commands?: (loop: SpliceLoop) => void;
  /** Sides that can take something again, and what each side takes of 10 bytes in this turn; all by default. */
  readonly canTake?: readonly number[];
  readonly takes?: number;
}

interface Outcome {
  readonly table: SpliceTable;
  readonly closed: readonly number[];
  readonly ends: readonly (readonly [atMs: number, slot: number, by: number, reason: number])[];
  /** How long the loop was ready to wait for each turn. */
  readonly waitsMs: readonly number[];
  /** The state in row 0 while bytes move, one by one, and at the end of each turn. */
  readonly duringMoves: readonly number[];
  readonly afterTurns: readonly number[];
  readonly words: Int32Array;
}

const wakeIndex = 0xffff_ffff;

/** Runs a loop over a kernel and a clock of the test's own, in which each side sends 10 bytes at a time and takes all. */
function runLoop(t: TestContext, turns: readonly Turn[]): Outcome {
  const table = tableOver(createTableMemory(4));
  const closed: number[] = [];
  const ends: [number, number, number, number][] = [];
  const waitsMs: number[] = [];
  const duringMoves: number[] = [];
  const afterTurns: number[] = [];
  const words = new Int32Array(8);
  const left = [...turns];
  let turn: Turn | undefined;
  let nextFd = 200;
  t.mock.method(performance, "now", () => turn?.atMs ?? 0);
  const kernel: Partial<SpliceCalls> = {
    epoll_create1: () => nextFd++,
    epoll_ctl: (_epoll, _operation, fd) => (fd === 0 ? -1 : 0),
    pipe2: (pipe) => (pipe.set([nextFd++, nextFd++]), 0),
    epoll_wait: (_epoll, events, _count, timeoutMs) => {
      waitsMs.push(timeoutMs);
      turn = left.shift();
      for (const [slot, client, server] of turn?.fills ?? []) table.fds.set([client, server], 2 * slot);
      const all = [
        ...(turn?.canTake ?? []).map((side) => [side, EPOLLOUT] as const),
        ...(turn?.sent ?? []).map((side) => [side, EPOLLIN] as const),
        ...(turn?.commands === undefined ? [] : [[wakeIndex, EPOLLIN] as const]),
      ];
      for (const [i, [index, event]] of all.entries()) {
        events[i * eventWords] = event;
        events[i * eventWords + dataWord] = index;
      }
      return all.length;
    },
    splice: (_from, _offset, to, _toOffset, bytes) => {
      duringMoves.push(words[stateWord]!);
      return to >= 200 ? 10 : Math.min(bytes, turn?.takes ?? bytes); // descriptors of pipes are above those of sockets
    },
    read: () => 8,
    close: (fd) => (closed.push(fd), 0),
    errno: () => 0,
  };
  const host: LoopHost = {
    wakeFd: 100,
    commands: () => turn?.commands?.(loop),
    ended: (slot, by, reason) => void ends.push([turn?.atMs ?? 0, slot, by, reason]),
    turned: () => {
      afterTurns.push(words[stateWord]!);
      return left.length > 0 ? -1 : null;
    },
  };
  const loop: SpliceLoop = new SpliceLoop(kernel as SpliceCalls, table, host, words);
  loop.run();
  return { table, closed, ends, waitsMs, duringMoves, afterTurns, words };
}

describe("splice loop", () => {
  test("a limit ends a pair no earlier than it says, and within a second after it", (t) => {
    const { ends, waitsMs } = runLoop(t, [
      {
        atMs: 5990,
        fills: [
          [0, 10, 11],
          [1, 12, 13],
        ],
        commands: (loop) => {
          loop.join(0, 0, 1000);
          loop.join(1, 1000, 0);
        },
      },
      { atMs: 6010, sent: [0] },
      { atMs: 6985, sent: [2] },
      { atMs: 6990 },
      { atMs: 7984, sent: [3] },
      { atMs: 7990 },
      { atMs: 8990 },
    ]);
    assert.deepEqual(ends, [
      [6990, 0, byProxy, limit],
      [8990, 1, byProxy, idle],
    ]);
    // For ever while there is no limit, then to the second after the last look, whatever comes in between.
    assert.deepEqual(waitsMs, [-1, 1000, 980, 5, 1000, 6, 1000]);
  });

  test("a slot's old limit does not end the next pair, whose descriptors are there before its join is", (t) => {
    const { table, closed, ends } = runLoop(t, [
      {
        atMs: 1000,
        fills: [
          [0, 10, 11],
          [1, 12, 13],
        ],
        commands: (loop) => {
          loop.join(0, 0, 1000);
          loop.join(1, 0, 60_000);
        },
      },
      { atMs: 2000 },
      { atMs: 3000, fills: [[0, 20, 21]] },
      { atMs: 3001, commands: (loop) => loop.join(0, 0, 5000) },
      { atMs: 8000, sent: [0] },
      { atMs: 9000 },
    ]);
    assert.deepEqual(ends.slice(0, 2), [
      [2000, 0, byProxy, limit],
      [9000, 0, byProxy, limit],
    ]);
    assert.equal(table.bytes[0], 10);
    assert.deepEqual(closed.slice(0, 4), [10, 11, 20, 21]);
  });

  test("an end that comes too late for its pair does not end the next one in its slot", (t) => {
    const { table, closed, ends } = runLoop(t, [
      { atMs: 0, fills: [[0, 10, 11]], commands: (loop) => loop.join(0, 0, 0) },
      { atMs: 1, commands: (loop) => loop.end(0, stopped) },
      {
        atMs: 2,
        fills: [[0, 20, 21]],
        commands: (loop) => {
          loop.end(0, stopped); // asked for before the main thread had heard of the first end
          loop.join(0, 0, 0);
        },
      },
      { atMs: 3, sent: [1] },
      { atMs: 4, commands: (loop) => loop.end(0, stopped) },
    ]);
    assert.deepEqual(ends, [
      [1, 0, byProxy, stopped],
      [4, 0, byProxy, stopped],
    ]);
    assert.equal(table.bytes[1], 10);
    assert.deepEqual(closed.slice(0, 4), [10, 11, 20, 21]);
  });

  test("a carried pair is busy from before a read until everything is given, and says how much went by", (t) => {
    const { duringMoves, afterTurns, words } = runLoop(t, [
      { atMs: 0, fills: [[0, 10, 11]], commands: (loop) => loop.join(0, 0, 0, 0) },
      { atMs: 1, sent: Array.from({ length: 300 }, () => 0) },
      { atMs: 2, sent: Array.from({ length: 150 }, () => 1) },
    ]);
    assert.deepEqual(new Set(duringMoves), new Set([stateBusy]));
    assert.deepEqual(afterTurns.slice(0, 3), [stateUnused, stateClean, stateClean]);
    assert.deepEqual([words[timestampWord], words[packetWord]], [2, 1], "KiB from the client, and from the server");
  });

  test("a carried pair whose far side is full stays busy until that has taken the rest", (t) => {
    const { afterTurns } = runLoop(t, [
      { atMs: 0, fills: [[0, 10, 11]], commands: (loop) => loop.join(0, 0, 0, 0) },
      { atMs: 1, sent: [0], takes: 4 },
      { atMs: 2, sent: [1] },
      { atMs: 3, canTake: [1], takes: 5 },
      { atMs: 4, canTake: [1] },
    ]);
    assert.deepEqual(afterTurns.slice(0, 5), [stateUnused, stateBusy, stateBusy, stateBusy, stateClean]);
  });

  test("a pair that is to be let go goes at once, or when nothing of it waits any more; one that is not carried stays", (t) => {
    const { closed, ends, afterTurns } = runLoop(t, [
      {
        atMs: 0,
        fills: [
          [0, 10, 11],
          [1, 12, 13],
          [2, 14, 15],
        ],
        commands: (loop) => {
          loop.join(0, 0, 0, 0);
          loop.join(1, 0, 0, 4);
          loop.join(2, 0, 0);
        },
      },
      { atMs: 1, sent: [0], takes: 4 },
      { atMs: 2, commands: (loop) => [0, 1, 2].forEach((slot) => loop.letGo(slot)) },
      { atMs: 3, canTake: [1] },
      { atMs: 4, sent: [0, 2, 4] },
    ]);
    assert.deepEqual(ends, [
      [2, 1, byProxy, moved],
      [3, 0, byProxy, moved],
      [4, 2, byProxy, stopped], // with the loop
    ]);
    assert.deepEqual(closed.slice(0, 4), [12, 13, 10, 11]);
    assert.equal(afterTurns.at(-1), stateClean);
  });

  test("a carried pair that has ended is not one that was cut, unless something of it was lost", (t) => {
    const ofWhole = runLoop(t, [
      { atMs: 0, fills: [[0, 10, 11]], commands: (loop) => loop.join(0, 0, 0, 0) },
      { atMs: 1, sent: [0, 1], commands: (loop) => loop.end(0, stopped) },
    ]);
    assert.equal(ofWhole.afterTurns.at(-1), stateClean);
    const ofHalf = runLoop(t, [
      { atMs: 0, fills: [[0, 10, 11]], commands: (loop) => loop.join(0, 0, 0, 0) },
      { atMs: 1, sent: [0], takes: 4, commands: (loop) => loop.end(0, stopped) },
    ]);
    assert.equal(ofHalf.afterTurns.at(-1), stateBusy);
  });
});
