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
 * The packagers of a box as they come, change and go. Of each two may be there at once: the one that follows takes over what the one
 * before lets go of, and finds what that has not finished.
 */
export class Packagers {
  private readonly supervisor: Supervisor;

  constructor(supervisor: Supervisor) {
    this.supervisor = supervisor;
  }

  /** They come with the first vhost that asks for them and go with the last; those whose servers are elsewhere now are replaced. */
  adopt(specs: readonly ProcessSpec[]): void {
    const wanted = specs.filter(({ duty }) => duty === "packager");
    const { supervisor } = this;
    for (const { name } of this.running().filter((one) => !wanted.some((spec) => isHeirOf(one, spec)))) {
      const reason = wanted.length === 0 ? "no vhost asks for a packager any more" : "there are fewer packagers now";
      supervisor.retire(name, reason, null, wanted.length > 0);
    }
    for (const spec of wanted) {
      const running = this.running().find((one) => isHeirOf(one, spec));
      if (running === undefined) void supervisor.add(spec);
      else if (JSON.stringify(running.origins) === JSON.stringify(spec.origins)) supervisor.update({ ...spec, name: running.name });
      else void this.replace({ ...spec, name: running.name }, "its servers are elsewhere now");
    }
  }

  /** Replaces them one by one, or the one that is meant (null: all are). Resolves to null, or to why one stays. */
  async restart(reason: string, only: string | null): Promise<string | null> {
    for (const spec of this.running()) {
      const problem = (only ?? spec.name) === spec.name ? await this.replace(spec, reason) : null;
      if (problem !== null) return problem;
    }
    return null;
  }

  private async replace(spec: ProcessSpec, reason: string): Promise<string | null> {
    const [base = "", number = "1"] = spec.name.split(".");
    const problem = await this.supervisor.add({ ...spec, name: `${base}.${Number(number) + 1}` });
    if (problem === null) this.supervisor.retire(spec.name, reason, null);
    return problem;
  }

  private running(): ProcessSpec[] {
    return this.supervisor.children().flatMap(({ spec, isLeaving }) => (spec.duty === "packager" && !isLeaving ? [spec] : []));
  }
}

/** `packager.2` has the place of `packager`. */
function isHeirOf({ name }: ProcessSpec, wanted: ProcessSpec): boolean {
  return name.split(".")[0] === wanted.name;
}

/** Whether a server behind the proxies has another address than the child of its name. */
export function listensElsewhere(children: readonly ChildView[], { name, backend }: ProcessSpec): boolean {
  const now = children.find(({ spec }) => spec.name === name)?.spec.backend;
  return JSON.stringify([now?.rtmp, now?.http]) !== JSON.stringify([backend?.rtmp, backend?.http]);
}
