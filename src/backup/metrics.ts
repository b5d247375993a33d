// What a node tells operators: its state as JSON, and the same as series for Prometheus. Counters are of one life of the process.
import type { Link } from "./election.js";
import type { BackupNode } from "./node.js";
import { nextOf } from "./roll.js";

export interface BackupStatus {
  readonly node: string;
  readonly link: Link;
  readonly streams: readonly {
    readonly path: string;
    readonly lead: string;
    readonly term: number;
    /** The number that comes next in the list of players, and behind all that is known. */
    readonly told: number;
    readonly next: number;
    readonly isLive: boolean;
  }[];
}

export function statusOf({ settings, peer, streams }: BackupNode): BackupStatus {
  const nowMs = performance.timeOrigin + performance.now();
  const rows = [...streams.values()].map(({ stream }) => {
    const { lead, term } = stream.roll;
    return { path: stream.path, lead, term, told: stream.told, next: nextOf(stream.roll), isLive: stream.report(nowMs).isLive };
  });
  return { node: settings.node, link: peer.link, streams: rows };
}

/** As text, in Prometheus' format. */
export function metricsText(backup: BackupNode): string {
  const { link, node, streams } = statusOf(backup);
  const { peer, store, switches, refusedSegments, failedWrites } = backup;
  const rows: readonly (readonly [name: string, kind: "gauge" | "counter", help: string, value: number])[] = [
    ["peer_linked", "gauge", "1 while the peer is heard and answers", link === "linked" ? 1 : 0],
    ["streams", "gauge", "streams that are served", streams.length],
    ["streams_led", "gauge", "streams that this node leads", streams.filter(({ lead }) => lead === node).length],
    ["streams_live", "gauge", "streams that the server beside this node writes", streams.filter(({ isLive }) => isLive).length],
    ["switches_total", "counter", "changes of lead", switches],
    ["copied_bytes_total", "counter", "bytes of segments copied from the peer", peer.fetchedBytes],
    ["failed_copies_total", "counter", "copies that failed", peer.failedFetches],
    ["refused_segments_total", "counter", "segments of the server that are not served", refusedSegments],
    ["failed_writes_total", "counter", "writes that the disk did not take", failedWrites],
    ["disk_bytes", "gauge", "segments on the disk", store.diskBytes],
    ["memory_bytes", "gauge", "segments in memory", store.memoryBytes],
  ];
  return rows
    .map(
      ([name, kind, help, value]) =>
        `# HELP dolphin_backup_${name} ${help}\n# TYPE dolphin_backup_${name} ${kind}\ndolphin_backup_${name} ${value}\n`,
    )
    .join("");
}
