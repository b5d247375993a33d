// How a relay fares, as the log tells it: one line when its upstream is lost, one when it is back, with how long that took and how
// many tries. What lies between is counted, but for a reason that is new. A relay that comes and goes is told to be back only when it
// has stayed for a while.
//
//   up ──lost──▶ down, told ──tries, told once for each reason──▶ back, and stays ──▶ up, told
import { Deadline } from "../../base/deadline.js";
import type { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { LostServer } from "../../ipc/tally.js";

/** An upstream that is lost again so soon has come and gone. */
const shortMs = 60_000;
/** How long it must then stay before it is told to be back; doubled each time. */
export const firstHoldMs = 10_000;
const longestHoldMs = 300_000;

/** The outages of one relay, one after the other. `close` ends what is still to be told. */
export class Outage {
  private readonly log: Log;
  private readonly event: string;
  private isDown = false;
  private last: LostServer = { server: "", code: "" };
  private sinceMs = 0;
  private tries = 0;
  private readonly reasons = new Set<string>();
  private upAtMs = 0;
  private holdMs = 0;
  private readonly hold = new Deadline();
  private readonly firstHoldMs: number;

  /** `event`: of the line when it is lost. With a first hold of 0 it is told to be back at once: the box's own origin does not come and go. */
  constructor(event: string, log: Log, holdMs = firstHoldMs) {
    this.event = event;
    this.log = log;
    this.firstHoldMs = holdMs;
  }

  /** The server that was lost and is not back yet; null: none is. */
  get lostServer(): LostServer | null {
    return this.isDown ? this.last : null;
  }

  /** A connection was lost, or could not be made. */
  lost(reason: DolphinError, line: { readonly upstream: string; readonly [field: string]: unknown }): void {
    const nowMs = Date.now();
    this.hold.clear();
    if (!this.isDown) {
      const isShort = this.upAtMs > 0 && nowMs - this.upAtMs < shortMs;
      this.holdMs = isShort ? Math.min(Math.max(2 * this.holdMs, this.firstHoldMs), longestHoldMs) : 0;
      this.isDown = true;
      this.sinceMs = nowMs;
      this.tries = 0;
      this.reasons.clear();
    }
    this.tries += 1;
    this.last = { server: line.upstream, code: reason.code };
    const known = `${reason.code} ${line.upstream}`;
    this.log[this.reasons.has(known) ? "debug" : "warn"]({ event: this.event, code: reason.code, ...line }, reason.message);
    this.reasons.add(known);
  }

  /** It works, or works again; `line` tells so. */
  back(line: { readonly event: string; readonly upstream: string }): void {
    const { isDown, sinceMs, tries, holdMs } = this;
    const counted = isDown ? { durMs: Date.now() - sinceMs, tries } : {};
    const tell = (): void => {
      this.isDown = false;
      this.upAtMs = Date.now();
      this.log.info({ ...line, ...counted });
    };
    if (isDown && holdMs > 0) this.hold.set(holdMs, tell);
    else tell();
  }

  close(): void {
    this.hold.clear();
  }
}
