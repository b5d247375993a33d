// What a foreign server prints, as lines that are bounded in length and in number: a server in trouble may print faster
// than anybody can read, and its log must not become ours. Colours, with which srs marks warnings, are for terminals and go.
import { stripVTControlCharacters } from "node:util";

/** Characters of a line that are kept. */
const maxLineLength = 2000;
/** Lines of one server that are kept in each second. */
const maxLinesPerSecond = 100;
const windowMs = 1000;

export interface OutputOptions {
  nowMs(): number;
  line(text: string): void;
  /** So many lines were left out since the last one that was kept. */
  dropped(lines: number): void;
}

/** One stream of output. */
export class OutputLines {
  private readonly options: OutputOptions;
  private readonly decoder = new TextDecoder();
  private rest = "";
  private windowAtMs = Number.NEGATIVE_INFINITY;
  private linesInWindow = 0;
  private droppedLines = 0;

  constructor(options: OutputOptions) {
    this.options = options;
  }

  push(bytes: Buffer): void {
    const parts = (this.rest + this.decoder.decode(bytes, { stream: true })).split("\n");
    // What is too long is cut while it comes, so that a line that never ends takes no memory.
    this.rest = (parts.pop() ?? "").slice(0, maxLineLength + 1);
    for (const part of parts) this.keep(part);
  }

  /** Gives what is left when the program has ended. */
  end(): void {
    if (this.rest !== "") this.keep(this.rest);
    this.rest = "";
    this.tellDropped();
  }

  private keep(text: string): void {
    const line = stripVTControlCharacters(text).trimEnd();
    if (line === "") return;
    const nowMs = this.options.nowMs();
    if (nowMs - this.windowAtMs >= windowMs) {
      this.windowAtMs = nowMs;
      this.linesInWindow = 0;
      this.tellDropped();
    }
    this.linesInWindow += 1;
    if (this.linesInWindow > maxLinesPerSecond) this.droppedLines += 1;
    else this.options.line(line.length > maxLineLength ? `${line.slice(0, maxLineLength)}…` : line);
  }

  private tellDropped(): void {
    if (this.droppedLines > 0) this.options.dropped(this.droppedLines);
    this.droppedLines = 0;
  }
}
