// A node as those see it who answer for it: what backup.ts puts together, without the parts that nobody outside needs.
import type { Link } from "./election.js";
import type { EndHook, SegmentHook } from "./hook.js";
import type { Report } from "./report.js";
import type { Stream } from "./stream.js";

/** The list of a stream as players get it. */
export interface ToldList {
  readonly text: string;
  readonly changedMs: number;
}

export interface BackupNode {
  readonly settings: { readonly node: string; readonly token: string };
  readonly streams: ReadonlyMap<string, { readonly stream: Stream; readonly list: ToldList | null }>;
  readonly peer: { readonly link: Link; readonly fetchedBytes: number; readonly failedFetches: number };
  readonly store: { readonly diskBytes: number; readonly memoryBytes: number; read(id: string): Promise<Buffer | null> };
  /** Counted since it began. */
  readonly switches: number;
  readonly refusedSegments: number;
  readonly failedWrites: number;
  /** Takes what a server's hook tells. */
  tell(hook: SegmentHook | EndHook): void;
  /** Takes what the peer tells; gives the answer, or why it is refused. */
  hear(report: Report): { readonly receipt: string } | string;
  /** The bytes of a segment that a list of this node has or had; null: there are none. */
  bytesOf(path: string, id: string): Promise<Buffer | null>;
}
