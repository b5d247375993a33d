// One joined pair as the main thread sees it: while its sockets are still node's, while the loop has its descriptors, and
// when it is over. It tells its end once, whoever ends it and when.
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import type { Carriage } from "../../ipc/carried.js";
import type { Joined, PumpEnd, PumpOptions } from "./pump.js";
import { handleOf } from "./handle.js";
import { takeOver, type TakeOver } from "./take-over.js";

/** What a pair needs from its pump. */
export interface PairHost {
  /** Copies both descriptors for the loop and gives the slot; null: there is no room, or the loop is over. */
  adopt(pair: SplicePair, client: number, server: number): number | null;
  /** A pair has ended that the loop never had. */
  dropped(pair: SplicePair): void;
  /** Asks the loop to end what is in a slot, or to let go of it. */
  end(slot: number): void;
  release(slot: number): void;
  /** What a side of a slot has sent. */
  moved(slot: number, side: 0 | 1): number;
}

/** One pair, before, while and after the loop has it. */
export class SplicePair implements Joined {
  readonly options: PumpOptions;
  /** Set by the pump when copies of the pair are kept. */
  carriage: Carriage | null = null;
  private readonly pump: PairHost;
  private step: TakeOver | null = null;
  private sockets: readonly [client: Socket, server: Socket] | null = null;
  private slot: number | null = null;
  private isLeaving = false;
  private isOver = false;
  private countedIn = 0;
  private countedOut = 0;
  private readonly patience = new Deadline();

  /** Begins when it is given either sockets or descriptors. */
  constructor(pump: PairHost, options: PumpOptions) {
    this.pump = pump;
    this.options = options;
  }

  /** Begins with two sockets of node's. */
  takeSockets(client: Socket, server: Socket): void {
    this.sockets = [client, server];
    this.step = takeOver(client, server, {
      ready: () => this.handOver(),
      broken: (by) => this.drop(by, "reset"),
    });
    this.countedIn = this.step.earlyIn;
    this.countedOut = this.step.earlyOut;
    // What is still to be written may never be taken.
    const { idleMs } = this.options;
    if (this.sockets !== null && idleMs !== null) this.patience.set(idleMs, () => this.drop("proxy", "idle"));
  }

  /** Begins with two descriptors, which the pump has given to the loop already. */
  takeSlot(slot: number): void {
    this.slot = slot;
  }

  get bytesIn(): number {
    return this.countedIn + (this.slot === null ? 0 : this.pump.moved(this.slot, 0));
  }

  get bytesOut(): number {
    return this.countedOut + (this.slot === null ? 0 : this.pump.moved(this.slot, 1));
  }

  /** Whether the sockets are still node's. */
  get isWaiting(): boolean {
    return this.sockets !== null;
  }

  close(): void {
    if (this.slot !== null) this.pump.end(this.slot);
    else setImmediate(() => (this.slot === null ? this.drop("proxy", "stopped") : this.pump.end(this.slot)));
  }

  /** From the pump: another process goes on with the pair, if copies of it are kept. Again does nothing. */
  letGo(): void {
    if (this.slot === null || this.isLeaving || this.carriage?.isKept !== true) return;
    this.isLeaving = true;
    this.pump.release(this.slot);
  }

  /** From the pump: it ends, and the loop has not got this pair yet. */
  stop(): void {
    this.drop("proxy", "stopped");
  }

  /** From the pump: the loop has let it go. */
  ended(endedBy: PumpEnd["endedBy"], reason: PumpEnd["reason"]): void {
    this.countedIn = this.bytesIn;
    this.countedOut = this.bytesOut;
    this.slot = null;
    this.tell(endedBy, reason);
  }

  private handOver(): void {
    this.patience.clear();
    const [client, server] = this.sockets ?? [];
    const clientFd = client === undefined ? undefined : handleOf(client)?.fd;
    const serverFd = server === undefined ? undefined : handleOf(server)?.fd;
    if (clientFd !== undefined && serverFd !== undefined) this.slot = this.pump.adopt(this, clientFd, serverFd);
    if (this.slot === null) {
      setImmediate(() => this.drop("proxy", "failed"));
      return;
    }
    this.sockets = null;
    client?.destroy(); // node's descriptor only: the connection lives on in the copy
    server?.destroy();
  }

  /** Ends a pair that the loop never had. */
  private drop(endedBy: PumpEnd["endedBy"], reason: PumpEnd["reason"]): void {
    this.patience.clear();
    this.step?.cancel();
    for (const socket of this.sockets ?? []) {
      if (socket.destroyed) continue;
      if (reason === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
    this.sockets = null;
    this.pump.dropped(this);
    this.tell(endedBy, reason);
  }

  private tell(endedBy: PumpEnd["endedBy"], reason: PumpEnd["reason"]): void {
    if (this.isOver) return;
    this.isOver = true;
    if (reason === "moved") this.carriage?.letGo();
    else this.carriage?.over();
    this.options.onEnd({ endedBy, reason, bytesIn: this.countedIn, bytesOut: this.countedOut });
  }
}
