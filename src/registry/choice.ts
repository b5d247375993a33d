// From which box a stream is pulled: from the one that it is published to, or from a nearer one that has it.
//
//   the owner is in the same zone      ─▶ the owner, while it serves few boxes of the zone and has room; else one that has it
//   the owner is in another one        ─▶ one of this zone that has it; where none has, the owner
//
// Of those that have it two are drawn, and the one with less to do is taken, by what it has said of its load, by the boxes that pull from it
// already and by what this box has chosen itself a moment ago: what all boxes have read of a load is seconds old, and all would take the same.
import { maxHops } from "../ipc/locating.js";
import { parseRecord, type NodeRecord, type ReadNode } from "../ipc/site.js";
import type { Offer } from "./offers.js";

/** So many boxes of its own zone get a stream from its owner itself, as long as others have it as well. */
export const maxDirectPulls = 8;
/** A box with so much to do is not chosen where there is another. */
const fullLoad = 0.85;
/** What one pull more counts for, as a part of what a box can carry. */
const pullWeight = 0.05;
/** So many boxes are tried for one publisher. */
const maxOrigins = 4;
/** So many draws find a box that lives and has room, or it is the owner's turn. */
const maxDraws = 4;

type Node = Pick<NodeRecord, "zone" | "state" | "load"> & { readonly epoch: string };

export interface ChoiceParts {
  readonly self: { readonly id: string; readonly zone: string };
  readonly owner: string;
  /** Of the own zone. */
  readonly offers: readonly Offer[];
  /** From where this box has it now: that stays as it is while it is good. Null: from nowhere. */
  readonly present: string | null;
  /** It was lost where it was: another way is named as well, for the owner may be out of reach. */
  readonly isLost: boolean;
  /** How often this box has chosen that one lately. */
  picks(node: string): number;
  /** What a box says of itself; null: it is dead. */
  read(node: string): Promise<Node | null>;
  /** 0 to 1. */
  random(): number;
}

export interface Choice {
  /** In the order of preference. */
  readonly servers: readonly string[];
  /** The way of each that is not the owner. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
  /** Offers of boxes that are dead. */
  readonly dead: readonly Offer[];
  /** A sentence. */
  readonly why: string;
}

/** Chooses. Rejects where `read` does. */
export async function choose(parts: ChoiceParts): Promise<Choice> {
  const { self, owner, offers, present, isLost } = parts;
  const dead: Offer[] = [];
  const usable = offers.filter(
    ({ node, path }) => node !== self.id && node !== owner && path.length < maxHops && path.at(-1) === owner && !path.includes(self.id),
  );
  const result = (servers: readonly string[], why: string): Choice => {
    const paths = new Map([[owner, [owner]], ...usable.map(({ node, path }) => [node, [node, ...path]] as const)]);
    return { servers, paths, dead, why };
  };
  if (present === owner) return result([owner], "it comes from its owner already");
  if (present !== null && usable.some(({ node }) => node === present)) return result([present, owner], `it comes from ${present} already`);

  const known = await parts.read(owner);
  const [here, there] = [zoneText(self.zone), zoneText(known?.zone ?? "")];
  const isNear = here === there;
  const direct = offers.filter(({ path }) => path[0] === owner).length;
  const isFull = (known?.load ?? 0) >= fullLoad;
  if (isNear && direct < maxDirectPulls && !isFull && !isLost) return result([owner], "it is published there, in the same zone");

  const drawn = await draw(usable, parts, dead);
  if (drawn === null)
    return result([owner], isNear ? "it is published there" : `it is published there, and no box of ${here} that has room has it`);
  if (!isNear) return result([drawn, owner], `its owner ${owner} is in ${there}, and ${drawn} in ${here} has it`);
  if (direct >= maxDirectPulls)
    return result([drawn, owner], `its owner ${owner} serves ${direct} boxes of ${here} already, and ${drawn} has it`);
  if (isFull) return result([drawn, owner], `its owner ${owner} has as much to do as it can, and ${drawn} has it`);
  return result([owner, drawn], `it is published there; ${drawn} has it as well`);
}

/**
 * Boxes that a publisher may be passed on to: two of the own zone are drawn, of another one where it has none, and the one with less to do is
 * taken; others follow for when it dies.
 */
export function chooseOrigins(
  nodes: readonly ReadNode[],
  self: { readonly id: string; readonly zone: string; random(): number },
): readonly string[] {
  const known = nodes.flatMap(({ id, record }) => {
    const node = parseRecord(record);
    return node === null || node.isEdge || node.state !== "ready" || id === self.id ? [] : [{ id, ...node }];
  });
  const lots = new Map(known.map(({ id }) => [id, self.random()]));
  const order = known.toSorted((one, other) => lots.get(one.id)! - lots.get(other.id)!);
  const near = order.filter(({ zone }) => zone === self.zone);
  const far = order.filter(({ zone }) => zone !== self.zone);
  const [first, second, ...others] = [...near, ...far];
  if (first === undefined || second === undefined) return first === undefined ? [] : [first.id];
  const isSameZone = first.zone === second.zone;
  const pair = isSameZone && second.load < first.load ? [second, first] : [first, second];
  return [...pair, ...others].slice(0, maxOrigins).map(({ id }) => id);
}

/** Two are drawn, and the better one is taken; null: none of those that were drawn is good. */
async function draw(offers: readonly Offer[], parts: ChoiceParts, dead: Offer[]): Promise<string | null> {
  const left = [...offers];
  for (let draws = 0; draws < maxDraws && left.length > 0; draws++) {
    const pair = [0, 1].flatMap(() => left.splice(Math.floor(parts.random() * left.length), 1));
    const weighed = await Promise.all(
      pair.map(async (offer) => {
        const node = await parts.read(offer.node);
        if (node === null || node.epoch !== offer.epoch) dead.push(offer);
        const isGood = node !== null && node.epoch === offer.epoch && node.state === "ready" && node.load < fullLoad;
        const pulls = offers.filter(({ path }) => path[0] === offer.node).length + parts.picks(offer.node);
        return { id: offer.node, weight: isGood ? node.load + pulls * pullWeight + offer.path.length / 1000 : Infinity };
      }),
    );
    const [best] = weighed.filter(({ weight }) => weight < Infinity).toSorted((one, other) => one.weight - other.weight);
    if (best !== undefined) return best.id;
  }
  return null;
}

function zoneText(zone: string): string {
  return zone === "" ? "no zone" : zone;
}
