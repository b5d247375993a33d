// Sittings as a process knows them: sessions without a connection, whose requests come to any process. What the master knows of them
// (ledger.ts) is asked and told in notes.
import type { DueNote } from "../ipc/dues.js";

const masterAnswersMs = 1000;

/** Of the sitting of a client, in every process. */
export function sittingKey(clientId: string): string {
  return `${clientId}.sitting`;
}

/** Those that one process asks about. Nothing to close. */
export class Sittings {
  private readonly note: (note: DueNote) => void;
  private readonly asked = new Map<number, (goesOn: boolean) => void>();
  private made = 0;

  constructor(note: (note: DueNote) => void) {
    this.note = note;
  }

  /** Something was asked for in a sitting: its time begins anew. */
  touch(key: string): void {
    this.note({ touched: key });
  }

  /** A sitting is over before its time. */
  end(key: string): void {
    this.note({ over: key });
  }

  /** Resolves to whether a sitting goes on that this process knows nothing of; a master that does not answer knows of none. */
  async goesOn(key: string): Promise<boolean> {
    const id = ++this.made;
    const answered = new Promise<boolean>((resolve) => this.asked.set(id, resolve));
    this.note({ asked: key, id });
    const late = setTimeout(() => this.hear(id, false), masterAnswersMs);
    return answered.finally(() => clearTimeout(late));
  }

  /** The master's answer. */
  hear(id: number, goesOn: boolean): void {
    this.asked.get(id)?.(goesOn);
    this.asked.delete(id);
  }
}
