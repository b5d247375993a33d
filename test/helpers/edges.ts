// Players at chosen edges. All edges share one port and the system chooses, so a player connects until it is where it should
// be; which process serves it is told by the answer to its connect.
import type { Cleanup, Dolphin } from "./dolphin.js";
import { player, type RtmpPlayer } from "./rtmp-client.js";
import type { ConnectOptions } from "./rtmp-connection.js";
import { eventually } from "./wait.js";

const maxTries = 100;

/**
 * One player at each edge, in the order of their names, with every edge's pull at the origin: whoever publishes now is seen
 * from the first message on. They are closed after the test.
 */
export async function playerAtEachEdge(t: Cleanup, dolphin: Dolphin, url: string, options: ConnectOptions = {}): Promise<RtmpPlayer[]> {
  const wanted = edgePids(dolphin);
  const found = new Map<number, RtmpPlayer>();
  for (let tries = 0; found.size < wanted.length; tries++) {
    if (tries >= maxTries) throw new Error(`${maxTries} players reached only ${found.size} of ${wanted.length} edges`);
    const viewer = await player(url, options);
    const { serverPid } = viewer.connection;
    if (!wanted.includes(serverPid)) throw new Error(`a player is served by process ${serverPid}, which is no edge`);
    if (found.has(serverPid)) {
      viewer.close();
      continue;
    }
    found.set(serverPid, viewer);
    t.after(() => viewer.close());
  }
  const stream = new URL(url).pathname.split("/").at(-1);
  const isPulled = async (): Promise<boolean> =>
    (await dolphin.status()).streams.some((one) => one.stream === stream && one.edges === wanted.length);
  await eventually(isPulled, { what: `${wanted.length} edges that pull ${stream}` });
  return wanted.flatMap((pid) => found.get(pid) ?? []);
}

/** The edges' process ids as of the start, in the order of their names. */
function edgePids({ pids }: Dolphin): number[] {
  const names = Object.keys(pids).filter((name) => name.startsWith("edge-"));
  return names.sort().flatMap((name) => pids[name] ?? []);
}
