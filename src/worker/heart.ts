// The heartbeat of a serving process: once a second its numbers and how late its event loop was.
import { monitorEventLoopDelay, type IntervalHistogram } from "node:perf_hooks";
import type { ServerStats } from "../ipc/messages.js";

const beatMs = 1000;
const sampleMs = 50;

/** Beats from its construction until `close`. */
export class Heart {
  private readonly delays: IntervalHistogram = monitorEventLoopDelay({ resolution: sampleMs });
  private readonly timer: NodeJS.Timeout;

  constructor(stats: () => Omit<ServerStats, "lagMs">, beat: (stats: ServerStats) => void) {
    this.delays.enable();
    this.timer = setInterval(() => beat({ ...stats(), lagMs: this.takeLag() }), beatMs);
  }

  close(): void {
    clearInterval(this.timer);
    this.delays.disable();
  }

  /** The histogram holds the distance of two samples, which is the sampling interval when nothing is late. */
  private takeLag(): number {
    const lagMs = Math.max(0, this.delays.max / 1e6 - sampleMs);
    this.delays.reset();
    return Math.round(lagMs * 10) / 10;
  }
}
