// The packager of a box as it comes, changes and goes. Two may be there at once: the one that follows waits for its turn until the one
// before has left, and finds what that has not finished.
import type { ProcessSpec } from "../master/processes/plan.js";
import type { Supervisor } from "../master/processes/supervisor.js";

export class Packagers {
  private readonly supervisor: Supervisor;

  constructor(supervisor: Supervisor) {
    this.supervisor = supervisor;
  }

  /** It comes with the first vhost that asks for it and goes with the last; one whose servers are elsewhere now is replaced. */
  adopt(wanted: ProcessSpec | undefined): void {
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
