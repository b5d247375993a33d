// What a backend has decided lately, for whoever asks the same again: while it is down, where the site says so, and for some seconds
// in its place, where the site says that. A question is the same when everything that it tells is, but for the client's number.
import { createHash } from "node:crypto";
import type { HookBody } from "../ipc/dues.js";
import type { Judgement } from "./answer.js";

/** Decisions that one process remembers; the oldest is forgotten for the newest. */
export const maxDecisions = 10_000;

interface Remembered {
  readonly judgement: Judgement;
  readonly atMs: number;
}

/** What tells one client from another and nothing of what it wants. */
const volatile: ReadonlySet<string> = new Set(["fence", "client_id", "clients", "service_id"]);

/** The question as a key of {@link Decisions}. */
export function questionOf(url: string, body: HookBody): string {
  const stable = Object.entries(body).filter(([name]) => !volatile.has(name));
  return createHash("sha1")
    .update(JSON.stringify([url, stable]))
    .digest("base64");
}

export class Decisions {
  private readonly known = new Map<string, Remembered>();

  /** The last one; null: there is none, or it is older than `maxAgeMs`. */
  find(question: string, nowMs: number, maxAgeMs = Infinity): Judgement | null {
    const found = this.known.get(question);
    return found !== undefined && nowMs - found.atMs <= maxAgeMs ? found.judgement : null;
  }

  remember(question: string, judgement: Judgement, nowMs: number): void {
    this.known.delete(question);
    this.known.set(question, { judgement, atMs: nowMs });
    if (this.known.size <= maxDecisions) return;
    for (const oldest of this.known.keys()) {
      this.known.delete(oldest);
      return;
    }
  }
}
