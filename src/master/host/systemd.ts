// What the master tells a service manager of itself, by the protocol of sd_notify(3), and the proof of life that it is asked
// for. Without a manager every call does nothing, so nobody has to ask whether there is one.
//
//   start ─► READY ─► STATUS … WATCHDOG … STATUS ─► RELOADING ─► READY ─► … ─► STOPPING ─► EXTEND_TIMEOUT … ─► exit
//
//   unit-text.ts ─ units ─▶ the manager ─▶ systemd-environment.ts ─▶ the box ─▶ systemd.ts ─▶ notify-socket.ts ─▶ the manager
import type { NotifySocket } from "./notify-socket.js";
import type { Timers } from "../../base/timers.js";

/** What is not sent at once is tried again after this. */
const retryMs = 100;
/** Held back while the manager does not read; what is older is lost. */
const maxWaiting = 64;

export interface SystemdOptions {
  /** The way to the manager; null: there is none. */
  readonly socket: NotifySocket | null;
  /** How long the manager waits for a sign of life before it ends the service; null: it does not. */
  readonly watchdogMs: number | null;
  readonly timers: Timers;
  /** CLOCK_MONOTONIC in microseconds; by default the system's. */
  readonly monotonicUs?: () => bigint;
  /** Whether what serves is sound; while it is not, the manager is told nothing, and in the end it acts. */
  isSound(): boolean;
}

/** The master's voice to its service manager. Close it once; nothing is sent afterwards. */
export class Systemd {
  private readonly options: SystemdOptions;
  private readonly monotonicUs: () => bigint;
  private readonly waiting: string[] = [];
  private lastStatus = "";
  private cancelRetry: (() => void) | null = null;
  private cancelPing: (() => void) | null = null;
  private isClosed = false;

  constructor(options: SystemdOptions) {
    this.options = options;
    this.monotonicUs = options.monotonicUs ?? (() => process.hrtime.bigint() / 1000n);
  }

  /** Everything serves: after the start, and again after each reload. From the first time on the watchdog is fed. */
  ready(status: string): void {
    this.lastStatus = oneLine(status);
    this.send(`READY=1\nSTATUS=${this.lastStatus}`);
    if (this.cancelPing === null) this.ping();
  }

  /** A line about how things are, for people; the same as before is not sent again. */
  status(text: string): void {
    const status = oneLine(text);
    // A manager that does not read is not given more to read.
    if (status === this.lastStatus || this.waiting.length > 0) return;
    this.lastStatus = status;
    this.send(`STATUS=${status}`);
  }

  /** A reload begins; `ready` ends it, also when it came to nothing. */
  reloading(): void {
    this.send(`RELOADING=1\nMONOTONIC_USEC=${this.monotonicUs()}`);
  }

  stopping(status: string): void {
    this.lastStatus = oneLine(status);
    this.send(`STOPPING=1\nSTATUS=${this.lastStatus}`);
  }

  /** Asks for so much more time from now on, for a start, a reload or a stop that takes long; to be repeated before it is over. */
  extendTimeout(ms: number): void {
    this.send(`EXTEND_TIMEOUT_USEC=${Math.round(ms * 1000)}`);
  }

  /** Another process is the service from now on. */
  mainPid(pid: number): void {
    this.send(`MAINPID=${pid}`);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.cancelRetry?.();
    this.cancelPing?.();
    this.options.socket?.close();
  }

  /** Twice in the time that the manager waits. It comes from this event loop: one that stands still proves no life. */
  private ping(): void {
    const { watchdogMs, timers } = this.options;
    if (watchdogMs === null || this.isClosed) return;
    if (this.options.isSound()) this.send("WATCHDOG=1");
    this.cancelPing = timers.after(watchdogMs / 2, () => this.ping());
  }

  private send(text: string): void {
    if (this.options.socket === null || this.isClosed) return;
    if (this.waiting.length === maxWaiting) this.waiting.shift();
    this.waiting.push(text);
    if (this.cancelRetry === null) this.flush();
  }

  private flush(): void {
    this.cancelRetry = null;
    const { socket, timers } = this.options;
    for (let text = this.waiting[0]; text !== undefined; text = this.waiting[0]) {
      if (socket?.send(text) === false) {
        this.cancelRetry = timers.after(retryMs, () => this.flush());
        return;
      }
      this.waiting.shift();
    }
  }
}

/** A datagram is lines, so that no value can bring one of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}
