// The loop of the splice pump, run by a worker thread: waits for sockets and moves what came with two system calls, socket
// → pipe → socket; no byte enters this process's memory.
//
// Each side of a pair is one direction: from it to the far side. (Entry `i` of the arrays; the far side is `i ^ 1`.)
//
//            the far side takes part only            its end of stream: shut the far side
//   ┌──── flowing ──────────────▶ full     flowing ───────────────▶ done     both done: close the pair
//   └──────────────────────────────┘
//            the far side took the rest
//
// All flowing directions use one pipe, which is empty between two of them. When the far side does not take all, that pipe
// with the rest in it becomes the direction's own, the side is read no more until the rest is gone, and the next pipe
// becomes the shared one. So only who is slow costs a pipe.
//
// A pair that is carried has a row in the marks (ipc/marks.ts), which says `busy` from before a read until everything that was
// read has been given: then another process could go on from there, and the loop can let go.
//
// A slot is the loop's from `join` until its end is told. The main thread fills a free slot's descriptors before the command
// arrives, so what stands in the table says nothing about whether the loop has the pair: the states do.
import { packetWord, stateBusy, stateClean, stateWord, timestampWord } from "../../ipc/marks.js";
import {
  CLOEXEC,
  dataWord,
  EAGAIN,
  EINTR,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  eventWords,
  SHUT_WR,
  SO_LINGER,
  SOL_SOCKET,
  SPLICE_FLAGS,
  type SpliceCalls,
} from "./splice-calls.js";
import { PipePool, pipeBytes, type Pipe } from "./splice-pipes.js";
import { byProxy, closed, failed, idle, limit, moved, noRow, reset, stopped, type SpliceTable } from "./splice-table.js";

/** What the loop needs from its thread. */
export interface LoopHost {
  readonly wakeFd: number;
  /** The main thread woke the loop: give it its commands. */
  commands(): void;
  /** A pair has ended, its descriptors are closed. Called in the middle of a turn. */
  ended(slot: number, by: number, reason: number): void;
  /** A turn is over; gives how long the next one may wait for something to do (ms; -1: for ever), or null: the loop shall end. */
  turned(nowMs: number): number | null;
}

/** Of a slot that is not the loop's. */
const absent = 0;
const flowing = 1;
const full = 2;
const done = 3;

const unwatched = -1;
/** In a pair's row the bytes of each direction are counted in KiB: 32 bits of them last for years. */
const inWord = timestampWord;
const outWord = packetWord;
const kib = 1024;
/** In the data of the wake descriptor's events. */
const wakeIndex = 0xffff_ffff;
const maxEvents = 1024;
const tickMs = 1000;

/** One thread's pairs. `run` blocks the thread until the host says that it is over, then closes everything. */
export class SpliceLoop {
  private readonly calls: SpliceCalls;
  private readonly table: SpliceTable;
  private readonly host: LoopHost;
  private readonly words: Int32Array | null;
  private readonly epoll: number;
  private readonly events = new Uint32Array(maxEvents * eventWords);
  private readonly event = new Uint32Array(eventWords);
  private readonly counter = new Uint8Array(8);
  /** By side: what its direction does, and what epoll waits for on its socket. */
  private readonly states: Uint8Array;
  private readonly watched: Int32Array;
  /** By side: what waits in its direction's own pipe. */
  private readonly waiting: Uint32Array;
  /** By slot: who ended it first and how, or -1; and its limits, by the clock in milliseconds. */
  private readonly causes: Int8Array;
  private readonly reasons: Uint8Array;
  private readonly movedAtMs: Float64Array;
  private readonly idleMs: Float64Array;
  private readonly endsAtMs: Float64Array;
  /** By slot: where its row begins, or noRow; and whether it shall be let go. */
  private readonly rows: Int32Array;
  private readonly isLeaving: Uint8Array;
  private readonly pipes: PipePool;
  private shared: Pipe;
  private topSlot = 0;
  private limited = 0;
  private nowMs = 0;
  private sweptMs = -Infinity;

  /** `words`: the marks of pairs that are carried; null: none is. Throws when the system gives no epoll or pipe. */
  constructor(calls: SpliceCalls, table: SpliceTable, host: LoopHost, words: Int32Array | null = null) {
    this.calls = calls;
    this.table = table;
    this.host = host;
    this.words = words;
    const sides = table.fds.length;
    this.states = new Uint8Array(sides);
    this.watched = new Int32Array(sides);
    this.waiting = new Uint32Array(sides);
    this.causes = new Int8Array(sides / 2);
    this.reasons = new Uint8Array(sides / 2);
    this.movedAtMs = new Float64Array(sides / 2);
    this.idleMs = new Float64Array(sides / 2);
    this.endsAtMs = new Float64Array(sides / 2);
    this.rows = new Int32Array(sides / 2).fill(noRow);
    this.isLeaving = new Uint8Array(sides / 2);
    this.epoll = calls.epoll_create1(CLOEXEC);
    this.pipes = new PipePool(calls);
    const pipe = this.pipes.take();
    if (this.epoll < 0 || pipe === null) throw new Error(`no epoll or no pipe: errno ${calls.errno()}`);
    this.shared = pipe;
    if (!this.watch(EPOLL_CTL_ADD, host.wakeFd, EPOLLIN, wakeIndex)) throw new Error(`cannot wait: errno ${calls.errno()}`);
  }

  run(): void {
    const { calls, events, host } = this;
    let hostMs: number | null = -1;
    while (hostMs !== null) {
      const sweepMs = this.limited > 0 ? Math.ceil(this.sweptMs + tickMs - this.nowMs) : -1;
      const waitMs = sweepMs < 0 || hostMs < 0 ? Math.max(sweepMs, hostMs) : Math.min(sweepMs, hostMs);
      const count = calls.epoll_wait(this.epoll, events, maxEvents, waitMs);
      if (count < 0 && calls.errno() !== EINTR) throw new Error(`epoll_wait: errno ${calls.errno()}`);
      this.nowMs = performance.now();
      let isWoken = false;
      for (let at = 0; at < count * eventWords; at += eventWords) {
        const index = events[at + dataWord]!;
        if (index === wakeIndex) isWoken = true;
        else this.serve(index, events[at]!);
      }
      if (isWoken) {
        calls.read(host.wakeFd, this.counter, this.counter.length);
        host.commands(); // after the events: they are about the slots as they were
      }
      if (this.limited > 0 && this.nowMs - this.sweptMs >= tickMs) this.sweep();
      hostMs = host.turned(this.nowMs);
    }
    this.close();
  }

  /** Begins to move a pair whose descriptors are in the table; 0 is no limit. A carried pair marks in its row. */
  join(slot: number, idleMs: number, totalMs: number, row: number = noRow): void {
    const client = 2 * slot;
    this.nowMs = performance.now();
    this.causes[slot] = -1;
    this.rows[slot] = this.words === null ? noRow : row;
    this.isLeaving[slot] = 0;
    this.movedAtMs[slot] = this.nowMs;
    this.idleMs[slot] = idleMs;
    this.endsAtMs[slot] = totalMs === 0 ? 0 : this.nowMs + totalMs;
    if (this.isLimited(slot)) this.limited++;
    if (slot >= this.topSlot) this.topSlot = slot + 1;
    for (const side of [client, client + 1]) {
      this.states[side] = flowing;
      this.waiting[side] = 0;
      this.watched[side] = unwatched;
    }
    if (!this.watchSide(client) || !this.watchSide(client + 1)) this.finish(slot, byProxy, failed);
  }

  /** Ends a pair from here; one that has ended already is left alone, and so is the next one in its slot. */
  end(slot: number, reason: number): void {
    if (this.isOpen(slot)) this.finish(slot, byProxy, reason);
  }

  /** Ends a carried pair as `moved` when nothing that was read of it waits: at once, or later. */
  letGo(slot: number): void {
    if (!this.isOpen(slot) || this.rows[slot] === noRow) return;
    this.isLeaving[slot] = 1;
    this.settle(slot);
  }

  private serve(side: number, event: number): void {
    const slot = side >> 1;
    if (!this.isOpen(slot)) return; // ended earlier in this turn
    const row = this.rows[slot]!;
    if (row === noRow) {
      this.move(side, event);
      return;
    }
    this.words![row + stateWord] = stateBusy;
    this.move(side, event);
    if (this.isOpen(slot)) this.settle(slot);
  }

  private settle(slot: number): void {
    if (this.mark(slot) && this.isLeaving[slot] === 1) this.finish(slot, byProxy, moved);
  }

  /** Marks a carried pair as one that another process can go on with, if it is. */
  private mark(slot: number): boolean {
    const [client, server] = [2 * slot, 2 * slot + 1];
    if (this.states[client] === full || this.states[server] === full) return false;
    const { words, table } = this;
    const row = this.rows[slot]!;
    words![row + inWord] = table.bytes[client]! / kib;
    words![row + outWord] = table.bytes[server]! / kib;
    words![row + stateWord] = stateClean;
    return true;
  }

  /** Does what an event of a side calls for. */
  private move(side: number, event: number): void {
    const far = side ^ 1;
    if ((event & EPOLLOUT) !== 0 && this.states[far] === full) {
      this.give(far, this.table.pipes[2 * far]!, this.waiting[far]!);
      if (!this.isOpen(side >> 1)) return;
    }
    if ((event & (EPOLLIN | EPOLLERR | EPOLLHUP)) === 0) return;
    if (this.states[side] === flowing) this.take(side);
    else if ((event & EPOLLERR) !== 0 || (this.states[side] === done && this.states[far] !== done)) this.abort(side);
    else if ((event & EPOLLHUP) !== 0 && (event & EPOLLOUT) === 0) this.unwatch(side); // it would tell again and again
  }

  /** Moves what a side has sent. */
  private take(side: number): void {
    const { calls } = this;
    const count = calls.splice(this.table.fds[side]!, 0, this.shared[1], 0, pipeBytes, SPLICE_FLAGS);
    if (count > 0) this.give(side, this.shared[0], count);
    else if (count === 0) this.endDirection(side, closed, side & 1);
    else {
      const errno = calls.errno();
      if (errno !== EAGAIN && errno !== EINTR) this.abort(side);
    }
  }

  /** Gives the far side what waits in a pipe, the shared one or the direction's own. */
  private give(side: number, pipe: number, count: number): void {
    const { calls } = this;
    let given = calls.splice(pipe, 0, this.table.fds[side ^ 1]!, 0, count, SPLICE_FLAGS);
    if (given < 0) {
      const errno = calls.errno();
      if (errno !== EAGAIN && errno !== EINTR) {
        this.refused(side, count);
        return;
      }
      given = 0;
    }
    if (given > 0) {
      this.table.bytes[side]! += given;
      this.movedAtMs[side >> 1] = this.nowMs;
    }
    const wasFull = this.states[side] === full;
    if (given < count) {
      this.waiting[side] = count - given;
      if (!wasFull) this.becomeFull(side);
    } else if (wasFull) {
      this.waiting[side] = 0;
      this.freePipe(side, true);
      this.states[side] = flowing;
      this.watchSide(side);
      this.watchSide(side ^ 1);
    }
  }

  /** The shared pipe, with the rest in it, becomes the direction's own. */
  private becomeFull(side: number): void {
    const next = this.pipes.take();
    if (next === null) {
      this.pipes.empty(this.shared, this.waiting[side]!);
      this.finish(side >> 1, byProxy, failed);
      return;
    }
    this.table.pipes[2 * side] = this.shared[0];
    this.table.pipes[2 * side + 1] = this.shared[1];
    this.shared = next;
    this.states[side] = full;
    this.watchSide(side);
    this.watchSide(side ^ 1);
  }

  /** The far side takes no more, ever. What it sent before may still be on its way, so the other direction goes on to its end. */
  private refused(side: number, count: number): void {
    if (this.states[side] === full) this.freePipe(side, false);
    else this.pipes.empty(this.shared, count);
    this.waiting[side] = 0;
    this.endDirection(side, reset, (side ^ 1) & 1);
  }

  private endDirection(side: number, reason: number, by: number): void {
    const slot = side >> 1;
    this.note(slot, by, reason);
    this.states[side] = done;
    if (this.states[side ^ 1] === done) {
      this.finish(slot, this.causes[slot]!, this.reasons[slot]!);
      return;
    }
    if (reason === closed) this.calls.shutdown(this.table.fds[side ^ 1]!, SHUT_WR);
    this.watchSide(side);
    this.watchSide(side ^ 1);
  }

  /** A side was reset: so is the other. */
  private abort(side: number): void {
    const slot = side >> 1;
    this.note(slot, side & 1, reset);
    this.finish(slot, this.causes[slot]!, this.reasons[slot]!, true);
  }

  /** Keeps the first cause. */
  private note(slot: number, by: number, reason: number): void {
    if (this.causes[slot] !== -1) return;
    this.causes[slot] = by;
    this.reasons[slot] = reason;
  }

  /** Closes both sides, with a reset where one was the cause, and tells. */
  private finish(slot: number, by: number, reason: number, isAbort = reason === reset): void {
    if (this.isLimited(slot)) this.limited--;
    const isCarried = this.rows[slot] !== noRow;
    if (isCarried) this.mark(slot); // should this process die before the end is known, nothing was cut
    for (const side of [2 * slot, 2 * slot + 1]) {
      const fd = this.table.fds[side]!;
      // Where another process has a copy, closing alone does not end the watch.
      if (isCarried && this.watched[side] !== unwatched) this.unwatch(side);
      if (isAbort) this.calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, lingerZero, lingerZero.byteLength);
      this.freePipe(side, this.waiting[side] === 0);
      this.states[side] = absent;
      this.table.fds[side] = 0;
      this.calls.close(fd);
    }
    this.host.ended(slot, by, reason);
  }

  private sweep(): void {
    this.sweptMs = this.nowMs;
    for (let slot = 0; slot < this.topSlot; slot++) {
      if (!this.isOpen(slot)) continue;
      const idleMs = this.idleMs[slot]!;
      const endsAtMs = this.endsAtMs[slot]!;
      if (endsAtMs !== 0 && this.nowMs >= endsAtMs) this.finish(slot, byProxy, limit);
      else if (idleMs !== 0 && this.nowMs - this.movedAtMs[slot]! >= idleMs) this.finish(slot, byProxy, idle);
    }
  }

  private isOpen(slot: number): boolean {
    return this.states[2 * slot] !== absent;
  }

  private isLimited(slot: number): boolean {
    return this.idleMs[slot] !== 0 || this.endsAtMs[slot] !== 0;
  }

  /** Waits for what a side's state and its far side's make of interest. Errors are always told. */
  private watchSide(side: number): boolean {
    const wanted = (this.states[side] === flowing ? EPOLLIN : 0) | (this.states[side ^ 1] === full ? EPOLLOUT : 0);
    const before = this.watched[side]!;
    if (wanted === before) return true;
    this.watched[side] = wanted;
    return this.watch(before === unwatched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, this.table.fds[side]!, wanted, side);
  }

  private unwatch(side: number): void {
    this.watch(EPOLL_CTL_DEL, this.table.fds[side]!, 0, side);
    this.watched[side] = unwatched;
  }

  private watch(operation: number, fd: number, events: number, index: number): boolean {
    this.event[0] = events;
    this.event[dataWord] = index;
    return this.calls.epoll_ctl(this.epoll, operation, fd, this.event) === 0;
  }

  /** Takes a direction's own pipe from it, where it has one. */
  private freePipe(side: number, isEmpty: boolean): void {
    const { pipes } = this.table;
    const read = pipes[2 * side]!;
    if (read === 0) return;
    const pipe: Pipe = [read, pipes[2 * side + 1]!];
    pipes[2 * side] = 0;
    pipes[2 * side + 1] = 0;
    if (isEmpty) this.pipes.giveBack(pipe);
    else this.pipes.close(pipe);
  }

  private close(): void {
    for (let slot = 0; slot < this.topSlot; slot++) this.end(slot, stopped);
    this.host.turned(this.nowMs); // tells of them
    this.pipes.close(this.shared);
    this.pipes.closeAll();
    this.calls.close(this.epoll);
  }
}

/** `struct linger` {on, 0 seconds}: closing sends a reset. */
const lingerZero = Int32Array.of(1, 0);
