// What one master leaves to the next: the streams of its origin, and the connections. Viewers go first, as long as what they have not
// got yet can be looked up here; then publishers, and the streams go on there.
import { until } from "../base/until.js";
import type { DescriptorLink } from "../ipc/descriptor-link.js";
import type { MirroredOrigin } from "../ipc/succession.js";
import type { Vault } from "../master/vault.js";
import type { Server } from "../server/server.js";
import { moverOver } from "./mover.js";

/** Who has not been able to go by then is in the middle of something that does not end. */
const viewersLeaveWithinMs = 3000;
const publishersLeaveWithinMs = 3000;

/** Of one box. */
export interface Estate {
  readonly origin: Server;
  readonly vault: Vault;
  /** The secret by which the origin knows its own edges. */
  readonly edgeKey: string;
  /** Lets all children go: they leave what they have to others. */
  readonly retireAll: (reason: string) => void;
}

/** Where the next origin finds the streams that are live now. */
export function mirrored({ origin, edgeKey }: Estate): MirroredOrigin | null {
  const endpoint = origin.endpoints[0]?.endpoint;
  if (endpoint === undefined) return null;
  const live = origin.streams().filter(({ state }) => state !== "wait");
  return { endpoint, edgeKey, streams: live.map(({ vhost, app, stream }) => ({ vhost, app, stream })) };
}

/**
 * Leaves all connections to the process at the other end of the link; `say` tells it that something has come. Resolves to how many
 * viewers and publishers could not go.
 */
export async function bequeath({ origin, vault, retireAll }: Estate, link: DescriptorLink, say: () => void, why: string): Promise<number> {
  vault.bequeath(link, say);
  retireAll(why);
  await until(() => vault.counted().kept === 0 && !link.isWaiting, viewersLeaveWithinMs);
  origin.movePublishers(moverOver(link, say));
  await until(() => origin.stats().publishers === 0 && !link.isWaiting, publishersLeaveWithinMs);
  return vault.counted().kept + origin.stats().publishers;
}
