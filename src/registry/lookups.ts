// Where streams are, for those who want to play them: asked once for all who ask at the same time, remembered for a moment, and for
// longer where the store does not answer or has lost what it knew: a place that was right is likelier than none.
import { DolphinError, messageOf } from "../base/errors.js";
import { parseServer } from "../conf/meaning/endpoint.js";
import { nowhere, type Located } from "../ipc/locating.js";
import type { Nodes } from "./nodes.js";
import { parsePointer, type Keys, type Pointer, type Self } from "./scripts.js";
import type { Store } from "./store.js";

/** How long a place is taken for right, and how long that there is none. */
const foundMs = 2_000;
const notFoundMs = 500;
/** How long a place is remembered for times without a store. */
const longestMs = 600_000;
const maxPlaces = 20_000;

interface Place {
  readonly pointer: Pointer | null;
  readonly located: Located;
  readonly atMs: number;
  /** Somebody has found it wrong: it is good for times without a store alone. */
  readonly isDoubted: boolean;
}

export interface LookupsParts {
  readonly self: Self;
  readonly keys: Keys;
  readonly store: Store;
  readonly nodes: Nodes;
  /** Whether the store may have lost what it knew, and is being told again. */
  isDoubtful(): boolean;
}

/** Those of one box. Nothing to close. */
export class Lookups {
  private readonly parts: LookupsParts;
  private readonly places = new Map<string, Place>();
  private readonly asking = new Map<string, Promise<Located>>();
  /** Questions that were put to the store. */
  asked = 0;

  constructor(parts: LookupsParts) {
    this.parts = parts;
  }

  /** Rejects with REGISTRY_AWAY where the store does not answer and nothing is remembered. */
  async locate(key: string): Promise<Located> {
    const known = this.places.get(key);
    if (known !== undefined && !known.isDoubted) {
      const ageMs = performance.now() - known.atMs;
      if (ageMs < (known.located.servers.length > 0 ? foundMs : notFoundMs)) return known.located;
    }
    const asking = this.asking.get(key);
    if (asking !== undefined) return asking;
    const asked = this.ask(key, known).finally(() => this.asking.delete(key));
    this.asking.set(key, asked);
    return asked;
  }

  /** What is remembered of a stream is asked again when somebody wants it next. */
  doubt(key: string): void {
    const known = this.places.get(key);
    if (known !== undefined) this.places.set(key, { ...known, isDoubted: true });
  }

  private async ask(key: string, known: Place | undefined): Promise<Located> {
    this.asked += 1;
    try {
      const place = await this.look(key, known);
      this.places.delete(key);
      this.places.set(key, place);
      if (this.places.size > maxPlaces) for (const [oldest] of this.places) if (this.places.size > maxPlaces) this.places.delete(oldest);
      return place.located;
    } catch (thrown) {
      if (known !== undefined && known.located.servers.length > 0 && performance.now() - known.atMs < longestMs) return known.located;
      throw new DolphinError("REGISTRY_AWAY", `the registry cannot be asked: ${messageOf(thrown)}`, { cause: thrown });
    }
  }

  private async look(key: string, known: Place | undefined): Promise<Place> {
    const { store, keys, self, nodes } = this.parts;
    const atMs = performance.now();
    const pointer = parsePointer(await store.get(keys.stream(key)));
    const before = known?.pointer ?? null;
    const isOlder = before !== null && (pointer === null ? this.parts.isDoubtful() : pointer.fence < before.fence);
    // A store that has gone back in time is not believed while whoever it has forgotten lives.
    const trusted = isOlder && before.node !== self.id && (await nodes.hasSaid(before)) ? before : pointer;
    if (trusted === null) return { pointer: null, located: nowhere, atMs, isDoubted: false };
    if (trusted.node === self.id)
      return { pointer: trusted, located: { isHere: trusted.epoch === self.epoch, servers: [] }, atMs, isDoubted: false };
    const located = (await nodes.hasSaid(trusted)) ? { isHere: false, servers: [parseServer(trusted.rtmp)] } : nowhere;
    return { pointer: trusted, located, atMs, isDoubted: false };
  }
}
