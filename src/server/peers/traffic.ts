// The running totals of one server process. Whoever moves bytes or opens a connection adds to the one object of its
// process; the heartbeat reads it.
import { noTally, type Tally } from "../../ipc/tally.js";

export interface Traffic {
  /** Open public connections. */
  connections: number;
  /** Viewers; the box's own edges are not counted. */
  players: number;
  /** Of these, those over HTTP-FLV and WebSocket. */
  flvPlayers: number;
  wsPlayers: number;
  publishers: number;
  bytesIn: number;
  bytesOut: number;
  /** Of these, what passed between the box's own processes. */
  innerBytesIn: number;
  innerBytesOut: number;
  readonly tally: Tally;
}

export function noTraffic(): Traffic {
  return {
    connections: 0,
    players: 0,
    flvPlayers: 0,
    wsPlayers: 0,
    publishers: 0,
    bytesIn: 0,
    bytesOut: 0,
    innerBytesIn: 0,
    innerBytesOut: 0,
    tally: noTally(),
  };
}

/** Counts a viewer over HTTP; `isNew`: no other process has served it. Returns how its end is counted. */
export function countPlayer(traffic: Traffic, over: "flvPlayers" | "wsPlayers", isNew: boolean): () => void {
  traffic.players += 1;
  traffic[over] += 1;
  if (isNew) traffic.tally.plays += 1;
  return () => {
    traffic.players -= 1;
    traffic[over] -= 1;
  };
}
