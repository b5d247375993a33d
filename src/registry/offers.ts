// What this box has from other boxes and offers to those of its zone, who then need not fetch it from afar: beside the stream's pointer, a
// row for each box that has it, with the way on which it comes. Whoever comes finds them with the same question as the owner. A row ends
// with the pull; one of a box that is dead is void, as its epoch is, and is taken away by whoever meets it.
import { maxHops } from "../ipc/locating.js";
import type { Keys, Self } from "./scripts.js";
import type { Store } from "./store.js";

/** Offers that are told again at a time. */
const atOnce = 100;

/** One box that has a stream from another. */
export interface Offer {
  readonly node: string;
  readonly epoch: string;
  /** The boxes that it comes through, the nearest first, its owner last. */
  readonly path: readonly string[];
}

export interface OffersParts {
  readonly self: Self;
  readonly zone: string;
  readonly keys: Keys;
  readonly store: Store;
  /** The way on which a stream comes that is pulled from this box; null: it is not known. */
  pathOf(key: string, from: string): readonly string[] | null;
}

/** Those of one box. Nothing to close: what the box was ends with its lease. */
export class Offers {
  private readonly parts: OffersParts;
  private readonly own = new Map<string, string>();

  constructor(parts: OffersParts) {
    this.parts = parts;
  }

  /** The stream comes from this box; null: no more. */
  tell(key: string, from: string | null): void {
    if (from === null) {
      if (this.own.delete(key)) this.withdraw(key, { node: this.parts.self.id, epoch: this.parts.self.epoch });
      return;
    }
    this.own.set(key, from);
    void this.offer(key, from);
  }

  /** All of them, from time to time: the store may have lost them, and ways change. */
  async tellAll(): Promise<void> {
    const all = [...this.own];
    for (let at = 0; at < all.length; at += atOnce)
      await Promise.all(all.slice(at, at + atOnce).map(([key, from]) => this.offer(key, from)));
  }

  /** Takes an offer away: its own, or that of a process that lives no more. */
  withdraw(key: string, { node, epoch }: Pick<Offer, "node" | "epoch">): void {
    const { store, keys, zone } = this.parts;
    void store.run(keys.withdraw(key, { zone, node, epoch })).catch(() => undefined); // then it ends by itself
  }

  private async offer(key: string, from: string): Promise<void> {
    const { store, keys, zone, self } = this.parts;
    const path = this.parts.pathOf(key, from) ?? [from];
    if (path.length > maxHops) return;
    await store.run(keys.offer(self, key, { zone, path: path.join(",") })).catch(() => undefined); // it is told again
  }
}

/** Reads rows as they are in the store: names and values in turn. */
export function parseOffers(rows: readonly string[]): readonly Offer[] {
  return rows.flatMap((node, at) => {
    const [, epoch, path] = at % 2 === 0 ? (/^(\S+) (\S+)$/.exec(rows[at + 1] ?? "") ?? []) : [];
    return epoch === undefined || path === undefined ? [] : [{ node, epoch, path: path.split(",") }];
  });
}
