// How connections spread over workers, and how soon a box with one worker answers again when that is killed.
import { setTimeout as pause } from "node:timers/promises";
import { handshakeAnswered } from "../../test/helpers/rtmp-connection.js";
import type { Serving } from "../boxes/servers.js";
import { startPlayers } from "../load.js";
import type { Sample } from "../row.js";

interface Status {
  readonly processes: readonly { readonly name: string; readonly players: number }[];
}

const connections = 400;
const rampS = 2;
/** Behind the ramp: heartbeats, from which the status knows. */
const settleMs = 3000;
const giveUpMs = 10_000;

/** Players who wait for a stream that is not published: long connections that cost nothing. */
export async function measureSpread({ box, rtmpPort }: Serving): Promise<Sample> {
  if (box === null) throw new Error("only a box of dolphin's tells its workers");
  const load = await startPlayers({ port: rtmpPort, stream: "spread", protocol: "rtmp" }, connections, rampS, 6);
  try {
    await pause(rampS * 1000 + settleMs);
    const { processes } = JSON.parse(await box.ask("status", "--json")) as Status;
    const each = processes.filter(({ name }) => name.startsWith("edge-")).map(({ players }) => players);
    const sum = each.reduce((so, n) => so + n, 0);
    const figures = { maxOverMean: Math.max(...each) / (sum / each.length) };
    return { figures, problem: sum === connections ? null : `${each.join("/")} of ${connections}` };
  } finally {
    await load.stop();
  }
}

export async function measureRecovery({ box, rtmpPort }: Serving): Promise<Sample> {
  if (box === null) throw new Error("only a box of dolphin's is struck");
  const from = performance.now();
  process.kill(box.pidOf("edge-1"), "SIGKILL");
  while (!(await handshakeAnswered("127.0.0.1", rtmpPort))) {
    if (performance.now() - from > giveUpMs) throw new Error(`nothing answers ${giveUpMs / 1000} s after the kill`);
  }
  return { figures: { listensAgainS: (performance.now() - from) / 1000 }, problem: null };
}
