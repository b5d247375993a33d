// How long the servers that are asked for one connection may take. One that is slow is given up for the next while there is
// a next; where there is none, as in a sudden crowd before the only server, nothing is won by refusing the client, and it waits.
//
//   asked ──turn over──▶ another server could be asked? ──yes──▶ late: the next one
//     ▲                    │ no                    │ no, and the patience is over
//     └──── next turn ─────┘                       └──▶ late: the client is refused
import { Deadline } from "../../base/deadline.js";

/** How long one client waits for servers in total: a first packet that a full queue has dropped comes again after 1, 3 and 7 s. */
export const patienceMs = 10_000;

export interface Waiting {
  /** Whether another server could be asked instead. */
  hasOther(): boolean;
  /** The server that is being asked has had its time, which was this long. */
  late(waitedMs: number): void;
}

/** The patience of one client, with one server after the other. `clear` ends it with each of them. */
export class Patience {
  private readonly turnMs: number;
  private leftMs: number;
  private readonly turn = new Deadline();
  private immediate: NodeJS.Immediate | null = null;

  /** `turnMs`: how long a server may take while there is another. */
  constructor(turnMs: number, totalMs: number) {
    this.turnMs = turnMs;
    this.leftMs = totalMs;
  }

  /** Begins to wait for a server that is asked now. Each has one turn at least. */
  begin(waiting: Waiting): void {
    this.clear();
    let waitedMs = 0;
    const take = (): void => {
      waitedMs += this.turnMs;
      this.leftMs -= this.turnMs;
      if (this.leftMs <= 0 || waiting.hasOther()) waiting.late(waitedMs);
      else begin();
    };
    const begin = (): void => {
      this.turn.set(this.turnMs, () => {
        // Timers come first in a turn of the event loop: where it is we who are late, the answer is heard in the rest of it.
        this.immediate = setImmediate(take);
      });
    };
    begin();
  }

  clear(): void {
    this.turn.clear();
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.immediate = null;
  }
}
