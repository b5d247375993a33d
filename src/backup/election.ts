// What a node does with one stream, decided from what it knows of itself and of its peer: a table without memory. Neither of two nodes can
// tell a peer that is dead from a link that is cut, so each goes on alone, and when they meet again one list wins and begins anew.
//
//   joining                                                        ─▶ wait      started lately, and the peer has not spoken
//   alone      I lead                                              ─▶ lead
//              my server is live                                   ─▶ takeOver
//   linked     the peer's list prevails, or is further in our term ─▶ follow    unless mine has numbers that it does not know: wait
//              mine prevails, the peer told numbers that mine does not know ─▶ beginAnew
//              I lead                                              ─▶ lead
//              it leads, its server is dead and mine is live       ─▶ takeOver  also where nobody leads yet
import { isSameTerm, nextOf, prevails, type Roll } from "./roll.js";

/** How a node stands to its peer. */
export type Link = "joining" | "linked" | "alone";

/** One node's part of a stream. */
export interface Side {
  readonly roll: Roll;
  /** The numbers below this one have been given to players, or may have been. */
  readonly told: number;
  /** Whether its server has written a segment lately. */
  readonly isLive: boolean;
}

export type Decision = "wait" | "lead" | "follow" | "takeOver" | "beginAnew";

/** What `me` does next. `peer` is what was heard last, while linked. */
export function decide(me: string, mine: Side, peer: Side, link: Link): Decision {
  if (link === "joining") return "wait";
  if (link === "alone") return alone(me, mine);
  if (isSameTerm(mine.roll, peer.roll)) {
    if (nextOf(peer.roll) > nextOf(mine.roll)) return "follow";
    if (mine.roll.lead === me) return "lead";
    return mine.isLive && !peer.isLive ? "takeOver" : mine.roll.term === 0 && mine.isLive ? "takeOver" : "wait";
  }
  if (prevails(peer.roll, mine.roll)) return mine.told > peer.roll.termStart ? "wait" : "follow";
  if (peer.told > mine.roll.termStart) return "beginAnew";
  return mine.roll.lead === me ? "lead" : "wait";
}

function alone(me: string, { roll, isLive }: Side): Decision {
  if (roll.lead === me) return "lead";
  return isLive ? "takeOver" : "wait";
}
