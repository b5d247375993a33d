// How the processes that serve the public addresses are replaced while they serve: the heir listens on the same sockets, and
// only when it serves is the old process let go. A name is never used twice, so that everything that is known by name stays right:
//
//   edge-1 ──serves──────────▶ drains, leaves when its last connection does
//   edge-1.2      starts ──▶ serves …
//
// `replaceAll` is for a change of configuration: every heir serves before anybody is let go, or nobody is. `replaceEach` is for
// a rolling restart under the same configuration: one after the other, and no further than the first heir that does not serve.
import { messageOf } from "../../base/errors.js";
import type { ProcessSpec } from "./plan.js";

/** Who carries it out. */
export interface RolloutParts {
  /** As the supervisor's `add` and `retire`. */
  add(spec: ProcessSpec): Promise<string | null>;
  retire(name: string, reason: string, timeoutMs: number | null): void;
  /** Gives the heir's slot its sockets, those of `from` where the addresses are the same. Rejects when one cannot be had. */
  inherit(heir: ProcessSpec, from: string | null): Promise<void>;
  /** The heir serves: it gets ready for what the old process will leave it. Resolves when it has, or cannot. */
  prepare(heir: string, from: string): Promise<void>;
  /** How long a process may linger that was let go (ms; null: as long as it has connections). */
  lingers(spec: ProcessSpec, drainTimeoutMs: number | null): number | null;
  /** The slot is not filled again. */
  forget(name: string): void;
}

interface Place {
  /** As the plan calls it: `edge-1`. */
  readonly base: string;
  readonly spec: ProcessSpec;
}

interface Heir extends Place {
  readonly from: string | null;
}

/** The public processes of a box, whoever fills their places now. */
export class Rollout {
  private readonly parts: RolloutParts;
  private places: readonly Place[];
  private generation = 1;

  constructor(specs: readonly ProcessSpec[], parts: RolloutParts) {
    this.parts = parts;
    this.places = specs.map((spec) => ({ base: spec.name, spec }));
  }

  /** The specs of those who serve now, under the names that they have now. */
  get specs(): readonly ProcessSpec[] {
    return this.places.map(({ spec }) => spec);
  }

  /** Takes new specs, named as in the plan, for processes that go on running; there must be as many. */
  update(wanted: readonly ProcessSpec[]): readonly ProcessSpec[] {
    this.places = this.places.map((place) => {
      const spec = wanted.find(({ name }) => name === place.base) ?? place.spec;
      return { base: place.base, spec: { ...spec, name: place.spec.name } };
    });
    return this.specs;
  }

  /** Puts the wanted processes in the place of all that serve now. Resolves to null, or to the reason why all is as it was. */
  async replaceAll(wanted: readonly ProcessSpec[], reason: string, drainTimeoutMs: number | null): Promise<string | null> {
    this.generation += 1;
    const old = this.places;
    const heirs = wanted.map((spec) => this.heirOf(spec, old.find(({ base }) => base === spec.name)?.spec.name ?? null));
    // One by one: two that want the same new address must find the same one.
    for (const [at, heir] of heirs.entries()) {
      const problem = await this.settle(heir);
      if (problem === null) continue;
      for (const { spec } of heirs.slice(0, at)) this.parts.forget(spec.name);
      return problem;
    }
    const problems = await Promise.all(heirs.map((heir) => this.start(heir)));
    const problem = problems.find((one) => one !== null) ?? null;
    if (problem !== null) {
      for (const [at, heir] of heirs.entries()) if (problems[at] === null) this.letGo(heir, `not wanted: ${problem}`, drainTimeoutMs);
      return problem;
    }
    for (const { spec, from } of heirs) if (from !== null) await this.parts.prepare(spec.name, from);
    this.places = heirs;
    for (const place of old) this.letGo(place, reason, drainTimeoutMs);
    return null;
  }

  /** Replaces each process, or the one of this name, by one of the same spec. Resolves to null, or to the reason why it went no further. */
  async replaceEach(reason: string, drainTimeoutMs: number | null, only: string | null = null): Promise<string | null> {
    this.generation += 1;
    for (const place of this.places) {
      if (only !== null && place.spec.name !== only) continue;
      const heir = this.heirOf({ ...place.spec, name: place.base }, place.spec.name);
      const problem = (await this.settle(heir)) ?? (await this.start(heir));
      if (problem !== null) return problem;
      await this.parts.prepare(heir.spec.name, place.spec.name);
      this.places = this.places.map((one) => (one === place ? heir : one));
      this.letGo(place, reason, drainTimeoutMs);
    }
    return null;
  }

  /**
   * Has as many processes as are wanted: those whose places stay go on as they are, more are started, and those whose places go are let
   * go. Resolves to null, or to the reason why all is as it was.
   */
  async resize(wanted: readonly ProcessSpec[], reason: string, drainTimeoutMs: number | null): Promise<string | null> {
    this.generation += 1;
    const old = this.places;
    const isWanted = ({ base }: Place): boolean => wanted.some(({ name }) => name === base);
    const more = wanted.filter(({ name }) => !old.some(({ base }) => base === name)).map((spec) => this.heirOf(spec, null));
    for (const [at, heir] of more.entries()) {
      const problem = (await this.settle(heir)) ?? (await this.start(heir));
      if (problem === null) continue;
      for (const started of more.slice(0, at)) this.letGo(started, `not wanted: ${problem}`, drainTimeoutMs);
      return problem;
    }
    this.places = [...old.filter(isWanted), ...more];
    for (const place of old) if (!isWanted(place)) this.letGo(place, reason, drainTimeoutMs);
    return null;
  }

  /** An heir waits for nobody: what its kind waits for at the start of the box serves already. */
  private heirOf(spec: ProcessSpec, from: string | null): Heir {
    return { base: spec.name, from, spec: { ...spec, name: `${spec.name}.${this.generation}`, startsAfter: null } };
  }

  /** Gives it its sockets. */
  private async settle({ spec, from }: Heir): Promise<string | null> {
    try {
      await this.parts.inherit(spec, from);
      return null;
    } catch (thrown) {
      this.parts.forget(spec.name);
      return messageOf(thrown);
    }
  }

  private async start({ spec }: Heir): Promise<string | null> {
    const problem = await this.parts.add(spec);
    if (problem === null) return null;
    this.parts.forget(spec.name);
    return `${spec.name} does not serve: ${problem}`;
  }

  private letGo({ spec }: Place, reason: string, drainTimeoutMs: number | null): void {
    this.parts.retire(spec.name, reason, this.parts.lingers(spec, drainTimeoutMs));
    this.parts.forget(spec.name);
  }
}
