// Players at chosen edges. All edges share one port and the system chooses, so a player connects until it is where it should
// be; which process serves it is told by the answer to its connect. The same for publishers, and for HTTP-FLV by the log.
import type { Cleanup, Dolphin } from "./dolphin.js";
import { watchFlv, type FlvPlayer } from "./flv-reader.js";
import { headers, step } from "./media.js";
import { player, RtmpPublisher, type RtmpPlayer } from "./rtmp-client.js";
import { parseRtmpUrl, RtmpConnection, type ConnectOptions } from "./rtmp-connection.js";
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

/** A player that is served by the process with this pid. It is closed after the test. */
export async function playerAt(t: Cleanup, dolphin: Dolphin, stream: string, pid: number): Promise<RtmpPlayer> {
  for (let tries = 0; tries < maxTries; tries++) {
    const viewer = await player(dolphin.rtmpUrl(stream));
    t.after(() => viewer.close());
    if (viewer.connection.serverPid === pid) return viewer;
    viewer.close();
  }
  throw new Error(`${maxTries} players did not reach process ${pid}`);
}

/** Publishes synthetic media through the edge of this name until the test ends. */
export async function steadyPublisherAt(t: Cleanup, dolphin: Dolphin, edge: string, stream: string): Promise<RtmpPublisher> {
  const wanted = dolphin.pids[edge];
  for (let tries = 0; tries < maxTries; tries++) {
    const connection = await RtmpConnection.open(parseRtmpUrl(dolphin.rtmpUrl(stream)));
    t.after(() => connection.close());
    if (connection.serverPid !== wanted) {
      connection.close();
      continue;
    }
    // Only here: who publishes and leaves again keeps the name for a moment.
    const source = new RtmpPublisher(connection, stream);
    await source.publish("fmle");
    t.after(source.sendEvery((i) => (i === 0 ? headers("avc", "aac") : step("avc", "aac", i - 1)), 40));
    return source;
  }
  throw new Error(`${maxTries} publishers did not reach ${edge}`);
}

/** A viewer over HTTP-FLV at any edge but one. The answer does not name the edge; the log does. */
export async function watchFlvElsewhere(t: Cleanup, dolphin: Dolphin, stream: string, edge: string): Promise<FlvPlayer> {
  for (let tries = 0; tries < maxTries; tries++) {
    const from = dolphin.logLength;
    const viewer = await watchFlv(dolphin.flvUrl(stream));
    t.after(() => viewer.close());
    const { child } = await dolphin.waitFor("play.started", { from, where: ({ protocol }) => protocol === "flv" });
    if (child !== edge) return viewer;
    viewer.close();
  }
  throw new Error(`${maxTries} viewers all came to ${edge}`);
}

/** The edges' process ids as of the start, in the order of their names. */
function edgePids({ pids }: Dolphin): number[] {
  const names = Object.keys(pids).filter((name) => name.startsWith("edge-"));
  return names.sort().flatMap((name) => pids[name] ?? []);
}
