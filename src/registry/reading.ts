// The whole site, read for operators: the list of nodes, and then what each says of itself and of what it has, a part of them at a time.
// One reading serves all who ask within a second, and the last one those who ask while the store is away.
import { messageOf } from "../base/errors.js";
import type { ReadNode } from "../ipc/site.js";
import type { Keys } from "./scripts.js";
import type { Store } from "./store.js";

const freshMs = 1_000;
/** Nodes that are read with one command. */
const nodesAtOnce = 100;

/** What was read, and when. */
export interface Reading {
  readonly nodes: readonly ReadNode[];
  /** On the clock of `performance`; null: never. */
  readonly atMs: number | null;
  /** Why it could not be read anew; null: it could. */
  readonly problem: string | null;
}

/** The reader of one box. Nothing to close. */
export class SiteReader {
  private readonly store: Store;
  private readonly keys: Keys;
  private last: Reading = { nodes: [], atMs: null, problem: null };
  private reading: Promise<Reading> | null = null;

  constructor(store: Store, keys: Keys) {
    this.store = store;
    this.keys = keys;
  }

  /** Never rejects. */
  read(): Promise<Reading> {
    const { atMs, problem } = this.last;
    if (problem === null && atMs !== null && performance.now() - atMs < freshMs) return Promise.resolve(this.last);
    this.reading ??= this.readNow().finally(() => (this.reading = null));
    return this.reading;
  }

  private async readNow(): Promise<Reading> {
    try {
      this.last = { nodes: await this.nodes(), atMs: performance.now(), problem: null };
    } catch (thrown) {
      this.last = { ...this.last, problem: `the registry cannot be asked: ${messageOf(thrown)}` };
    }
    return this.last;
  }

  private async nodes(): Promise<readonly ReadNode[]> {
    const [now, ...listed] = (await this.store.run(this.keys.listNodes())) as string[];
    const found = listed.flatMap((id, at) => (at % 2 === 0 ? [{ id, heardMs: Math.max(0, Number(now) - Number(listed[at + 1])) }] : []));
    const nodes: ReadNode[] = [];
    for (let at = 0; at < found.length; at += nodesAtOnce) {
      const part = found.slice(at, at + nodesAtOnce);
      const values = (await this.store.run(this.keys.readNodes(part.map(({ id }) => id)))) as string[];
      for (const [index, { id, heardMs }] of part.entries())
        nodes.push({ id, heardMs, record: values[2 * index] ?? "", roll: values[2 * index + 1] ?? "" });
    }
    return nodes;
  }
}
