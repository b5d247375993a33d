// Where streams are, for those who want to play them: asked once for all who ask at the same time, remembered for a moment, and for
// longer where the store does not answer or has lost what it knew: a place that was right is likelier than none. Which of the boxes that
// have a stream is asked for it is choice.ts.
//
//   many boxes want one stream at once: the first go to its owner; the others wait for a moment, until the first are there to choose from
import { setTimeout as sleep } from "node:timers/promises";
import { DolphinError, messageOf } from "../base/errors.js";
import { parseServer } from "../conf/meaning/endpoint.js";
import { nowhere, type Located } from "../ipc/locating.js";
import { choose, maxDirectPulls, type Choice } from "./choice.js";
import type { Nodes } from "./nodes.js";
import { parseOffers, type Offer } from "./offers.js";
import { parsePointer, type Keys, type Pointer, type Self } from "./scripts.js";
import type { Store } from "./store.js";

/** How long a place is taken for right, and how long that there is none. */
const foundMs = 2_000;
const notFoundMs = 500;
/** How long a place is remembered for times without a store. */
const longestMs = 600_000;
const maxPlaces = 20_000;
/** How long a box counts as having been chosen lately. */
const pickedMs = 2_000;
/** The moment for which one of many waits; half of it at least. */
const stormPauseMs = 200;

interface Place {
  readonly pointer: Pointer | null;
  readonly located: Located;
  readonly choice: Choice | null;
  readonly atMs: number;
  /** Somebody has found it wrong: it is good for times without a store alone. */
  readonly isDoubted: boolean;
}

export interface LookupsParts {
  readonly self: Self;
  readonly zone: string;
  readonly keys: Keys;
  readonly store: Store;
  readonly nodes: Nodes;
  /** Whether the store may have lost what it knew, and is being told again. */
  isDoubtful(): boolean;
  /** From where this box has a stream now; null: from nowhere. */
  present(key: string): string | null;
  /** These boxes are dead, and offer a stream. */
  onDead(key: string, offers: readonly Offer[]): void;
}

/** Those of one box. Nothing to close. */
export class Lookups {
  private readonly parts: LookupsParts;
  private readonly places = new Map<string, Place>();
  private readonly asking = new Map<string, Promise<Located>>();
  private readonly picked = new Map<string, number[]>();
  /** Questions that were put to the store. */
  asked = 0;

  constructor(parts: LookupsParts) {
    this.parts = parts;
  }

  /** Rejects with REGISTRY_AWAY where the store does not answer and nothing is remembered. `isLost`: it is no longer where it was. */
  async locate(key: string, isLost = false): Promise<Located> {
    const known = this.places.get(key);
    if (known !== undefined && !known.isDoubted) {
      const ageMs = performance.now() - known.atMs;
      if (ageMs < (known.located.servers.length > 0 ? foundMs : notFoundMs)) return known.located;
    }
    const asking = this.asking.get(key);
    if (asking !== undefined) return asking;
    const asked = this.ask(key, known, isLost).finally(() => this.asking.delete(key));
    this.asking.set(key, asked);
    return asked;
  }

  /** What is remembered of a stream is asked again when somebody wants it next. */
  doubt(key: string): void {
    const known = this.places.get(key);
    if (known !== undefined) this.places.set(key, { ...known, isDoubted: true });
  }

  /** Whom a stream was published to, as far as is known. */
  ownerOf(key: string): string | null {
    return this.places.get(key)?.pointer?.rtmp ?? null;
  }

  /** The way on which a stream comes that is pulled from this box, as it was found last; null: it was not found there. */
  pathOf(key: string, from: string): readonly string[] | null {
    return this.places.get(key)?.choice?.paths.get(from) ?? null;
  }

  /** From where this box would pull a stream of this owner now. Rejects where the store does not answer. */
  async route(key: string, owner: string): Promise<Pick<Choice, "servers" | "why">> {
    const { store, keys, zone } = this.parts;
    const [, , ...rows] = (await store.run(keys.find(key, { zone, by: null }))) as [string, number, ...string[]];
    const { servers, why } = await this.choose(key, owner, parseOffers(rows), false);
    return { servers, why };
  }

  private async ask(key: string, known: Place | undefined, isLost: boolean): Promise<Located> {
    this.asked += 1;
    try {
      const place = await this.look(key, known, isLost);
      this.places.delete(key);
      this.places.set(key, place);
      if (this.places.size > maxPlaces) for (const [oldest] of this.places) if (this.places.size > maxPlaces) this.places.delete(oldest);
      return place.located;
    } catch (thrown) {
      if (known !== undefined && known.located.servers.length > 0 && performance.now() - known.atMs < longestMs) return known.located;
      throw new DolphinError("REGISTRY_AWAY", `the registry cannot be asked: ${messageOf(thrown)}`, { cause: thrown });
    }
  }

  private async look(key: string, known: Place | undefined, isLost: boolean): Promise<Place> {
    const { self, nodes } = this.parts;
    const atMs = performance.now();
    const { pointer, offers } = await this.find(key);
    const before = known?.pointer ?? null;
    const isOlder = before !== null && (pointer === null ? this.parts.isDoubtful() : pointer.fence < before.fence);
    // A store that has gone back in time is not believed while whoever it has forgotten lives.
    const trusted = isOlder && before.node !== self.id && (await nodes.hasSaid(before)) ? before : pointer;
    const place = { pointer: trusted, located: nowhere, choice: null, atMs, isDoubted: false };
    if (trusted === null) return place;
    if (trusted.node === self.id) return { ...place, located: { isHere: trusted.epoch === self.epoch, servers: [] } };
    if (!(await nodes.hasSaid(trusted))) return place;
    const choice = await this.choose(key, trusted.node, offers, isLost);
    this.pick(choice.servers[0] ?? "");
    return { ...place, choice, located: { isHere: false, servers: choice.servers.map((server) => parseServer(server)) } };
  }

  /** Where many ask at once, those that are not among the first see what those have found. */
  private async find(key: string): Promise<{ readonly pointer: Pointer | null; readonly offers: readonly Offer[] }> {
    const { store, keys, zone, self } = this.parts;
    const ask = async (by: Self | null): Promise<[string, number, ...string[]]> =>
      (await store.run(keys.find(key, { zone, by }))) as [string, number, ...string[]];
    let [text, rank, ...rows] = await ask(this.parts.present(key) === null ? self : null);
    const isCrowded = rank - rows.length / 2 > maxDirectPulls && parsePointer(text)?.node !== self.id;
    if (isCrowded) {
      await sleep(stormPauseMs * (0.5 + Math.random() / 2));
      [text, rank, ...rows] = await ask(null);
    }
    return { pointer: parsePointer(text), offers: parseOffers(rows) };
  }

  private async choose(key: string, owner: string, offers: readonly Offer[], isLost: boolean): Promise<Choice> {
    const { self, zone, nodes } = this.parts;
    const choice = await choose({
      self: { id: self.id, zone },
      owner,
      offers,
      present: this.parts.present(key),
      isLost,
      picks: (node) => this.picksOf(node).length,
      read: (node) => nodes.get(node),
      random: Math.random,
    });
    if (choice.dead.length > 0) this.parts.onDead(key, choice.dead);
    return choice;
  }

  private pick(node: string): void {
    this.picked.set(node, [...this.picksOf(node), performance.now()]);
    if (this.picked.size > maxPlaces) this.picked.clear();
  }

  private picksOf(node: string): number[] {
    return (this.picked.get(node) ?? []).filter((atMs) => performance.now() - atMs < pickedMs);
  }
}
