// The streams that are published to this box, and the right to each. A publisher never waits for the store longer than a second; what
// could not be asked is asked later, and whoever turns out to have lost his stream is told.
//
//   claim ─▶ asked ─┬─▶ held ◀────────────────────────┐
//                   ├─▶ busy: refused │ standby ──────┤  asked twice a second until the owner has left
//                   └─▶ no answer: refused │ unconfirmed ─▶ asked when it answers ─▶ held, or lost
//   held ─(the process stood still)─▶ suspect: nothing passes ─▶ held, or lost          no answer: held
import { DolphinError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { RegistryBlock } from "../conf/meaning/config.js";
import type { Claim, Claimant, Claims, StreamName } from "../ipc/locating.js";
import type { Nodes } from "./nodes.js";
import { keyOf, parsePointer, type Keys, type Pointer, type Self } from "./scripts.js";
import type { Store } from "./store.js";

/** How long a publisher waits for the store. */
const claimDeadlineMs = 1_000;
/** How long what came behind a standstill waits for it: then Redis is away, and media goes on. */
const suspicionMs = 1_000;
const standbyEveryMs = 500;
/** Streams that are asked about at a time. */
const auditAtOnce = 100;
/** Rights that could not be given back are given back later; the oldest of more are left to their time to live. */
const maxUnreleased = 10_000;

type Verdict = { readonly is: "held" } | { readonly is: "busy" | "lost"; readonly by: Pointer | null };

/** A stream of a publisher of this box. */
export interface Held {
  readonly key: string;
  readonly sinceMs: number;
  /** 0: the store has not given one yet. */
  readonly fence: number;
  readonly isStandby: boolean;
}

interface Holding extends Held {
  readonly claimant: Claimant;
  fence: number;
  isStandby: boolean;
  isSuspect: boolean;
  isOver: boolean;
  timer: NodeJS.Timeout | null;
}

export interface BookParts {
  readonly self: Self;
  readonly keys: Keys;
  readonly store: Store;
  readonly nodes: Nodes;
  /** As they are now. */
  policy(): Pick<RegistryBlock, "secondPublisher" | "whenAway">;
  /** Looks whether the process has stood still. */
  checkPulse(): void;
  readonly log: Log;
}

/** The claims of one box. `close` ends the asking; what is held is then given back by whoever has it. */
export class ClaimBook implements Pick<Claims, "claim"> {
  private readonly parts: BookParts;
  private readonly holdings = new Set<Holding>();
  private readonly unreleased = new Map<string, string>();
  private isClosed = false;
  /** So far: claims, those that were refused or lost for another's. */
  claims = 0;
  conflicts = 0;

  constructor(parts: BookParts) {
    this.parts = parts;
  }

  /** Streams that are held, that wait for the store to hear of them, and that stand by. */
  get counts(): { readonly held: number; readonly unconfirmed: number; readonly standby: number } {
    const all = [...this.holdings];
    const standby = all.filter(({ isStandby }) => isStandby).length;
    const unconfirmed = all.filter(({ isStandby, fence }) => !isStandby && fence === 0).length;
    return { held: all.length - standby - unconfirmed, unconfirmed, standby };
  }

  /** All that is held and stands by, as it is now. */
  get rows(): readonly Held[] {
    return [...this.holdings];
  }

  /** The fence of a stream that is published here; 0: the store has given none; null: it is not published here. */
  fenceOf(key: string): number | null {
    return [...this.holdings].find((one) => one.key === key && !one.isStandby)?.fence ?? null;
  }

  async claim(name: StreamName, claimant: Claimant): Promise<Claim> {
    this.claims += 1;
    const holding: Holding = {
      key: keyOf(name),
      claimant,
      sinceMs: claimant.underWaySinceMs ?? Date.now(),
      fence: 0,
      isStandby: false,
      isSuspect: false,
      isOver: false,
      timer: null,
    };
    const asked = this.ask(holding, claimant.underWaySinceMs === null);
    const verdict = await settled(asked, claimDeadlineMs);
    if (verdict === null) this.withoutAnswer(holding, asked);
    else if (verdict.is !== "held") this.without(holding, verdict.by);
    this.holdings.add(holding);
    return this.claimOf(holding);
  }

  /** For whoever is not asked about yet: a number, or that he would be refused. */
  async fence(key: string): Promise<number> {
    const { store, keys, self, nodes } = this.parts;
    try {
      const [fence, has] = (await store.run(keys.nextFence(key))) as [string, string];
      const other = parsePointer(has);
      const isKept = this.parts.policy().secondPublisher === "refuse" && other !== null && other.node !== self.id;
      if (isKept && (await nodes.isAlive(other))) throw busy(key, other);
      return Number(fence);
    } catch (thrown) {
      if (thrown instanceof DolphinError && thrown.code === "RTMP_BUSY") throw thrown;
      return 0; // too slow, or away
    }
  }

  /** Asks about everything that is held: the store may have lost it, or another may have got it. */
  async audit(): Promise<void> {
    for (const [publish, key] of this.unreleased) await this.giveBack(key, publish);
    const due = [...this.holdings].filter(({ isStandby }) => !isStandby);
    for (let at = 0; at < due.length && !this.isClosed; at += auditAtOnce) {
      await Promise.all(due.slice(at, at + auditAtOnce).map((holding) => this.check(holding)));
    }
  }

  /** Asks about those who were accepted without the store, which answers again. */
  async confirm(): Promise<void> {
    const due = [...this.holdings].filter(({ isStandby, fence }) => !isStandby && fence === 0);
    await Promise.all(due.slice(0, auditAtOnce).map((holding) => this.check(holding)));
  }

  /** Asks about one stream, of which another box says that it has it. */
  async recheck(key: string): Promise<void> {
    await Promise.all([...this.holdings].filter((one) => one.key === key && !one.isStandby).map((one) => this.check(one)));
  }

  /** The process stood still: nothing passes until it is known whose the streams are. */
  suspect(isMeant: (id: string) => boolean = () => true): void {
    for (const holding of this.holdings) {
      if (!isMeant(holding.claimant.id)) continue;
      if (holding.isStandby || holding.fence === 0) {
        holding.claimant.onSure(); // the store has never said that it is his
        continue;
      }
      holding.isSuspect = true;
      void settled(this.check(holding), suspicionMs).then(() => this.sure(holding));
    }
  }

  close(): void {
    this.isClosed = true;
    for (const { timer } of this.holdings) if (timer !== null) clearTimeout(timer);
  }

  private claimOf(holding: Holding): Claim {
    const { parts } = this;
    const release = (): void => this.release(holding);
    return {
      get isStandby() {
        return holding.isStandby;
      },
      mayPass() {
        parts.checkPulse();
        return !holding.isSuspect && !holding.isOver;
      },
      release,
    };
  }

  /** `isFirst`: he has just come; a takeover is then his wish, and later only where he came after the other. */
  private async ask(holding: Holding, isFirst: boolean): Promise<Verdict> {
    const { store, keys, self, nodes } = this.parts;
    const { key, claimant, sinceMs } = holding;
    let mayReplace = "";
    for (;;) {
      const call = keys.claim(self, key, { publish: claimant.id, sinceMs, held: holding.fence, mayReplace });
      const [how, fence, before] = (await store.run(call)) as [string, string, string];
      const other = parsePointer(before);
      if (how === "won") this.tellFormer(key, other);
      if (how === "won" || how === "kept") {
        holding.fence = Number(fence);
        if (holding.isOver) void this.giveBack(key, claimant.id); // he left while it was asked
        return { is: "held" };
      }
      if (how === "lost") return { is: "lost", by: other };
      const takesOver = this.parts.policy().secondPublisher === "takeover" && (isFirst || sinceMs > (other?.sinceMs ?? 0));
      if (before === mayReplace || (other !== null && !takesOver && (await nodes.isAlive(other)))) return { is: "busy", by: other };
      mayReplace = before;
    }
  }

  /** Whoever had it and lives hears of it at once, and not only at his next audit. */
  private tellFormer(key: string, former: Pointer | null): void {
    const { store, keys, self } = this.parts;
    if (former === null || former.node === self.id) return;
    this.conflicts += 1;
    void store.run(keys.note(former.node, `lost ${key}`)).catch(() => undefined);
  }

  /** The store has not answered: throws, or goes on without it. A late answer counts as that of the next audit. */
  private withoutAnswer(holding: Holding, asked: Promise<Verdict>): void {
    if (this.parts.policy().whenAway === "refuse") {
      this.forget(holding);
      throw new DolphinError(
        "REGISTRY_AWAY",
        "the registry does not answer, and registry_away is refuse: nobody can publish until it does",
      );
    }
    this.parts.log.info({ event: "claim.unconfirmed", stream: holding.key }, "accepted without the registry, which is told later");
    void asked.then(
      (verdict) => this.judge(holding, verdict),
      () => undefined,
    );
  }

  /** Another has the stream: throws, or stands by. */
  private without(holding: Holding, by: Pointer | null): void {
    this.conflicts += 1;
    if (this.parts.policy().secondPublisher !== "backup") {
      holding.isOver = true;
      throw busy(holding.key, by);
    }
    this.standBy(holding, by);
  }

  private standBy(holding: Holding, by: Pointer | null): void {
    holding.isStandby = true;
    this.parts.log.info({ event: "claim.standby", stream: holding.key, node: by?.node ?? "" });
    this.askAgain(holding);
  }

  private askAgain(holding: Holding): void {
    holding.timer = setTimeout(() => {
      holding.timer = null;
      if (holding.isOver || this.isClosed) return;
      this.ask(holding, false).then(
        (verdict) => {
          if (holding.isOver) return;
          if (verdict.is !== "held") {
            this.askAgain(holding);
            return;
          }
          holding.isStandby = false;
          this.parts.log.info({ event: "claim.on-air", stream: holding.key, fence: holding.fence });
          holding.claimant.onAir();
        },
        () => this.askAgain(holding),
      );
    }, standbyEveryMs);
  }

  private async check(holding: Holding): Promise<void> {
    if (holding.isOver) return;
    const wasUnconfirmed = holding.fence === 0;
    try {
      const verdict = await this.ask(holding, false);
      if (verdict.is === "held" && wasUnconfirmed && !holding.isOver)
        this.parts.log.info({ event: "claim.confirmed", stream: holding.key, fence: holding.fence });
      this.judge(holding, verdict);
      this.sure(holding);
    } catch {
      // the store does not answer: what is on the air stays there, and is asked about again
    }
  }

  private judge(holding: Holding, verdict: Verdict): void {
    if (holding.isOver || holding.isStandby || verdict.is === "held") return;
    this.conflicts += 1;
    const { key, claimant } = holding;
    this.parts.log.warn({
      event: "claim.lost",
      code: "REGISTRY_LOST",
      stream: key,
      node: verdict.by?.node ?? "",
      fence: verdict.by?.fence ?? 0,
    });
    this.forget(holding);
    claimant.onLost(new DolphinError("REGISTRY_LOST", `${key} is published at ${verdict.by?.rtmp ?? "another box"} now`));
  }

  private sure(holding: Holding): void {
    if (!holding.isSuspect || holding.isOver) return;
    holding.isSuspect = false;
    holding.claimant.onSure();
  }

  private release(holding: Holding): void {
    if (holding.isOver) return;
    const { isStandby } = holding;
    this.forget(holding);
    if (!isStandby) void this.giveBack(holding.key, holding.claimant.id);
  }

  private forget(holding: Holding): void {
    holding.isOver = true;
    if (holding.timer !== null) clearTimeout(holding.timer);
    this.holdings.delete(holding);
  }

  private async giveBack(key: string, publish: string): Promise<void> {
    const { store, keys, self } = this.parts;
    try {
      await store.run(keys.release(self, key, publish));
      this.unreleased.delete(publish);
    } catch {
      this.unreleased.set(publish, key);
      for (const [oldest] of this.unreleased) if (this.unreleased.size > maxUnreleased) this.unreleased.delete(oldest);
    }
  }
}

function busy(key: string, by: Pointer | null): DolphinError {
  return new DolphinError("RTMP_BUSY", `${key} is being published already${by === null ? "" : `, at ${by.rtmp}`}`);
}

/** What a promise comes to in time; null: nothing, or an error. */
async function settled<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, ms, null)));
  try {
    return await Promise.race([promise, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
