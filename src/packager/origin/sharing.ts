// What each stream of one packager costs, in bytes a second, and whether one of them is better with another packager, who has said what
// it carries. Pure but for the numbers that it keeps.

/** What a stream is taken to cost that was not measured yet: 1 Mbit/s. */
const assumedCost = 125_000;
/** How much of a measured cost is the last moment's. */
const newShare = 0.3;
/** How long what another packager has said is believed, with what it was given since. */
const believedMs = 5_000;

interface Share {
  readonly bytes: () => number;
  lastBytes: number;
  cost: number;
}

/** The numbers of one packager. */
export class Sharing {
  private readonly shares = new Map<string, Share>();
  private readonly others = new Map<string, { cost: number; readonly atMs: number }>();
  private readonly isShared: () => boolean;

  /** `isShared`: whether there are other packagers. */
  constructor(isShared: () => boolean) {
    this.isShared = isShared;
  }

  /** `bytes`: taken in so far. */
  add(key: string, bytes: () => number): void {
    this.shares.set(key, { bytes, lastBytes: bytes(), cost: assumedCost });
  }

  remove(key: string): void {
    this.shares.delete(key);
  }

  /** Of all; null: there is nobody to share with. */
  cost(): number | null {
    if (!this.isShared()) return null;
    let sum = 0;
    for (const { cost } of this.shares.values()) sum += cost;
    return sum;
  }

  /** So many seconds have passed since the last time. */
  measure(seconds: number): void {
    for (const share of this.shares.values()) {
      const bytes = share.bytes();
      share.cost += newShare * ((bytes - share.lastBytes) / seconds - share.cost);
      share.lastBytes = bytes;
    }
  }

  /** Whether a stream is better with another packager that carries so much; if so it counts as given to it. */
  isFor(key: string, by: string, told: number): boolean {
    const own = this.cost();
    const share = this.shares.get(key);
    if (own === null || share === undefined) return false;
    const nowMs = performance.now();
    const known = this.others.get(by);
    const other =
      known !== undefined && nowMs - known.atMs < believedMs ? { ...known, cost: Math.max(known.cost, told) } : { cost: told, atMs: nowMs };
    const isBetter = own - share.cost >= other.cost + share.cost;
    this.others.set(by, isBetter ? { ...other, cost: other.cost + share.cost } : other);
    return isBetter;
  }
}
