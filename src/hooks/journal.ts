// What is due in all processes of a box, in a file beside the control socket: a master that is killed takes all of them along, and the
// next one that starts there closes their sessions. Lines are notes as the master hears them; what is open and not done in them is due.
//
//   open, sitting, done ─ take ─▶ live ─▶ a line ─▶ the file ─ its master is killed ─▶ duesIn ─▶ ledger.ts of the next master
//                                          └─ too many lines ─▶ written anew from what is live, some at a time
import { closeSync, fstatSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import type { Due, DueNote } from "../ipc/dues.js";

/** Lines that a file may have beyond twice what is live. */
export const spareLines = 10_000;
/** Lines of what is live that are written in one turn. */
const linesATurn = 500;

/** A note that is written down. */
type Line = Extract<DueNote, { readonly open: Due } | { readonly sitting: unknown } | { readonly done: string }>;

/** The dues of one master on disk. `close` removes the file when nothing is due. */
export class Journal {
  private readonly live = new Map<string, Line>();
  private readonly failed: (thrown: unknown) => void;
  /** Null: nothing is written, not yet or not any more. */
  private path: string | null = null;
  private file: { readonly fd: number; readonly inode: number; lines: number } | null = null;
  /** The file that is to take its place, and what is still to be written to it. */
  private next: { readonly fd: number; readonly rest: Iterator<Line>; lines: number } | null = null;

  /** `failed` is told once why nothing is written any more. */
  constructor(failed: (thrown: unknown) => void) {
    this.failed = failed;
  }

  /** Writes to this file from now on, in place of what is there; not before something is due. */
  begin(path: string): void {
    this.path = path;
    this.attempt(() => {
      if (this.live.size > 0) this.writeAnew();
      else rmSync(path, { force: true });
    });
  }

  /** Takes what a process tells, in its order. */
  take(notes: readonly DueNote[]): void {
    const lines = notes.filter((note): note is Line => this.isNews(note));
    if (lines.length === 0 || this.path === null) return;
    this.attempt(() => this.append(lines));
  }

  /** Writes nothing more. What is still due stays for the next master, where no other has taken the place of this one. */
  close(): void {
    const { path, file } = this;
    if (path !== null && file !== null && this.live.size === 0 && isAt(path, file.inode)) rmSync(path, { force: true });
    this.stop();
  }

  private isNews(note: DueNote): boolean {
    if ("open" in note) this.live.set(note.open.key, note);
    else if ("sitting" in note) this.live.set(note.sitting.due.key, note);
    else return "done" in note && this.live.delete(note.done);
    return true;
  }

  private append(lines: readonly Line[]): void {
    const { file, next } = this;
    if (file === null && next === null) {
      this.writeAnew(); // they are live
      return;
    }
    for (const one of [file, next]) if (one !== null) add(one, lines);
    if (file === null) return;
    if (next === null && file.lines > 2 * this.live.size + spareLines) this.writeAnew();
  }

  /** What comes meanwhile is written to both files; where it is among the rest as well, it is written twice, which changes nothing. */
  private writeAnew(): void {
    const fd = openSync(`${this.path}.new`, "w", 0o600);
    this.next = { fd, rest: this.live.values(), lines: 0 };
    this.writeSome();
  }

  private writeSome(): void {
    const { path, next, file } = this;
    if (path === null || next === null) return;
    const lines: Line[] = [];
    while (lines.length < linesATurn) {
      const { value, done } = next.rest.next();
      if (done === true) break;
      lines.push(value);
    }
    add(next, lines);
    if (lines.length === linesATurn) {
      setImmediate(() => this.attempt(() => this.writeSome()));
      return;
    }
    // A master that has taken the place of this one has a file of its own there.
    if (file !== null && !isAt(path, file.inode)) {
      this.stop();
      return;
    }
    renameSync(`${path}.new`, path);
    if (file !== null) closeSync(file.fd);
    this.file = { fd: next.fd, inode: fstatSync(next.fd).ino, lines: next.lines };
    this.next = null;
  }

  private attempt(write: () => void): void {
    try {
      write();
    } catch (thrown) {
      this.stop();
      this.failed(thrown);
    }
  }

  private stop(): void {
    if (this.next !== null) rmSync(`${this.path}.new`, { force: true });
    this.path = null;
    for (const one of [this.file, this.next]) if (one !== null) closeSync(one.fd);
    this.file = this.next = null;
  }
}

/** What a master that was killed has left open there, as notes; nothing where there is no such file. Lines that are cut are passed over. */
export function duesIn(path: string): readonly Line[] {
  const live = new Map<string, Line>();
  for (const text of textAt(path).split("\n")) {
    const line = parse(text);
    if (line === null) continue;
    if ("done" in line) live.delete(line.done);
    else live.set("open" in line ? line.open.key : line.sitting.due.key, line);
  }
  return [...live.values()];
}

function add(file: { readonly fd: number; lines: number }, lines: readonly Line[]): void {
  writeSync(file.fd, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  file.lines += lines.length;
}

function textAt(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // no master was killed here, or it was another user's
  }
}

function parse(text: string): Line | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const line = value as Partial<Record<"open" | "sitting" | "done", unknown>>;
  if (typeof line !== "object" || line === null) return null;
  if (typeof line.done === "string" || isDue(line.open)) return line as Line;
  const { due, idleMs } = (line.sitting ?? {}) as { readonly due?: unknown; readonly idleMs?: unknown };
  return isDue(due) && typeof idleMs === "number" ? (line as Line) : null;
}

function isDue(value: unknown): value is Due {
  if (typeof value !== "object" || value === null) return false;
  const { key, action, urls, body } = value as Partial<Due>;
  return typeof key === "string" && typeof action === "string" && Array.isArray(urls) && typeof body === "object" && body !== null;
}

function isAt(path: string, inode: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === inode;
}
