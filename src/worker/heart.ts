// The heartbeat of a serving process: once a second its numbers and how late its event loop was. An idle process is woken up for
// its beat alone: the samples that find a late turn between two beats cost twenty wake-ups a second.
import { monitorEventLoopDelay, type IntervalHistogram } from "node:perf_hooks";
import type { ServerStats } from "../ipc/messages.js";

const beatMs = 1000;
const sampleMs = 50;

/** Beats from its construction until `close`. */
export class Heart {
  private readonly delays: IntervalHistogram = monitorEventLoopDelay({ resolution: sampleMs });
  private readonly timer: NodeJS.Timeout;
  private isSampling = false;
  private dueAtMs = performance.now() + beatMs;

  constructor(stats: () => Omit<ServerStats, "lagMs">, beat: (stats: ServerStats) => void) {
    this.timer = setInterval(() => {
      const now = stats();
      const { user, system } = process.cpuUsage();
      beat({ ...now, lagMs: this.takeLag(), cpuSeconds: (user + system) / 1e6 });
      this.sample(now.connections > 0);
    }, beatMs);
  }

  close(): void {
    clearInterval(this.timer);
    this.delays.disable();
  }

  private sample(isWanted: boolean): void {
    if (isWanted === this.isSampling) return;
    this.isSampling = isWanted;
    if (isWanted) this.delays.enable();
    else this.delays.disable();
    this.delays.reset();
  }

  /** How late a turn was at most: this one, and of a process that serves somebody all that were sampled. */
  private takeLag(): number {
    const now = performance.now();
    const beatLagMs = now - this.dueAtMs;
    this.dueAtMs = now + beatMs;
    // The histogram holds the distance of two samples, which is the sampling interval when nothing is late.
    const lagMs = Math.max(0, beatLagMs, this.isSampling ? this.delays.max / 1e6 - sampleMs : 0);
    this.delays.reset();
    return Math.round(lagMs * 10) / 10;
  }
}
