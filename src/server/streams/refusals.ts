// Connections that were refused because the process has as many as it may: operators hear of a storm of them once a second.
import { Deadline } from "../../base/deadline.js";
import type { Protocol } from "../../ipc/listener.js";
import type { Hub } from "./hub.js";

const tellEveryMs = 1000;

/** Counts for one process. */
export class Refusals {
  private readonly hub: Pick<Hub, "tell">;
  private readonly due = new Deadline();
  private sinceTold = 0;

  constructor(hub: Pick<Hub, "tell">) {
    this.hub = hub;
  }

  count(protocol: Protocol, most: number): void {
    this.sinceTold += 1;
    this.due.ensure(tellEveryMs, () => {
      const { sinceTold: count } = this;
      this.sinceTold = 0;
      const msg = `${count === 1 ? "a connection was" : `${count} connections were`} refused: all ${most} of the process are in use`;
      this.hub.tell({ event: `${protocol}.refused`, msg, level: "warn", code: "RTMP_FULL", count });
    });
  }
}
