// Questions from the master to its children: who is asked, who has answered, and how long that may take. What is asked and
// what an answer looks like is the caller's; a child that goes away is not waited for.
import type { Timers } from "../../base/timers.js";

/** The answers by the child's name, and who was asked and said nothing. */
export interface Answers<Answer> {
  readonly answers: ReadonlyMap<string, Answer>;
  /** Asked, still there, and silent until the deadline. */
  readonly silent: readonly string[];
}

interface Round<Answer> {
  readonly missing: Set<string>;
  readonly answers: Map<string, Answer>;
  readonly finish: () => void;
}

/** The questions of one kind that are on their way; several may be, each with a number of its own. */
export class Questions<Answer> {
  private readonly timers: Timers;
  private readonly deadlineMs: number;
  private readonly rounds = new Map<number, Round<Answer>>();
  private lastId = 0;

  constructor(timers: Timers, deadlineMs: number) {
    this.timers = timers;
    this.deadlineMs = deadlineMs;
  }

  /** Asks each of the children (`send` is false where there is nobody) and resolves when all have answered or are late. */
  ask(names: readonly string[], send: (name: string, id: number) => boolean): Promise<Answers<Answer>> {
    const id = ++this.lastId;
    return new Promise((resolve) => {
      const [missing, answers] = [new Set<string>(), new Map<string, Answer>()];
      const forget = this.timers.after(this.deadlineMs, () => finish());
      const finish = (): void => {
        forget();
        this.rounds.delete(id);
        resolve({ answers, silent: [...missing] });
      };
      const round = { missing, answers, finish };
      this.rounds.set(id, round);
      for (const name of names) if (send(name, id)) missing.add(name);
      finishWhenComplete(round);
    });
  }

  answer(name: string, id: number, answer: Answer): void {
    const round = this.rounds.get(id);
    if (round === undefined || !round.missing.delete(name)) return; // late, or never asked
    round.answers.set(name, answer);
    finishWhenComplete(round);
  }

  /** A child is gone; nobody waits for it any more. */
  gone(name: string): void {
    for (const round of this.rounds.values()) if (round.missing.delete(name)) finishWhenComplete(round);
  }
}

function finishWhenComplete({ missing, finish }: Pick<Round<unknown>, "missing" | "finish">): void {
  if (missing.size === 0) finish();
}
