// A place in a live stream, told by what any process sees of it: two processes that get the same packets in the same order
// mean the same place by it.

export interface Position {
  /** Milliseconds of the stream's own time, modulo 2³², of the last packet before the place. */
  readonly timestamp: number;
  /** That packet's type and payload length: with the time they tell it from its neighbours. */
  readonly packet: number;
}

/** The type of the packet before a position. */
export function typeBefore({ packet }: Position): number {
  return packet >>> 24;
}

/** Type and payload length in 32 bits. */
export function packetKey(type: number, payloadBytes: number): number {
  return (type << 24) | (payloadBytes & 0xffffff);
}

/** The place before the first packet of somebody who has been sent what stands before it: no packet has this key. */
export const beforeFirst: Position = { timestamp: 0, packet: 0 };
