// What this box has, as others read it of it: the streams of its own publishers, those from other boxes, and publishers who stand by. It is
// sent with the word that follows a change, so it is a quarter of a lease late at most.
import type { NodeRoll } from "../ipc/site.js";
import type { Held } from "./claims.js";

/** So many streams are told of, of each kind; how many more there are is told as a number. */
export const maxRollRows = 10_000;

/** The roll as it is written. */
export function rollText(
  self: Pick<NodeRoll, "epoch" | "zone">,
  held: readonly Held[],
  replicas: readonly (readonly [key: string, from: string])[],
): string {
  const own = held.filter(({ isStandby }) => !isStandby);
  const standby = held.filter(({ isStandby }) => isStandby);
  const roll: NodeRoll = {
    epoch: self.epoch,
    zone: self.zone,
    own: own.slice(0, maxRollRows).map(({ key, fence, sinceMs }) => [key, fence, sinceMs]),
    replicas: replicas.slice(0, maxRollRows),
    standby: standby.slice(0, maxRollRows).map(({ key }) => key),
    more: Math.max(0, own.length - maxRollRows),
  };
  return JSON.stringify(roll);
}
