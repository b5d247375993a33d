// Where a viewer goes on whom another process has served until now. Both processes had the same packets in the same order, so
// the last one that the viewer got tells exactly what comes next. When that packet is out of sight, the next key frame does.
import { packetKey, typeBefore, type Position } from "../base/position.js";
import type { Packet } from "./packet.js";
import { historyMs } from "./start-cache.js";

/** What is to be sent to somebody who stands at a position. */
export type CatchUp =
  /** From this index on; the length of the packets: nothing, and what comes next goes on from there. */
  | { readonly from: number }
  /** The stream has not come so far yet. */
  | "later"
  /** What comes next is lost: from a key frame on. */
  | "key frame"
  /** The same, and the stream's clock is not the one of before, which had come further. */
  | "ahead";

/** The position behind a packet. */
export function positionAfter({ timestamp, type, payload }: Packet): Position {
  return { timestamp: timestamp >>> 0, packet: packetKey(type, payload.length) };
}

/** Finds where to go on among packets that follow each other. */
export function catchUp(position: Position, packets: readonly Packet[]): CatchUp {
  const found = packets.findLastIndex((packet) => isAt(packet, position));
  if (found >= 0) return { from: found + 1 };
  const type = typeBefore(position); // the times of another may be ahead, or behind
  const last = packets.findLast((packet) => packet.type === type) ?? packets.at(-1);
  if (last === undefined) return "later";
  const aheadMs = (position.timestamp - last.timestamp) | 0;
  if (aheadMs < 0) return "key frame";
  return aheadMs <= historyMs ? "later" : "ahead";
}

/**
 * The index of the packet behind a position; null: it is not among them. For one who has not stopped until now (`isRunning`) nothing
 * of what has not come so far yet is new.
 */
export function placeAmong(position: Position, packets: readonly Packet[], isRunning: boolean): number | null {
  const found = catchUp(position, packets);
  if (typeof found === "object") return found.from;
  return found === "later" && isRunning ? packets.length : null;
}

/** Whether a packet, of the type of the one before a position, comes later, by the stream's time, which wraps. */
export function isAfter({ type, timestamp }: Packet, position: Position): boolean {
  return type === typeBefore(position) && ((timestamp - position.timestamp) | 0) > 0;
}

function isAt({ timestamp, type, payload }: Packet, position: Position): boolean {
  return timestamp >>> 0 === position.timestamp && packetKey(type, payload.length) === position.packet;
}
