// The hooks that are called when a session is over. They are made when it is admitted and go wherever it goes, so whoever ends it
// can call them; of what a process has open the master has a list, for the case that the process cannot.
//
//   admitted ─ open ─▶ due ─▶ called by the process that ends the session ─ done ─▶
//                       ├─▶ the connection goes on elsewhere, and the due with it: open, there
//                       └─▶ its process is gone for good ─▶ called by the master

/** Upper bounds (ms) of the classes of the time that answers took; the last class has none. */
export const latencyBoundsMs = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const;

/** What a hook tells, in the order in which it is written. */
export type HookBody = Readonly<Record<string, string | number>>;

/** One hook that is due. */
export interface Due {
  /** Names it in the whole box. */
  readonly key: string;
  readonly action: "on_close" | "on_stop" | "on_unpublish";
  /** Those of the configuration under which the session was admitted. */
  readonly urls: readonly string[];
  readonly body: HookBody;
}

/** A notification that its backend has not taken yet. */
export interface Undelivered {
  readonly action: string;
  readonly url: string;
  readonly text: string;
  /** Names what is told, however often it is sent. */
  readonly event: string;
  /** Of the next sending; the first is 1. */
  readonly attempt: number;
}

/** A session that no connection is the life of: it is over when nobody has asked for anything in it for so long, wherever it was. */
export interface Sitting {
  readonly due: Due;
  readonly idleMs: number;
}

/** What a process tells of its dues, in order. */
export type DueNote =
  | { readonly open: Due }
  | { readonly sitting: Sitting }
  /** Something was asked for in the sitting of this key. */
  | { readonly touched: string }
  /** The sitting of this key is over. */
  | { readonly over: string }
  /** Whether the sitting of this key goes on: to be answered under this number. */
  | { readonly asked: string; readonly id: number }
  /** The due of this key has been called. */
  | { readonly done: string }
  /** It goes on in another process. */
  | { readonly moved: string }
  /** It ends, and the master goes on trying. */
  | { readonly undelivered: Undelivered };

/** How the calls of one process to one URL went: numbers that only grow. */
export interface HookCounts {
  readonly action: string;
  /** Without what may be a secret: user, password and parameters. */
  readonly url: string;
  /** Calls that were made. */
  calls: number;
  /** Of those, the ones that got no answer, or one that says that the backend itself has failed. */
  failures: number;
  /** Those that were answered by no. */
  refusals: number;
  /** Notifications that were given up, for there were too many or no attempt was left. */
  dropped: number;
  /** Answers by the time that they took, one number for each class of `latencyBoundsMs`; together they are `calls` without those under way. */
  readonly latencies: number[];
  /** Of all of them together. */
  latencySumMs: number;
}
