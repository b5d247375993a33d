// The main thread's half of the splice pump: duplicates the descriptors of node's sockets, lets node forget them, and hands
// them to the loop in the worker thread (splice-loop.ts). What the loop tells comes back once per turn of its own.
// If the loop fails, its pairs are lost and told of, and pairs that come later are moved by the spare pump. A pair is carried
// from the moment on at which the loop is to have it.
import type { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { messageOf } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { Carriage, Carrier } from "../../ipc/carried.js";
import { dial } from "./dial.js";
import type { SocketHandle } from "./handle.js";
import type { Joined, Pump, PumpEnd, PumpOptions } from "./pump.js";
import { SplicePair, type PairHost } from "./splice-pair.js";
import { F_DUPFD_CLOEXEC, loadSpliceCalls, NONBLOCK_CLOEXEC, type SpliceCalls } from "./splice-calls.js";
import {
  createTableMemory,
  endCommand,
  endedBySides,
  endNumbers,
  letGoCommand,
  maxSlots,
  noRow,
  reasons,
  tableOver,
  type SpliceTable,
  type WorkerSetup,
} from "./splice-table.js";

const one = new Uint8Array(BigUint64Array.of(1n).buffer);
/** Descriptors below are the process's standard streams, and 0 means none in the table. */
const lowestFd = 3;

interface SplicePumpParts {
  readonly calls: SpliceCalls;
  readonly worker: Worker;
  readonly spare: Pump;
  readonly log: Log;
  readonly carrier: Carrier | null;
}

/** Pairs that the kernel moves. */
export class SplicePump implements Pump, PairHost {
  readonly kind = "splice";
  private readonly calls: SpliceCalls;
  private readonly table: SpliceTable;
  private readonly spare: Pump;
  private readonly log: Log;
  private readonly carrier: Carrier | null;
  private readonly worker: Worker;
  private readonly stop: Int32Array;
  private readonly pairs: (SplicePair | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  /** Pairs that were joined and that the loop has not got yet. */
  private readonly waiting = new Set<SplicePair>();
  private readonly atExit = (): void => this.askToStop();
  private readonly isOver: Promise<void>;
  private wakeFd: number;
  private open = 0;
  private commands: number[] = [];
  private state: "running" | "closing" | "over" = "running";

  /** Null where the platform has no splice or the worker does not start. `carrier`: what keeps copies of pairs; null: nothing does. */
  static async start(spare: Pump, log: Log, carrier: Carrier | null): Promise<SplicePump | null> {
    const calls = await loadSpliceCalls();
    if (calls === null) return null;
    const wakeFd = calls.eventfd(0, NONBLOCK_CLOEXEC);
    if (wakeFd < 0) return null;
    const setup: WorkerSetup = {
      memory: createTableMemory(),
      wakeFd,
      marksFd: carrier?.marksFd ?? null,
      stop: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    };
    const worker = new Worker(new URL("splice-worker.js", import.meta.url), {
      workerData: setup,
      execArgv: [],
      name: "pump",
      trackUnmanagedFds: false,
    });
    try {
      await new Promise((resolve, reject) => {
        worker.once("message", resolve).once("error", reject);
        worker.once("exit", () => reject(new Error("it ended")));
      });
    } catch (thrown) {
      calls.close(wakeFd);
      log.warn({ event: "pump.refused", code: "PROXY_PUMP", err: messageOf(thrown) }, "bytes are moved the slower way");
      return null;
    }
    return new SplicePump(setup, { calls, worker, spare, log, carrier });
  }

  private constructor(setup: WorkerSetup, { calls, worker, spare, log, carrier }: SplicePumpParts) {
    this.calls = calls;
    this.table = tableOver(setup.memory);
    this.wakeFd = setup.wakeFd;
    this.stop = setup.stop;
    this.worker = worker;
    this.spare = spare;
    this.log = log;
    this.carrier = carrier;
    for (const event of ["error", "exit"]) worker.removeAllListeners(event); // those of the start
    worker.on("message", (ends: readonly number[]) => this.hear(ends));
    worker.on("error", (error) => log.error({ event: "pump.failed", code: "PROXY_PUMP", err: error.stack }, messageOf(error)));
    this.isOver = new Promise((resolve) => {
      worker.on("exit", () => {
        this.over();
        resolve();
      });
    });
    worker.unref();
    process.once("exit", this.atExit);
  }

  join(client: Socket, server: Socket, options: PumpOptions): Joined {
    if (this.state !== "running" || this.open >= maxSlots) return this.spare.join(client, server, options);
    const pair = new SplicePair(this, options);
    pair.takeSockets(client, server);
    if (pair.isWaiting) this.waiting.add(pair);
    return pair;
  }

  joinAtOnce(client: SocketHandle, server: Endpoint, preface: Buffer | null, options: PumpOptions): Joined | null {
    if (this.state !== "running" || this.open >= maxSlots) return null;
    const serverFd = dial(this.calls, server, preface);
    if (serverFd === null) return null;
    const clientFd = this.copyOf(client.fd);
    if (clientFd < 0) {
      this.calls.close(serverFd);
      return null;
    }
    client.setNoDelay(true);
    client.close(); // node's descriptor only
    const pair = new SplicePair(this, options);
    pair.takeSlot(this.begin(pair, clientFd, serverFd));
    return pair;
  }

  letGo(): void {
    for (const pair of this.pairs) pair?.letGo();
  }

  async close(): Promise<void> {
    if (this.state === "running") {
      this.send();
      this.askToStop();
      this.state = "closing";
      this.worker.ref(); // the process waits for the ends to be told
    }
    for (const pair of this.waiting) pair.stop();
    await Promise.all([this.spare.close(), this.isOver]);
  }

  adopt(pair: SplicePair, client: number, server: number): number | null {
    if (this.state !== "running" || this.open >= maxSlots) return null;
    const clientFd = this.copyOf(client);
    const serverFd = clientFd < 0 ? clientFd : this.copyOf(server);
    if (serverFd < 0) {
      if (clientFd >= 0) this.calls.close(clientFd);
      return null;
    }
    this.waiting.delete(pair);
    return this.begin(pair, clientFd, serverFd);
  }

  private copyOf(fd: number): number {
    return this.calls.fcntl(fd, F_DUPFD_CLOEXEC, "int", lowestFd);
  }

  /** Gives two descriptors to the loop, whose they are from now on. Fewer than the most must be open. */
  private begin(pair: SplicePair, client: number, server: number): number {
    const slot = this.freeSlots.pop() ?? this.pairs.length;
    const { fds, bytes } = this.table;
    bytes[2 * slot] = bytes[2 * slot + 1] = 0;
    fds[2 * slot] = client;
    fds[2 * slot + 1] = server;
    this.pairs[slot] = pair;
    if (this.open++ === 0) this.worker.ref();
    const { idleMs, totalMs } = pair.options;
    pair.carriage = this.carry(pair, slot);
    this.command(slot, idleMs ?? 0, totalMs ?? 0, pair.carriage?.at ?? noRow);
    return slot;
  }

  dropped(pair: SplicePair): void {
    this.waiting.delete(pair);
  }

  end(slot: number): void {
    if (this.state === "running") this.command(slot, endCommand, 0, noRow);
  }

  release(slot: number): void {
    if (this.state === "running") this.command(slot, letGoCommand, 0, noRow);
  }

  moved(slot: number, side: 0 | 1): number {
    return this.table.bytes[2 * slot + side] ?? 0;
  }

  /** The loop clears a descriptor in the table before it closes it, and only this thread opens sockets: what stands there is the pair's. */
  private carry({ options: { session } }: SplicePair, slot: number): Carriage | null {
    if (session === null || this.carrier === null) return null;
    const { fds } = this.table;
    const pair = [fds[2 * slot]!, fds[2 * slot + 1]!];
    const isThere = (): boolean => pair.every((fd, side) => fds[2 * slot + side] === fd);
    return this.carrier.carry(() => (isThere() ? pair : null), session, null);
  }

  private command(...numbers: readonly [slot: number, idleMs: number, totalMs: number, row: number]): void {
    if (this.commands.length === 0) setImmediate(() => this.send());
    this.commands.push(...numbers);
  }

  private send(): void {
    if (this.commands.length === 0 || this.state !== "running") return;
    this.worker.postMessage(this.commands, []);
    this.commands = [];
    this.wake();
  }

  private wake(): void {
    if (this.wakeFd >= 0) this.calls.write(this.wakeFd, one, one.length);
  }

  private askToStop(): void {
    Atomics.store(this.stop, 0, 1);
    this.wake();
  }

  private hear(ends: readonly number[]): void {
    for (let at = 0; at < ends.length; at += endNumbers) {
      const by = endedBySides[ends[at + 1] ?? -1] ?? "proxy";
      this.ended(ends[at] ?? -1, by, reasons[ends[at + 2] ?? -1] ?? "failed");
    }
  }

  private ended(slot: number, by: PumpEnd["endedBy"], reason: PumpEnd["reason"]): void {
    const pair = this.pairs[slot];
    if (pair === undefined) return;
    this.pairs[slot] = undefined;
    this.freeSlots.push(slot);
    if (--this.open === 0 && this.state === "running") this.worker.unref();
    pair.ended(by, reason);
  }

  /** The loop has ended: what it did not close, or never got, is closed here. */
  private over(): void {
    const reason = this.state === "closing" ? "stopped" : "failed";
    this.state = "over";
    process.removeListener("exit", this.atExit);
    this.calls.close(this.wakeFd);
    this.wakeFd = -1;
    if (reason === "failed" && this.open > 0) this.log.error({ event: "pump.lost", code: "PROXY_PUMP", connections: this.open });
    for (let slot = 0; slot < this.pairs.length; slot++) {
      for (const side of [2 * slot, 2 * slot + 1]) this.closeSide(side);
      this.ended(slot, "proxy", reason);
    }
  }

  private closeSide(side: number): void {
    const { fds, pipes } = this.table;
    for (const fd of [fds[side], pipes[2 * side], pipes[2 * side + 1]]) if (fd !== undefined && fd !== 0) this.calls.close(fd);
    fds[side] = pipes[2 * side] = pipes[2 * side + 1] = 0;
  }
}
