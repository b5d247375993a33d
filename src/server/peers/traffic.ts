// The running totals of one server process. Whoever moves bytes or opens a connection adds to the one object of its
// process; the heartbeat reads it.

export interface Traffic {
  /** Open public connections. */
  connections: number;
  /** Viewers; the box's own edges are not counted. */
  players: number;
  publishers: number;
  bytesIn: number;
  bytesOut: number;
  /** Of these, what passed between the box's own processes. */
  innerBytesIn: number;
  innerBytesOut: number;
}

export function noTraffic(): Traffic {
  return { connections: 0, players: 0, publishers: 0, bytesIn: 0, bytesOut: 0, innerBytesIn: 0, innerBytesOut: 0 };
}
