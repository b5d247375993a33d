// What the box's own origin and its edges say to each other about a stream's clock, so that times go on as they were after the
// origin has been replaced. Plain members of AMF objects, which nobody else is told.
//
//   edge that publishes, connect    dolphin_clock: 0, or the clock that it has kept so far
//   origin, Publish.Start           dolphin_clock, dolphin_time: the clock to keep, and how far it has gone
//   edge that plays, connect        dolphin_time: how far its viewers have seen the stream, where they have
import type { AmfObject, AmfValue } from "./amf0.js";

/** The clock of a stream. Two processes that know it by the same number mean the same moment by the same time. */
export interface Clock {
  /** 1 to 2³² − 1. */
  readonly id: number;
  /** The furthest time that was given by it (ms); null: none yet. */
  readonly timeMs: number | null;
}

/** What an edge that publishes tells of the clock that it has; 0: none yet. */
export function askForClock(id: number): AmfObject {
  return { dolphin_clock: id };
}

/** The number in {@link askForClock}; null: whoever connects leaves the time to us. */
export function askedClock(members: AmfObject | null): number | null {
  return clockId(members?.["dolphin_clock"]);
}

/** What an edge that may publish is told. */
export function tellClock({ id, timeMs }: Clock): AmfObject {
  return { dolphin_clock: id, dolphin_time: timeMs };
}

/** The clock in {@link tellClock}; null: upstream is another kind of server, or has no source of its own. */
export function toldClock(members: AmfObject | null): Clock | null {
  const id = clockId(members?.["dolphin_clock"]);
  const timeMs = members?.["dolphin_time"];
  return id === null ? null : { id, timeMs: typeof timeMs === "number" ? timeMs : null };
}

/** What an edge that plays tells of how far its viewers have seen a stream (ms); null: they have not. */
export function tellSeen(timeMs: number | null): AmfObject {
  return timeMs === null ? {} : { dolphin_time: timeMs };
}

/** The time in {@link tellSeen}; null: nobody has seen anything. */
export function toldSeen(members: AmfObject | null): number | null {
  const timeMs = members?.["dolphin_time"];
  return typeof timeMs === "number" && Number.isSafeInteger(timeMs) && timeMs >= 0 ? timeMs : null;
}

function clockId(value: AmfValue): number | null {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff ? value : null;
}
