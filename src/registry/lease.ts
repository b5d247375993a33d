// The life of a node as others see it: a key with a time to live, set anew four times in that time, and with the same word the notes are
// fetched that others have left. Nothing here stops when Redis is away: it goes on speaking until it is heard.
//
//   speaking ─▶ kept │ new: nobody remembered the node, so its streams are told again │ other: another process has the name
//      ▲  └──▶ failed: tried again, and after a while over another connection
import { Deadline } from "../base/deadline.js";
import { asDolphinError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Keys, Self } from "./scripts.js";
import type { Store } from "./store.js";

/** Words in the time that the lease lasts. */
const wordsPerLease = 4;
/** So many words that were not heard in a row are reason enough for another connection. */
const patience = 4;

export interface LeaseParts {
  readonly self: Self;
  readonly keys: Keys;
  readonly store: Store;
  readonly leaseMs: number;
  /** What others are told of the node beside its name, as JSON. */
  record(): string;
  /** What it has, for those who look at the site; sent when it has changed. */
  roll(): string;
  /** The store answers; `isNew`: it had forgotten the node. */
  onHeard(isNew: boolean, nodes: number): void;
  /** It was not heard: in the words of the store. */
  onUnheard(words: string): void;
  onNote(note: string): void;
  readonly log: Log;
}

/** One node's lease. `close` ends it, so that others know at once. */
export class Lease {
  private readonly parts: LeaseParts;
  private readonly pause = new Deadline();
  private isFirst = true;
  private isClosed = false;
  private failures = 0;
  private isSpeaking = false;
  /** The roll that the store has; empty: none. */
  private told = "";
  /** Another process speaks under this name. */
  isOvertaken = false;

  constructor(parts: LeaseParts) {
    this.parts = parts;
  }

  /** Speaks now, and from now on. */
  speak(): void {
    if (this.isClosed || this.isSpeaking) return;
    this.isSpeaking = true;
    this.pause.clear();
    void this.say().finally(() => {
      this.isSpeaking = false;
      if (!this.isClosed) this.pause.set((this.parts.leaseMs / wordsPerLease) * (0.9 + Math.random() / 10), () => this.speak());
    });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.pause.clear();
    const { store, keys, self } = this.parts;
    void store.run(keys.leave(self)).catch(() => undefined); // then it dies by itself
  }

  private async say(): Promise<void> {
    const { store, keys, self, leaseMs, log } = this.parts;
    const roll = this.parts.roll();
    const news = roll === this.told ? "" : roll;
    try {
      const word = { record: this.parts.record(), roll: news, leaseMs, isFirst: this.isFirst };
      const [how, nodes, ...notes] = (await store.run(keys.speak(self, word))) as [string, number, ...string[]];
      this.failures = 0;
      if (this.isClosed) return;
      this.overtaken(how === "other");
      if (how === "other") return;
      this.isFirst = false;
      this.told = how === "new" && news === "" ? "" : roll; // a store that had forgotten the node has forgotten that as well
      this.parts.onHeard(how === "new", nodes);
      for (const note of notes) this.parts.onNote(note);
    } catch (thrown) {
      const { message } = asDolphinError(thrown);
      log.debug({ event: "registry.unheard" }, message);
      this.parts.onUnheard(message);
      this.failures += 1;
      if (this.failures % patience === 0) store.renew();
    }
  }

  private overtaken(isOvertaken: boolean): void {
    if (isOvertaken && !this.isOvertaken)
      this.parts.log.warn(
        { event: "registry.overtaken", code: "REGISTRY_NAME", node: this.parts.self.id },
        `another process is ${this.parts.self.id} in the registry: if that is no upgrade, give each box a registry_advertise of its own`,
      );
    this.isOvertaken = isOvertaken;
  }
}
