// What the tests of plan b share: a stream that runs, where it is published, and what a fault leaves in the log.
import type { Cleanup, Dolphin, LogLine } from "./dolphin.js";
import { player, type RtmpPlayer, type RtmpPublisher } from "./rtmp-client.js";
import { steadyPublisher } from "./show.js";

/** What a server or a proxy leaves in the log when it is killed: its own end, and those of its connections. */
export function provoked(line: LogLine): boolean {
  return ["child.exited", "child.hung", "server.silent"].includes(line.event ?? "") || line.code?.startsWith("PROXY_") === true;
}

/** A publisher that sends until it is closed, and one player of it. */
export async function publishAndPlay(t: Cleanup, dolphin: Dolphin, name: string): Promise<{ source: RtmpPublisher; viewer: RtmpPlayer }> {
  const source = await steadyPublisher(t, dolphin, name);
  const viewer = await player(dolphin.rtmpUrl(name));
  t.after(() => viewer.close());
  return { source, viewer };
}

/** The server that a stream is published to. */
export async function ownerOf(dolphin: Dolphin, name: string): Promise<string> {
  const { balance } = await dolphin.status();
  return balance?.leases.find(({ key }) => key.endsWith(`/${name}`))?.backend ?? "nowhere";
}
