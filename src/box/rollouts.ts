// The processes that are replaced while they serve: those on the public addresses, and the admin on its own, each with the sockets of the
// one before.
import type { Config } from "../conf/meaning/config.js";
import type { ProcessSpec } from "../master/processes/plan.js";
import { Rollout } from "../master/processes/rollout.js";
import type { ChildView, Supervisor } from "../master/processes/supervisor.js";
import type { Listeners } from "../master/sockets/listeners.js";
import { addressesIn } from "./addresses.js";
import type { StandAlone } from "./stand-alone.js";

/** Whose addresses they are. */
export type Whose = "public" | "admin";

/** How long the answers may take that an admin is giving when it is replaced. */
const adminLingersMs = 10_000;

export interface RolloutsParts {
  readonly supervisor: Supervisor;
  readonly standAlone: StandAlone;
  readonly listeners: Listeners;
}

/** Both of one box. */
export function openRollouts(specs: readonly ProcessSpec[], parts: RolloutsParts): Readonly<Record<Whose, Rollout>> {
  return { public: open(specs, "public", parts), admin: open(specs, "admin", parts) };
}

/** Whether a process is one of those. */
export function belongsTo(spec: ProcessSpec, whose: Whose): boolean {
  return whose === "public" ? spec.isPublic : spec.duty === "admin";
}

/**
 * Replaces all who serve these addresses; `before` are the processes as they were planned until now. Resolves to null, or to the reason
 * why all is as it was: the admin goes first, whose way back nobody notices.
 */
export async function replaceThose(
  rollouts: Readonly<Record<Whose, Rollout>>,
  whose: ReadonlySet<Whose>,
  {
    specs,
    before,
    config,
    reason,
  }: { readonly specs: readonly ProcessSpec[]; readonly before: readonly ProcessSpec[]; readonly config: Config; readonly reason: string },
): Promise<string | null> {
  const { drainTimeoutMs } = config.dolphin;
  const replace = (which: Whose, wanted: readonly ProcessSpec[]): Promise<string | null> =>
    rollouts[which].replaceAll(
      wanted.filter((spec) => belongsTo(spec, which)),
      reason,
      drainTimeoutMs,
    );
  if (whose.has("admin")) {
    const problem = await replace("admin", specs);
    if (problem !== null) return problem;
  }
  const problem = whose.has("public") ? await replace("public", specs) : null;
  if (problem !== null && whose.has("admin")) await replace("admin", before);
  return problem;
}

function open(specs: readonly ProcessSpec[], whose: Whose, { supervisor, standAlone, listeners }: RolloutsParts): Rollout {
  const isPublic = whose === "public";
  return new Rollout(
    specs.filter((spec) => belongsTo(spec, whose)),
    {
      add: (spec) => supervisor.add(spec),
      retire: (name, reason, timeoutMs) => supervisor.retire(name, reason, timeoutMs),
      async inherit({ name, config }, from) {
        for (const [protocol, wanted] of addressesIn(config, whose)) await listeners.inherit(protocol, wanted, name, from);
      },
      prepare: (heir, from) => (isPublic ? standAlone.prepare(heir, from) : Promise.resolve()),
      lingers: (spec, drainTimeoutMs) => (isPublic ? standAlone.lingers(spec, drainTimeoutMs) : adminLingersMs),
      forget: (name) => listeners.forget(name),
    },
  );
}

/**
 * The packager of a box as it comes, changes and goes. Two may be there at once: the one that follows waits for its turn until the one
 * before has left, and finds what that has not finished.
 */
export class Packagers {
  private readonly supervisor: Supervisor;

  constructor(supervisor: Supervisor) {
    this.supervisor = supervisor;
  }

  /** It comes with the first vhost that asks for it and goes with the last; one whose servers are elsewhere now is replaced. */
  adopt(specs: readonly ProcessSpec[]): void {
    const wanted = specs.find(({ duty }) => duty === "packager");
    const { supervisor } = this;
    const running = this.running();
    if (wanted === undefined) {
      if (running !== undefined) supervisor.retire(running.name, "no vhost asks for HLS or recordings any more", null);
      return;
    }
    if (running === undefined) {
      void supervisor.add(wanted);
      return;
    }
    const spec = { ...wanted, name: running.name };
    if (JSON.stringify(running.origins) === JSON.stringify(wanted.origins)) supervisor.update(spec);
    else void this.replace(spec, "its servers are elsewhere now");
  }

  /** Replaces it, if it is the one that is meant (null: all are). Resolves to null, or to why it stays. */
  restart(reason: string, only: string | null): Promise<string | null> {
    const running = this.running();
    const isMeant = running !== undefined && (only ?? running.name) === running.name;
    return isMeant ? this.replace(running, reason) : Promise.resolve(null);
  }

  private async replace(spec: ProcessSpec, reason: string): Promise<string | null> {
    const [base = "", number = "1"] = spec.name.split(".");
    const problem = await this.supervisor.add({ ...spec, name: `${base}.${Number(number) + 1}` });
    if (problem === null) this.supervisor.retire(spec.name, reason, null);
    return problem;
  }

  private running(): ProcessSpec | undefined {
    return this.supervisor.children().find(({ spec, isLeaving }) => spec.duty === "packager" && !isLeaving)?.spec;
  }
}

/** Whether a server behind the proxies has another address than the child of its name. */
export function listensElsewhere(children: readonly ChildView[], { name, backend }: ProcessSpec): boolean {
  const now = children.find(({ spec }) => spec.name === name)?.spec.backend;
  return JSON.stringify([now?.rtmp, now?.http]) !== JSON.stringify([backend?.rtmp, backend?.http]);
}
