// What stream routing needs to know of the servers: which one has a stream or shall get it, and how to count what goes
// there. Only the shapes; places.ts is the usual chooser, and Backends keeps the accounts.
import { defaultVhost } from "../../base/host-name.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";

/** A server that may be chosen. */
export interface Target {
  readonly name: string;
  readonly rtmp: Endpoint;
  /** Null where it serves no HTTP. */
  readonly http: Endpoint | null;
}

export interface Question {
  readonly what: "publish" | "play";
  /** `vhost/app/stream`: see {@link streamKey}. */
  readonly key: string;
  /** Servers that were asked for this connection and failed. */
  readonly tried: ReadonlySet<string>;
  /** How long a player may wait for a publisher before it is sent to any server. */
  readonly waitMs: number;
  /** Aborted when the client has left. */
  readonly signal: AbortSignal;
}

/** An answer. `release` is called once, when the connection is over or never came to be: it ends the lease of a publisher. */
export interface Choice {
  readonly target: Target;
  /** The lease that a publisher holds, under the proxy's number; null: none. */
  readonly lease: { readonly id: number; readonly key: string } | null;
  /** Whether another server could be asked instead now; none can while this one has the stream. */
  hasOther(): boolean;
  release(): void;
}

/** Tells where a stream is, or shall be. */
export interface Chooser {
  /** Null when there is no server left to ask. A publish takes the lease of its stream, or goes where another has it. */
  choose(question: Question): Promise<Choice | null> | Choice | null;
  /** Whether a stream is published, as far as this proxy knows. */
  isPublished(key: string): boolean;
}

/** Counters of a connection that is open. */
export interface LiveBytes {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Where connections are counted: each is `opened` when its server was chosen and `closed` once, whatever became of it. */
export interface Accounts {
  opened(name: string): void;
  follow(name: string, live: LiveBytes): void;
  closed(name: string, bytesIn: number, bytesOut: number, live: LiveBytes | null): void;
}

/**
 * The name under which all proxies know a stream; its query is no part of it, and case counts. `vhosts` are the names that
 * the servers tell apart; every other is the default one, however a client spells it.
 */
export function streamKey({ vhost, app, stream }: StreamRequest, vhosts: ReadonlySet<string>): string {
  return `${vhosts.has(vhost) ? vhost : defaultVhost}/${app}/${stream}`;
}

/** The same for a stream that somebody writes so, whatever ending or parameters it has. Throws RTMP_NAME. */
export function writtenKey(text: string, vhosts: ReadonlySet<string>): string {
  return streamKey(resolveStream(`rtmp://${text}`, "", ""), vhosts);
}
