// The processes that are replaced while they serve: those on the public addresses, and the admin on its own, each with the sockets of the
// one before.
import type { Config } from "../conf/meaning/config.js";
import type { ProcessSpec } from "../master/processes/plan.js";
import { Rollout } from "../master/processes/rollout.js";
import type { Supervisor } from "../master/processes/supervisor.js";
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
