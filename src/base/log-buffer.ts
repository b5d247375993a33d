// Between pino and where lines go: a line that comes alone is written at once, those of a burst together, because two thousand
// viewers in a second are four thousand lines, and a write for each is time in which nobody is served.
//
//   a line ─▶ written ─▶ for gatherMs further lines wait ─▶ written as one ─▶ … until none has come
//                        └ a warning or an error, 64 KiB, the end of the process: at once
//
// What waits when the process is killed is lost with it: the ordinary lines of some milliseconds.

/** How long lines of a burst wait at most. */
const gatherMs = 20;
/** More than this is written at once. */
const maxGatheredBytes = 64 * 1024;

/** Where lines go. */
export interface LogOutput {
  /** Takes whole lines, with their newlines. */
  write(text: string): unknown;
}

/** Gathers the lines of one process. Nothing to close: the process's exit writes what waits. */
export class LogBuffer implements LogOutput {
  private readonly output: LogOutput;
  private waiting = "";
  private timer: NodeJS.Timeout | null = null;

  constructor(output: LogOutput) {
    this.output = output;
    process.on("exit", () => this.flush());
  }

  write(line: string): void {
    if (this.timer === null) {
      this.output.write(line);
      this.wait();
      return;
    }
    this.waiting += line;
    if (this.waiting.length > maxGatheredBytes) this.flush();
  }

  /** Writes what waits. */
  flush(): void {
    const text = this.waiting;
    this.waiting = "";
    if (text !== "") this.output.write(text);
  }

  private wait(): void {
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.waiting === "") return;
      this.flush();
      this.wait();
    }, gatherMs);
    this.timer.unref();
  }
}
