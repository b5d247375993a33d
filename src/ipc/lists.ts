// Who is in the box and what flows through it, as each process that serves tells it when it is asked, and how that becomes one list: a
// stream is seen by several processes, each from where it stands, and a viewer who was carried is one wherever he is now. Whoever asks
// puts the lists together, and not the master, which only passes pages on: they may be long.
//
//   a child ─ pages of rows ─▶ the master ─ as they come ─▶ the control socket ─▶ admin, verbs: oneOfEach, see below

/** What can be listed: by servers, and by packagers. */
export type Listed = "clients" | "streams" | "programs" | "recordings";

export const listedNames: readonly string[] = ["clients", "streams", "programs", "recordings"] satisfies readonly Listed[];

/** Whether packagers know it, and not servers. */
export function isOfPackagers(what: Listed): boolean {
  return what === "programs" || what === "recordings";
}

/** How many rows a process tells in one turn of its event loop. */
export const pageRows = 200;

/** Rows of one process: JSON, a comma between each two and nothing around them; `next` is what to ask for behind them, null: nothing. */
export interface ListPage {
  readonly rows: string;
  readonly next: number | null;
}

/** What one process knows, as it is put together by the master; `isStale`: it did not answer to the end. */
export interface ProcessList<Row> {
  readonly name: string;
  readonly duty: string;
  readonly rows: readonly Row[];
  readonly isStale: boolean;
}

/** Somebody who plays or publishes, as the process that serves him tells it. The box's own pulls are nobody. */
export interface ClientReport {
  /** The connection's `conn` in logs; see `sessionIdOf`. The same wherever he is carried to. */
  readonly id: string;
  /** The vhost that serves him. */
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** A word of SRS: `rtmp-play`, `flv-play`, `hls-play`, `fmle-publish`, `flash-publish`; a foreign server may have more of them. */
  readonly type: string;
  readonly ip: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  readonly swfUrl: string;
  /** The last part of what he asked for: `livestream.flv`. */
  readonly name: string;
  /** Since 1970. */
  readonly sinceMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The same with the process that serves him. */
export interface BoxClient extends ClientReport {
  readonly process: string;
}

/** All of the box, by process and in the order in which they came there; each once. */
export function allClients(lists: readonly ProcessList<ClientReport>[]): BoxClient[] {
  const found = new Map<string, BoxClient>();
  for (const { name, rows } of lists) {
    for (const row of rows) {
      const known = found.get(row.id);
      found.set(row.id, { ...(known === undefined || row.type !== "hls-play" ? row : joinedWith(known, row)), process: name });
    }
  }
  return [...found.values()];
}

/** Requests of a session may come to every process: together they are one client. */
function joinedWith(known: ClientReport, row: ClientReport): ClientReport {
  const { bytesIn, bytesOut, sinceMs } = known;
  return { ...row, bytesIn: row.bytesIn + bytesIn, bytesOut: row.bytesOut + bytesOut, sinceMs: Math.min(row.sinceMs, sinceMs) };
}

/** A program that is run for a vhost or a stream of it. */
export interface ProgramReport {
  readonly vhost: string;
  /** Empty of an ingest, which makes a stream and has none. */
  readonly app: string;
  readonly stream: string;
  readonly kind: "ingest" | "transcode" | "exec";
  /** The engine's, or the ingest's. */
  readonly name: string;
  readonly input: string;
  /** Where it publishes; empty: that is its own affair. */
  readonly output: string;
  readonly argv: readonly string[];
  /** Null: it waits to be started again. */
  readonly pid: number | null;
  /** Since when it runs (ms since 1970). */
  readonly sinceMs: number | null;
  readonly restarts: number;
  /** How it ended the last time; empty: it has not. */
  readonly lastEnd: string;
  /** What it printed last; empty: nothing yet, or its output goes to files. */
  readonly lastLine: string;
}

/** A recording, under way or finished. */
export interface RecordingReport {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  readonly path: string;
  /** `recording`: under way, with what there is of it by now. */
  readonly state: "recording" | "finished";
  /** Since 1970. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly sizeBytes: number;
}

/** All of the box: each packager tells of all that are finished, and of its own that are not. The newest comes first. */
export function allRecordings(lists: readonly ProcessList<RecordingReport>[]): RecordingReport[] {
  const found = new Map<string, RecordingReport>();
  const rows = lists
    .flatMap((list) => list.rows)
    .sort((one, other) => Number(one.state === "recording") - Number(other.state === "recording"));
  for (const row of rows) found.set(row.path, row);
  return [...found.values()].sort((one, other) => other.startedAtMs - one.startedAtMs);
}
