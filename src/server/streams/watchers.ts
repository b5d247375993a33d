// Who is told which streams run that are to be packaged, whenever one begins or ends.
import type { WatchedChange, WatchedStream } from "../../codec/rtmp/watch.js";
import type { LiveStream } from "./live-stream.js";
import { isPackaged } from "./settings.js";

type Watched = Pick<LiveStream, "source" | "vhost" | "request">;

/** Those who watch the streams of one process. */
export class Watchers {
  private readonly all = new Set<(change: WatchedChange) => void>();

  /** Tells which of these run now, and every change from now on. Returns how to stop. */
  add(tell: (change: WatchedChange) => void, streams: Iterable<Watched>): () => void {
    const live = [...streams].filter(({ source, vhost }) => source.isLive && isPackaged(vhost)).map(namesOf);
    tell({ live, ended: [], isAll: true });
    this.all.add(tell);
    return () => void this.all.delete(tell);
  }

  changed(stream: Watched, isLive: boolean): void {
    if (this.all.size === 0 || !isPackaged(stream.vhost)) return;
    const names = [namesOf(stream)];
    for (const tell of this.all) tell({ live: isLive ? names : [], ended: isLive ? [] : names, isAll: false });
  }
}

function namesOf({ vhost, request }: Watched): WatchedStream {
  return [vhost.name, request.app, request.stream];
}
