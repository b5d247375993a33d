// The pump without system calls of its own: node's sockets, all of which read into one buffer. What the far side does not
// take at once waits in a copy while its sender is read no more, so a pair never holds more than one read each way.
import { Socket, type SocketConstructorOpts } from "node:net";
import type { Joined, Pump, PumpEnd, PumpOptions } from "./pump.js";
import { detachHandle } from "./handle.js";
import { takeOver, type TakeOver } from "./take-over.js";

const readBytes = 64 << 10;
const keptChunks = 64;
const tickMs = 1000;

const readBuffer = Buffer.allocUnsafe(readBytes);
/** Copies that were taken by the far side and wait for the next use. */
const freeChunks: Buffer[] = [];

/** Pairs that node moves. */
export class PlainPump implements Pump {
  readonly kind = "plain";
  private readonly pairs = new Set<PlainPair>();
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;
  private allOver = (): void => undefined;

  join(client: Socket, server: Socket, options: PumpOptions): Joined {
    const pair = new PlainPair(client, server, options, () => {
      this.pairs.delete(pair);
      if (this.pairs.size > 0) return;
      this.stopTimer();
      setImmediate(this.allOver); // after the pair has told
    });
    this.pairs.add(pair);
    this.timer ??= setInterval(() => this.checkLimits(), tickMs);
    if (this.isClosed) pair.close();
    return pair;
  }

  joinAtOnce(): null {
    return null; // it moves node's sockets
  }

  letGo(): void {} // none is carried

  async close(): Promise<void> {
    this.isClosed = true;
    if (this.pairs.size === 0) return;
    const over = new Promise<void>((resolve) => (this.allOver = resolve));
    for (const pair of this.pairs) pair.close();
    await over;
  }

  private checkLimits(): void {
    const nowMs = performance.now();
    for (const pair of this.pairs) pair.checkLimits(nowMs);
  }

  private stopTimer(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}

/** One direction: bytes from `source` to `target`. */
interface Direction {
  source: Socket;
  target: Socket;
  bytes: number;
  /** What waits for `target`, a view of one chunk; null: nothing. */
  waiting: Buffer | null;
}

class PlainPair implements Joined {
  private readonly options: PumpOptions;
  private readonly over: () => void;
  private readonly step: TakeOver;
  private readonly inward: Direction;
  private readonly outward: Direction;
  private readonly startedMs = performance.now();
  private movedMs = performance.now();
  private cause: Pick<PumpEnd, "endedBy" | "reason"> | null = null;
  private state: "waiting" | "moving" | "over" = "waiting";
  private open = 2;

  constructor(client: Socket, server: Socket, options: PumpOptions, over: () => void) {
    this.options = options;
    this.over = over;
    this.inward = { source: client, target: server, bytes: 0, waiting: null };
    this.outward = { source: server, target: client, bytes: 0, waiting: null };
    let isReady = false;
    this.step = takeOver(client, server, {
      ready: () => {
        isReady = true;
        // From within `takeOver` the early bytes are not known yet.
        if (this.step !== undefined) this.begin();
      },
      broken: (by) => this.abort(by, "reset"),
    });
    this.inward.bytes = this.step.earlyIn;
    this.outward.bytes = this.step.earlyOut;
    if (isReady) this.begin();
  }

  get bytesIn(): number {
    return this.inward.bytes;
  }

  get bytesOut(): number {
    return this.outward.bytes;
  }

  close(): void {
    this.stop("stopped");
  }

  checkLimits(nowMs: number): void {
    const { idleMs, totalMs } = this.options;
    if (totalMs !== null && nowMs - this.startedMs >= totalMs) this.stop("limit");
    else if (idleMs !== null && nowMs - this.movedMs >= idleMs) this.stop("idle");
  }

  private begin(): void {
    if (this.state !== "waiting") return;
    this.state = "moving";
    const { inward, outward } = this;
    const client = this.adopt(inward.source, inward, "client");
    const server = this.adopt(outward.source, outward, "server");
    inward.source = outward.target = client;
    inward.target = outward.source = server;
    client.resume();
    server.resume();
  }

  /** Node has shared reads for sockets made with them only, so the handle moves to one. */
  private adopt(socket: Socket, direction: Direction, name: "client" | "server"): Socket {
    const onread = {
      buffer: readBuffer,
      callback: (count: number): boolean => {
        this.move(direction, count);
        return true;
      },
    };
    const adopted = new Socket({ handle: detachHandle(socket), allowHalfOpen: true, onread } as SocketConstructorOpts);
    adopted.on("end", () => {
      this.cause ??= { endedBy: name, reason: "closed" };
      direction.target.end();
    });
    adopted.on("error", () => this.abort(name, "reset"));
    adopted.on("close", () => this.closed());
    return adopted;
  }

  private move(direction: Direction, count: number): void {
    const { source, target } = direction;
    this.movedMs = performance.now();
    if (target.destroyed || target.writableEnded) return; // its end is on the way to us
    const chunk = freeChunks.pop() ?? Buffer.allocUnsafeSlow(readBytes);
    readBuffer.copy(chunk, 0, 0, count);
    direction.waiting = chunk.subarray(0, count);
    target.write(direction.waiting, (error) => {
      if (direction.waiting === null || error) return;
      this.taken(direction, chunk);
      source.resume();
    });
    if (target.writableLength === 0) this.taken(direction, chunk);
    else source.pause();
  }

  private taken(direction: Direction, chunk: Buffer): void {
    direction.bytes += direction.waiting?.length ?? 0;
    direction.waiting = null;
    if (freeChunks.length < keptChunks) freeChunks.push(chunk);
  }

  private stop(reason: PumpEnd["reason"]): void {
    this.cause = { endedBy: "proxy", reason };
    this.destroy(false);
  }

  private abort(endedBy: PumpEnd["endedBy"], reason: PumpEnd["reason"]): void {
    this.cause ??= { endedBy, reason };
    this.destroy(true);
  }

  private destroy(isAbort: boolean): void {
    const wasWaiting = this.state === "waiting";
    if (wasWaiting) this.step.cancel();
    this.state = "over";
    for (const socket of [this.inward.source, this.outward.source]) {
      if (socket.destroyed) continue;
      if (isAbort) socket.resetAndDestroy();
      else socket.destroy();
    }
    if (wasWaiting) setImmediate(() => this.finish());
  }

  private closed(): void {
    if (--this.open === 0) this.finish();
  }

  private finish(): void {
    this.over();
    const { endedBy, reason } = this.cause ?? { endedBy: "proxy", reason: "failed" };
    this.options.onEnd({ endedBy, reason, bytesIn: this.bytesIn, bytesOut: this.bytesOut });
  }
}
