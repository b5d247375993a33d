// What is due in all processes of the box, as the master knows it: when one is gone for good, what it had open is called from here,
// unless the connection goes on in another process and its dues with it. Sittings are no process's: they end here, when their time is over.
import type { Due, DueNote, Sitting, Undelivered } from "../ipc/dues.js";

/** How long a due that was called is remembered: a process that dies meanwhile may have left it to another. */
export const rememberedMs = 30_000;

export interface LedgerOptions {
  nowMs(): number;
  /** Calls it. */
  end(due: Due): void;
  /** Goes on telling it. */
  resume(undelivered: Undelivered): void;
  /** Tells a process whether a sitting that it has asked about goes on. */
  answer(owner: string, id: number, goesOn: boolean): void;
}

/** Whose a sitting is among those who have dues: nobody's. */
const nobody = "";

/** The dues of one box. Nothing to close. */
export class Ledger {
  private readonly options: LedgerOptions;
  private readonly open = new Map<string, { readonly due: Due; readonly owner: string }>();
  /** Keys that were called lately, and a while ago. */
  private done: [new: Set<string>, old: Set<string>] = [new Set(), new Set()];
  private turnedAtMs = 0;
  /** Open on_stop by stream and owner, and the streams of which one has come or gone since `takeChanges`. */
  private readonly players = new Map<string, Map<string, number>>();
  private readonly changed = new Set<string>();
  private readonly sittings = new Map<string, Sitting & { touchedAtMs: number }>();
  /** Another master has them, too: while that is so nobody knows whether the time of one is over, and none ends by that. */
  private isShared = false;
  /** The keys of those that the master before this one has, too. */
  private borrowed: ReadonlySet<string> = new Set();

  constructor(options: LedgerOptions) {
    this.options = options;
  }

  get size(): number {
    return this.open.size + this.sittings.size;
  }

  get hasSittings(): boolean {
    return this.sittings.size > 0;
  }

  allSittings(): Sitting[] {
    return [...this.sittings.values()].map(({ due, idleMs }) => ({ due, idleMs }));
  }

  /** All sittings, for a master that is to take the place of this one: both answer for them until it does, or is given up. */
  shareSittings(): Sitting[] {
    this.isShared = true;
    return this.allSittings();
  }

  /** All sittings, for a master that goes on with them: here they are no more. */
  takeSittings(): Sitting[] {
    const all = this.shareSittings();
    for (const { due } of all) this.dropSitting(due.key);
    return all;
  }

  /** There is no other master: the time of all begins anew. */
  keepSittings(): void {
    this.isShared = false;
    for (const key of this.sittings.keys()) this.touch(key);
  }

  /** Those of the master before this one, which has them still. */
  borrow(sittings: readonly Sitting[]): void {
    this.isShared = true;
    this.borrowed = new Set(sittings.map(({ due }) => due.key));
    for (const sitting of sittings) this.sit(sitting);
  }

  /** Those of the master before this one, which has none any more. What one of both has ended meanwhile, it has told. */
  inherit(sittings: readonly Sitting[]): void {
    const { borrowed } = this;
    const left = new Set(sittings.map(({ due }) => due.key));
    for (const key of borrowed) if (!left.has(key)) this.dropSitting(key);
    for (const sitting of sittings) if (!borrowed.has(sitting.due.key) || this.sittings.has(sitting.due.key)) this.sit(sitting);
    this.borrowed = new Set();
    this.keepSittings();
  }

  private sit({ due, idleMs }: Sitting): void {
    this.dropSitting(due.key);
    this.sittings.set(due.key, { due, idleMs, touchedAtMs: this.options.nowMs() });
    this.count(due, nobody, 1);
  }

  /** Ends the sittings whose time is over. */
  sweep(): void {
    if (this.isShared) return;
    const now = this.options.nowMs();
    for (const [key, { idleMs, touchedAtMs }] of this.sittings) if (now - touchedAtMs >= idleMs) this.endSitting(key);
  }

  /** The box ends, and all sittings with it. */
  endSittings(): void {
    for (const key of this.sittings.keys()) this.endSitting(key);
  }

  private endSitting(key: string): void {
    const known = this.dropSitting(key);
    if (known !== null) this.options.end(known.due);
  }

  private dropSitting(key: string): Sitting | null {
    const known = this.sittings.get(key);
    if (known === undefined) return null;
    this.sittings.delete(key);
    this.count(known.due, nobody, -1);
    return known;
  }

  private touch(key: string): void {
    const known = this.sittings.get(key);
    if (known !== undefined) known.touchedAtMs = this.options.nowMs();
  }

  /** The streams (`vhost/app/stream`) whose players have become more or fewer since the last call. */
  takeChanges(): string[] {
    const changed = [...this.changed];
    this.changed.clear();
    return changed;
  }

  /** All streams that have players are to be told anew. */
  changeAll(): void {
    for (const stream of this.players.keys()) this.changed.add(stream);
  }

  /** How many play a stream at others than this one. */
  playersElsewhere(stream: string, owner: string): number {
    let count = 0;
    for (const [of, players] of this.players.get(stream) ?? []) if (of !== owner) count += players;
    return count;
  }

  /** Takes what a process tells. */
  heard(owner: string, notes: readonly DueNote[]): void {
    for (const note of notes) {
      if ("open" in note) this.add(owner, note.open);
      else if ("done" in note) this.close(owner, note.done, true);
      else if ("moved" in note) this.close(owner, note.moved, false);
      else if ("sitting" in note) this.sit(note.sitting);
      else if ("touched" in note) this.touch(note.touched);
      else if ("over" in note) this.endSitting(note.over);
      else if ("asked" in note) {
        this.touch(note.asked);
        this.options.answer(owner, note.id, this.sittings.has(note.asked));
      } else this.options.resume(note.undelivered);
    }
  }

  /** A process is gone: what it had open is over, but for what goes on elsewhere. */
  gone(owner: string, whatGoesOn: () => ReadonlySet<string>): void {
    const left = [...this.open].filter(([, { owner: of }]) => of === owner);
    if (left.length === 0) return;
    const goesOn = whatGoesOn();
    for (const [key] of left) if (goesOn.has(key)) this.forget(key);
    this.endAll(left.flatMap(([key, { due }]) => (goesOn.has(key) ? [] : [due])));
  }

  /** A connection that was to go on elsewhere has not. */
  lost(dues: readonly Due[]): void {
    this.endAll(this.stillDue(dues));
  }

  /** Those of a connection's dues that nobody has called. */
  stillDue(dues: readonly Due[]): readonly Due[] {
    const isDone = (key: string): boolean => this.done.some((keys) => keys.has(key));
    return dues.some(({ key }) => isDone(key)) ? dues.filter(({ key }) => !isDone(key)) : dues;
  }

  private close(owner: string, key: string, isDone: boolean): void {
    if (this.open.get(key)?.owner !== owner) return; // it goes on at another already
    this.forget(key);
    if (isDone) this.remember(key);
  }

  /** What a client did is over before its connection is. */
  private endAll(dues: readonly Due[]): void {
    const isLast = ({ action }: Due): number => (action === "on_close" ? 1 : 0);
    for (const due of dues.toSorted((a, b) => isLast(a) - isLast(b))) {
      this.forget(due.key);
      this.remember(due.key);
      this.options.end(due);
    }
  }

  private add(owner: string, due: Due): void {
    this.forget(due.key);
    this.open.set(due.key, { due, owner });
    this.count(due, owner, 1);
  }

  private forget(key: string): void {
    const known = this.open.get(key);
    if (known === undefined) return;
    this.open.delete(key);
    this.count(known.due, known.owner, -1);
  }

  private count({ action, body: { vhost, app, stream } }: Due, owner: string, by: 1 | -1): void {
    if (action !== "on_stop") return;
    const key = `${vhost}/${app}/${stream}`;
    const owners = this.players.get(key) ?? new Map<string, number>();
    const count = (owners.get(owner) ?? 0) + by;
    if (count > 0) owners.set(owner, count);
    else owners.delete(owner);
    if (owners.size > 0) this.players.set(key, owners);
    else this.players.delete(key);
    this.changed.add(key);
  }

  private remember(key: string): void {
    const now = this.options.nowMs();
    if (now - this.turnedAtMs > rememberedMs) {
      this.done = [new Set(), this.done[0]];
      this.turnedAtMs = now;
    }
    this.done[0].add(key);
  }
}
