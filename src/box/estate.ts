// What one master leaves to the next: the streams, and the connections. Viewers go first, as long as what they have not got yet can
// be looked up here; then publishers, and the streams go on there.
import { until } from "../base/until.js";
import type { DescriptorLink } from "../ipc/descriptor-link.js";
import type { StreamReport } from "../ipc/messages.js";
import type { MirroredOrigin } from "../ipc/succession.js";
import type { Supervisor } from "../master/processes/supervisor.js";
import type { Vault } from "../master/vault/vault.js";
import type { Server } from "../server/server.js";
import { moverOver } from "../worker/mover.js";

/** Who has not been able to go by then is in the middle of something that does not end. */
const viewersLeaveWithinMs = 3000;
export const publishersLeaveWithinMs = 3000;

/** Where the streams of a box are: in the master's origin, or in a stand-alone server. */
export interface Origin {
  /** Where the next one finds the streams that are live now; null: nowhere. */
  mirrored(): Promise<MirroredOrigin | null>;
  /** Follows the streams of the one before, until `endMirror`. Resolves when they flow, or have not within a moment. */
  mirror(origin: MirroredOrigin): Promise<void>;
  endMirror(): void;
  /** Leaves its publishers to the next process; `say` tells it that something has come on the link. Resolves to how many could not go. */
  leavePublishers(link: DescriptorLink, say: () => void): Promise<number>;
}

/** Of one box. */
export interface Estate {
  readonly origin: Origin;
  readonly vault: Vault;
  /** Lets all children go: they leave what they have to others. */
  readonly retireAll: (reason: string) => void;
}

/** What a box can leave; null: not all of it could go. */
export function estateOf(origin: Origin | null, vault: Vault | null, supervisor: Supervisor): Estate | null {
  if (origin === null || vault === null) return null;
  const retireAll = (why: string): void => {
    for (const { spec } of supervisor.children()) supervisor.retire(spec.name, why, null);
  };
  return { origin, vault, retireAll };
}

/** The origin in the master itself. */
export function originHere(server: Server, edgeKey: string): Origin {
  return {
    mirrored() {
      const endpoint = server.endpoints[0]?.endpoint;
      return Promise.resolve(endpoint === undefined ? null : { endpoint, edgeKey, streams: liveOf(server.streams()) });
    },
    mirror: (origin) => server.mirror(origin),
    endMirror: () => server.endMirror(),
    async leavePublishers(link, say) {
      server.movePublishers(moverOver(link, say));
      await until(() => server.stats().publishers === 0, publishersLeaveWithinMs);
      return server.stats().publishers;
    },
  };
}

/** Those of a process's streams that another one can follow. */
export function liveOf(streams: readonly StreamReport[]): MirroredOrigin["streams"] {
  return streams.filter(({ state }) => state !== "wait").map(({ vhost, app, stream }) => ({ vhost, app, stream }));
}

/** Leaves all connections to the process at the other end of the link. Resolves to how many viewers and publishers could not go. */
export async function bequeath({ origin, vault, retireAll }: Estate, link: DescriptorLink, say: () => void, why: string): Promise<number> {
  vault.bequeath(link, say);
  retireAll(why);
  await until(() => vault.counted().kept === 0 && !link.isWaiting, viewersLeaveWithinMs);
  const publishers = await origin.leavePublishers(link, say);
  await until(() => !link.isWaiting, publishersLeaveWithinMs);
  return vault.counted().kept + publishers;
}
