// What the master and its children say to each other, and nothing else: one union per direction.
// Both sides run the same build, so a message is checked for its `type` and trusted beyond it.
//
//   child                                  master
//     │ hello ──────────────────────────────▶│
//     │◀────────────────────────── configure │
//     │ ready (it serves) or refused ───────▶│
//     │ heartbeat, every second ────────────▶│
//     │◀───────────────────────────── report │  somebody asked for `dolphin status`
//     │ reported ───────────────────────────▶│
//     │◀───────────────────────── list, kick │  somebody asks over the control socket who is here, or has one sent away
//     │ listed, kicked ─────────────────────▶│
//     │◀───────────────────────────── record │  to packagers: somebody has a stream recorded, or not any more
//     │ recorded ───────────────────────────▶│
//     │ event ──────────────────────────────▶│  what operators follow: somebody publishes, or was refused
//     │ locate ─────────────────────────────▶│  a stream is wanted that is not published to it
//     │◀──────────────────────────── located │
//     │ replica ────────────────────────────▶│  it has a stream from another server of the site, or has it no more
//     │ claim, unclaim, doubt ──────────────▶│  somebody publishes to it, on a site with a registry
//     │◀────────────────────────────── right │
//     │◀──────────────────────────────── has │  whether a stream is published to it
//     │ had ────────────────────────────────▶│
//     │◀───────────────────────── reopen-log │  its log file was moved away
//     │ done ───────────────────────────────▶│
//     │◀──────────────────────── reconfigure │  the configuration has changed while it serves
//     │ done ───────────────────────────────▶│
//     │◀──────────────────────────── warm-up │  it has time to get ready for a crowd; a spare hears it before `configure`
//     │ dues ───────────────────────────────▶│  hooks that are to be called when sessions are over
//     │◀────────────────── players-elsewhere │  how many play its streams in other processes, for hooks
//     │◀──────────────────────────── sitting │  whether a session that it has asked about goes on
//     │◀────────────────────────────── drain │  it takes nothing new, serves what it has, then leaves by itself
//     │◀─────────────────────────────── stop │  it ends what it has, then leaves by itself
//
// Where connections outlive their process, with the link of descriptors beside the channel (carried.ts):
//
//     │ parcels (look at the link) ─────────▶│  copies of connections, publishers that go on elsewhere
//     │ over, let-go ───────────────────────▶│  connections that ended, or shall go on in another process
//     │◀───────── parcels (look at the link) │  connections to go on with
//     │ adopted ────────────────────────────▶│  they go on
//     │◀─────────── not-kept, publisher-over │  copies that cannot be kept; a publisher of the child who went on elsewhere has left
//     │◀───────────────── mirror, end-mirror │  it takes a server's place, and follows its streams meanwhile
//
// Between the master and a proxy of PlanB, besides:
//
//     │◀─────────────────── backends, leases │  each second and at every change; leases as they begin and end
//     │ take (somebody wants to publish) ───▶│
//     │◀───────────── taken (by this server) │  the one asked for, or the one that has the stream already
//     │ release ────────────────────────────▶│
//
// The room:   channel.ts ─ messages.ts, which speak of listener.ts, of carried.ts and, for PlanB, of balance.ts
//             descriptor-link.ts ─ open descriptors, with the notes of carried.ts          beside each channel
//             marks.ts ─ how far each carried connection has got: memory that both sides see
//             dues.ts, identity.ts ─ what backends are told, and by whom
//             succession.ts ─ what two masters say to each other at an upgrade
import type { Spread } from "../base/crowd.js";
import { DolphinError, type ErrorCode } from "../base/errors.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import type { BackendState, Carried, Lease, ProxySetup } from "./balance.js";
import type { BoxEvent } from "./events.js";
import type { AdoptedNote } from "./carried.js";
import type { DueNote, HookCounts } from "./dues.js";
import type { Identity } from "./identity.js";
import type { Located, StreamName } from "./locating.js";
import type { Listed, ListPage } from "./lists.js";
import type { Listener, Protocol } from "./listener.js";
import type { MirroredOrigin } from "./succession.js";
import type { Present, Tally } from "./tally.js";

/** Everything that a server process needs to know: it reads no file and no flag of its own. */
export interface ServerSetup {
  /** `edge-1`, `origin`, `server`. */
  readonly name: string;
  readonly config: Config;
  readonly listeners: readonly Listener[];
  /** Whether it is an edge of the box's own origin. */
  readonly isEdge: boolean;
  /** The secret by which the box's own origin knows its own edges; 32 hex digits. */
  readonly edgeKey: string;
  /** Connections that this process accepts; null: no limit of its own. */
  readonly maxConnections: number | null;
  /** Who wants to publish goes on at the box's own origin, which lives in the master. */
  readonly publishersMove: boolean;
  /** By which names backends know the box. */
  readonly identity: Identity;
  /** Where the admin takes what comes to a port of HTTP streaming and is its own; absent: nowhere. */
  readonly adminDoor?: string;
}

/** Everything that the process which answers operators needs to know; the rest it asks over the control socket. */
export interface AdminSetup {
  /** `admin`. */
  readonly name: string;
  readonly config: Config;
  readonly listeners: readonly Listener[];
  /** The path of the box's control socket. */
  readonly controlSocket: string;
}

/** Everything that a process which writes streams to disk needs to know. */
export interface PackagerSetup {
  /** `packager`. */
  readonly name: string;
  readonly config: Config;
  /** As in `ServerSetup`. */
  readonly edgeKey: string;
  /** The servers of the box that streams are published to. */
  readonly origins: readonly Endpoint[];
  /** Where it remembers what is under way. */
  readonly stateFolder: string;
  readonly identity: Identity;
}

/** What a running child can be told to go by from now on. */
export type Reconfiguration = Pick<ServerSetup, "config" | "maxConnections">;

/** Running totals of one server process; bytes count since its start, the rest is now. */
export interface ServerStats {
  readonly connections: number;
  readonly players: number;
  readonly publishers: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of these, what passed between the box's own processes; absent: nothing. */
  readonly innerBytesIn?: number;
  readonly innerBytesOut?: number;
  /** The longest that the event loop was late since the last heartbeat. */
  readonly lagMs: number;
  /** How its calls of hooks went; absent: it made none. */
  readonly hooks?: readonly HookCounts[];
  /** CPU time since its start; absent: not told. */
  readonly cpuSeconds?: number;
  /** Of a process that serves streams. */
  readonly tally?: Tally;
  readonly present?: Present;
}

/** The totals of a process that does nothing, or of which nothing is known. */
export const noStats: ServerStats = {
  connections: 0,
  players: 0,
  publishers: 0,
  bytesIn: 0,
  bytesOut: 0,
  lagMs: 0,
};

/** One live or awaited stream as one server process sees it. */
export interface StreamReport {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** `publish`: somebody publishes here; `pull`: from `from`; `wait`: players wait for a publisher. */
  readonly state: "publish" | "pull" | "push" | "wait";
  /** The publisher's address, or the upstream that it is pulled from; empty while waiting. */
  readonly from: string;
  /** Viewers; the box's own edges are not counted. */
  readonly players: number;
  readonly edges: number;
  readonly video: string;
  readonly audio: string;
  readonly bytesIn: number;
  /** To players, since the process has the stream. */
  readonly bytesOut: number;
  /** Of the publisher, as a client; empty where there is none here. */
  readonly publisherId: string;
  readonly tcUrl: string;
  /** Since when this process has it from where it has it now (ms since 1970); null: it has it from nowhere. */
  readonly sinceMs: number | null;
  readonly videoFrames: number;
  readonly audioFrames: number;
  /** Between the last two key frames (ms); null: there were none. */
  readonly keyFrameMs: number | null;
  /** Null where no configuration has told. */
  readonly videoDetails: VideoDetails | null;
  readonly audioDetails: AudioDetails | null;
}

/** Of a video track; 0 and empty where it is not told. */
export interface VideoDetails {
  readonly profile: string;
  readonly level: string;
  readonly width: number;
  readonly height: number;
}

/** Of an audio track. */
export interface AudioDetails {
  readonly profile: string;
  readonly sampleRate: number;
  readonly channels: number;
}

/** Whom to send away: one client by his id, or all of a stream (`vhost/app/stream`). */
export type Whom = { readonly client: string } | { readonly stream: string };

export type FromChild =
  | { readonly type: "hello" }
  | { readonly type: "ready"; readonly endpoints: readonly { readonly protocol: Protocol; readonly endpoint: Endpoint }[] }
  | { readonly type: "refused"; readonly code: string; readonly message: string }
  | { readonly type: "heartbeat"; readonly stats: ServerStats; readonly carried?: readonly Carried[] }
  | { readonly type: "reported"; readonly id: number; readonly streams: readonly StreamReport[] }
  | ({ readonly type: "listed"; readonly id: number } & ListPage)
  /** It is recorded now, or not any more; else why not. `isHere`: whether it has the stream. */
  | { readonly type: "recorded"; readonly id: number; readonly isHere: boolean; readonly problem: string | null }
  /** So many were sent away. */
  | { readonly type: "kicked"; readonly id: number; readonly count: number }
  | { readonly type: "event"; readonly event: BoxEvent }
  /** What was asked for under this number is done, or could not be done because of `problem`, a sentence. */
  | { readonly type: "done"; readonly id: number; readonly problem: string | null }
  /** Descriptors and their notes have been sent on the link: connections that are carried. */
  | { readonly type: "parcels" }
  /** These connections, which were given to it, go on there. */
  | { readonly type: "adopted"; readonly notes: readonly AdoptedNote[] }
  /** These connections are over, or were let go so that another process goes on with them. */
  | { readonly type: "over"; readonly tokens: readonly string[] }
  | { readonly type: "let-go"; readonly tokens: readonly string[] }
  /** What it has due with the site's backend, and has no more. */
  | { readonly type: "dues"; readonly notes: readonly DueNote[] }
  /** `id` is the proxy's own, one for each publisher; `backend` is where it would go. */
  | { readonly type: "take"; readonly id: number; readonly key: string; readonly backend: string }
  | { readonly type: "release"; readonly id: number }
  /** Somebody wants a stream that is not published to this process. */
  | { readonly type: "locate"; readonly id: number; readonly name: StreamName; readonly isLost: boolean }
  /** Somebody wants to publish a stream to a process that passes it on to an origin of the site. Answered as `locate` is. */
  | { readonly type: "origins"; readonly id: number; readonly name: StreamName }
  /** It has a stream from that other server of the site; null: no more. */
  | { readonly type: "replica"; readonly name: StreamName; readonly from: string | null }
  /** A publisher, by the number of his publishing, asks for the right to a name on the site, gives it back, or may have stood still. */
  | { readonly type: "claim"; readonly publish: string; readonly name: StreamName; readonly underWaySinceMs: number | null }
  | { readonly type: "unclaim"; readonly publish: string }
  /** Somebody asks to publish, and the backend is to be told a number for it. */
  | { readonly type: "fence"; readonly id: number; readonly name: StreamName }
  | { readonly type: "doubt"; readonly publishes: readonly string[] }
  | { readonly type: "had"; readonly id: number; readonly isHere: boolean };

export type ToChild =
  | { readonly type: "configure"; readonly setup: ServerSetup }
  | { readonly type: "configure-proxy"; readonly setup: ProxySetup }
  | { readonly type: "configure-admin"; readonly setup: AdminSetup }
  | { readonly type: "configure-packager"; readonly setup: PackagerSetup }
  | { readonly type: "backends"; readonly backends: readonly BackendState[] }
  /** What changed; leases that are not named are as they were. */
  | { readonly type: "leases"; readonly begun: readonly Lease[]; readonly ended: readonly Lease[] }
  | { readonly type: "taken"; readonly id: number; readonly backend: string }
  | { readonly type: "report"; readonly id: number }
  /** Where a stream is that was asked for under this number; null: nobody could be asked. */
  | { readonly type: "located"; readonly id: number; readonly located: Located | null }
  /** That number (0: there is none), or why nobody else can publish it. */
  | { readonly type: "fenced"; readonly id: number; readonly fence: number; readonly busy: string | null }
  /** What has become of that right; with a code and a sentence where it is refused or lost. */
  | {
      readonly type: "right";
      readonly publish: string;
      readonly right: "owner" | "standby" | "refused" | "lost" | "sure";
      readonly code?: ErrorCode;
      readonly reason?: string;
    }
  /** Whether somebody publishes a stream (`vhost/app/stream`) to it. */
  | { readonly type: "has"; readonly id: number; readonly key: string }
  /** The rows of a list behind the one with the number `after`; 0: from the first on. */
  | { readonly type: "list"; readonly id: number; readonly what: Listed; readonly after: number }
  | { readonly type: "kick"; readonly id: number; readonly whom: Whom }
  /** To a packager: a stream (`vhost/app/stream`) is to be recorded, or not. */
  | { readonly type: "record"; readonly id: number; readonly stream: string; readonly isOn: boolean }
  | { readonly type: "reopen-log"; readonly id: number }
  /** It may do what makes it faster for whoever comes next. */
  | { readonly type: "warm-up" }
  | { readonly type: "reconfigure"; readonly id: number; readonly change: Reconfiguration }
  /** It takes the place of a server, and follows that one's streams until `end-mirror`. */
  | { readonly type: "mirror"; readonly id: number; readonly origin: MirroredOrigin }
  | { readonly type: "end-mirror" }
  /** `isReplaced`: another process goes on with the connections that are carried. `spread`: when who is left is sent away; null: never. */
  | { readonly type: "drain"; readonly reason: string; readonly isReplaced: boolean; readonly spread: Spread | null }
  /** Connections to go on with have been sent on the link. */
  | { readonly type: "parcels" }
  /** The master could not keep copies of these connections: they end with the process. */
  | { readonly type: "not-kept"; readonly tokens: readonly string[] }
  /** So many play streams (`vhost/app/stream`) in other processes; where it has changed, and hooks are called. */
  | { readonly type: "players-elsewhere"; readonly counts: readonly (readonly [stream: string, players: number])[] }
  /** Whether a sitting goes on that it has asked about under this number. */
  | { readonly type: "sitting"; readonly id: number; readonly goesOn: boolean }
  /** A publisher who came in here and went on at the origin has ended. */
  | { readonly type: "publisher-over" }
  /** `isReplaced`: another process goes on with the connections that are carried. */
  | { readonly type: "stop"; readonly reason: string; readonly isReplaced: boolean };

const fromChildTypes: ReadonlySet<unknown> = new Set<FromChild["type"]>([
  "hello",
  "ready",
  "refused",
  "heartbeat",
  "reported",
  "listed",
  "kicked",
  "recorded",
  "event",
  "done",
  "parcels",
  "adopted",
  "over",
  "let-go",
  "dues",
  "take",
  "release",
  "locate",
  "origins",
  "replica",
  "claim",
  "unclaim",
  "fence",
  "doubt",
  "had",
]);
const toChildTypes: ReadonlySet<unknown> = new Set<ToChild["type"]>([
  "configure",
  "configure-proxy",
  "configure-admin",
  "configure-packager",
  "backends",
  "leases",
  "taken",
  "report",
  "located",
  "right",
  "fenced",
  "has",
  "list",
  "kick",
  "warm-up",
  "record",
  "reopen-log",
  "reconfigure",
  "mirror",
  "end-mirror",
  "drain",
  "parcels",
  "publisher-over",
  "players-elsewhere",
  "sitting",
  "not-kept",
  "stop",
]);

/** Narrows what a child sent. Throws IPC_MESSAGE for anything that no child says. */
export function parseFromChild(message: unknown): FromChild {
  return narrow<FromChild>(message, fromChildTypes);
}

/** Narrows what the master sent. Throws IPC_MESSAGE for anything that the master never says. */
export function parseToChild(message: unknown): ToChild {
  return narrow<ToChild>(message, toChildTypes);
}

function narrow<T>(message: unknown, types: ReadonlySet<unknown>): T {
  if (typeof message === "object" && message !== null && "type" in message && types.has(message.type)) return message as T;
  throw new DolphinError("IPC_MESSAGE", `a message of no known type: ${JSON.stringify(message)?.slice(0, 100)}`);
}
