// The last of what happened in the box, for operators: bounded in number, numbered so that whoever comes back goes on where he was.
import type { BoxEvent, TakenEvent } from "../../ipc/events.js";

/** Events that are kept; older ones are forgotten. */
export const keptEvents = 1000;
/** Longest text that one of them is kept with, in characters: names come from the network. */
const maxTextChars = 500;

/** The book of one box. */
export class EventBook {
  private readonly events: TakenEvent[] = [];
  private readonly readers = new Set<(event: TakenEvent) => void>();
  private readonly epochMs: () => number;
  private lastId = 0;

  constructor(epochMs: () => number = Date.now) {
    this.epochMs = epochMs;
  }

  /** Takes down what happened, and tells those who follow. */
  take(event: BoxEvent): void {
    const nowMs = this.epochMs();
    // A master that takes this one's place begins behind it: nobody takes down a thousand a second.
    this.lastId = Math.max(this.lastId + 1, nowMs);
    const taken: TakenEvent = { id: this.lastId, time: new Date(nowMs).toISOString(), ...shortened(event) };
    this.events.push(taken);
    if (this.events.length > keptEvents) this.events.shift();
    for (const read of this.readers) read(taken);
  }

  /** Those behind the one of this number, oldest first. */
  after(id: number): readonly TakenEvent[] {
    return this.events.filter((event) => event.id > id);
  }

  /** Calls `read` with every event from now on. Returns how to stop. */
  follow(read: (event: TakenEvent) => void): () => void {
    this.readers.add(read);
    return () => void this.readers.delete(read);
  }
}

function shortened(event: BoxEvent): BoxEvent {
  const entries = Object.entries(event).map(([name, value]) => [name, typeof value === "string" ? value.slice(0, maxTextChars) : value]);
  return Object.fromEntries(entries) as BoxEvent;
}
