// What happens in a box, as operators follow it: one shape for whatever it is, which the master keeps the last of (control/event-book.ts).
// A process that serves tells what happens in it over its channel.

/** What happened; the names are those of the log's lines. */
export interface BoxEvent {
  /** `publish.started`, `publish.ended`, `child.exited`, `connections.resumed`, `reload.applied`, `rtmp.refused` … */
  readonly event: string;
  /** For people. */
  readonly msg: string;
  /** The process that it is about. */
  readonly process?: string;
  readonly level?: "info" | "warn" | "error";
  /** `vhost/app/stream`. */
  readonly stream?: string;
  readonly client?: string;
  readonly peer?: string;
  readonly code?: string;
  readonly reason?: string;
  /** Of what happens to many at once. */
  readonly count?: number;
  readonly pid?: number | null;
}

/** The same as the master has taken it down. */
export interface TakenEvent extends BoxEvent {
  /** Grows from one event to the next, over upgrades too. */
  readonly id: number;
  /** ISO 8601. */
  readonly time: string;
}
