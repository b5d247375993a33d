// Those who are told which streams there are to package: packagers, each over a connection of its own. A stream that has ended is one of
// them for a while, for a packager that has died with it is followed by one that finds what is kept.
import type { WatchedChange, WatchedStream } from "../../codec/rtmp/watch.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { LiveStream } from "./live-stream.js";
import { isFollowed, keptAfterEndMs } from "./settings.js";

export type Tell = (change: WatchedChange) => void;

/** The watchers of one process. Nothing to close: each leaves by itself. */
export class Watchers {
  private readonly all = new Set<Tell>();

  /** Tells of these streams now, and whenever one begins or ends. Returns how to stop. */
  add(streams: readonly LiveStream[], tell: Tell): () => void {
    const known = streams.filter(({ source, vhost, finding }) => isTold(vhost, finding) && (source.isLive || source.hasKept));
    const ended = known.filter(({ source }) => !source.isLive);
    tell({ live: known.map(namesOf), ended: ended.map(namesOf), isAll: true });
    this.all.add(tell);
    return () => void this.all.delete(tell);
  }

  /** A stream has begun or ended. */
  tell(stream: LiveStream, isLive: boolean): void {
    if (this.all.size === 0 || !isTold(stream.vhost, stream.finding)) return;
    const names = [namesOf(stream)];
    for (const tell of this.all) tell({ live: isLive ? names : [], ended: isLive ? [] : names, isAll: false });
  }
}

/** Whether a stream that has nobody stays for what is kept of it; `over`: it is time to look again. */
export function lingers(stream: LiveStream, over: () => void): boolean {
  const { source } = stream;
  if (!source.hasKept) return false;
  stream.keptTimer ??= setTimeout(() => {
    stream.keptTimer = null;
    source.forgetKept();
    over();
  }, keptAfterEndMs).unref();
  return true;
}

/** What an origin has from another box of the site is packaged for who plays it here as HLS; to record it is that box's. */
function isTold(vhost: Vhost, finding: object | null): boolean {
  return isFollowed(vhost) && (finding === null || vhost.hls !== null || vhost.cluster.isOnDemand);
}

function namesOf({ vhost, request, publisher }: LiveStream): WatchedStream {
  const { clientId = "", peer = "", tcUrl = "" } = publisher ?? {};
  return [vhost.name, request.app, request.stream, clientId, peer.replace(/:\d+$/, ""), request.params, tcUrl];
}
