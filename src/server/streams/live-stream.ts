// One stream of a process with everything around its source: where it is pulled from, who publishes it here, where it is forwarded.
// The hub keeps them and says when each thing begins; this says how.
import { DolphinError } from "../../base/errors.js";
import { signature } from "../../base/version.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import { messageType, type Message } from "../../codec/rtmp/message.js";
import { forPlayers } from "../../codec/rtmp/metadata.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import { parseServer } from "../../conf/meaning/endpoint.js";
import type { StreamName } from "../../ipc/locating.js";
import type { StreamReport } from "../../ipc/messages.js";
import { maxLostTold, type LostServer, type Present, type Relays } from "../../ipc/tally.js";
import type { SavedSource, Source } from "../../stream/source.js";
import type { SourceSettings } from "../../stream/source-settings.js";
import type { Publication, Publisher } from "../peers/publication.js";
import type { EdgePull } from "../relay/edge-pull.js";
import type { EdgePush } from "../relay/edge-push.js";
import type { Forwards, ForwardTarget } from "../relay/forwards.js";
import type { Finding } from "./finding.js";

/** What the hub keeps beside a source. */
export interface LiveStream {
  /** Its place among those that have come to this process; it only grows. */
  readonly order: number;
  readonly source: Source;
  /** Of a stream that has ended, until what is kept of it is forgotten. */
  keptTimer: NodeJS.Timeout | null;
  vhost: Vhost;
  /** As it was asked for first; its parameters go upstream with the pull. */
  readonly request: StreamRequest;
  pull: EdgePull | null;
  /** Looks for it at other servers of the site; null: it is published here, or nobody wants it, or there are none. */
  finding: Finding | null;
  readonly forwards: Forwards;
  /** Who publishes here, and not from upstream. */
  publisher: Publisher | null;
  /** Its publisher has left; viewers may be there. */
  readonly onUnpublished: () => void;
  /** How forwards of this publisher's stream introduce themselves. */
  forwardArgs: AmfObject;
}

/** A publisher whose media goes on to an origin. */
export interface Passage {
  readonly order: number;
  readonly push: EdgePush;
  readonly publisher: Publisher;
  readonly vhost: string;
  readonly request: StreamRequest;
}

/** The name of a stream in its process: `vhost/app/stream`. */
export function keyOf(vhost: Vhost, request: StreamRequest): string {
  return `${vhost.name}/${request.app}/${request.stream}`;
}

/** The same as the other servers of the site are told it. */
export function nameOf({ vhost, request: { app, stream } }: Pick<LiveStream, "vhost" | "request">): StreamName {
  return { vhost: vhost.name, app, stream };
}

/** Whether somebody is here for whom it is pulled: those who package it are not. */
export function isWanted({ source }: Pick<LiveStream, "source">): boolean {
  return source.consumers > source.packagers;
}

/** Why somebody may not publish. */
export function busy(key: string): DolphinError {
  return new DolphinError("RTMP_BUSY", `${key} is being published already`);
}

/** A stream that nobody publishes yet. */
export function newStream(
  order: number,
  parts: Pick<LiveStream, "source" | "vhost" | "request" | "forwards" | "onUnpublished">,
): LiveStream {
  return { order, ...parts, keptTimer: null, pull: null, finding: null, publisher: null, forwardArgs: {} };
}

/** Begins to publish, or goes on with what another process has saved. Throws RTMP_BUSY while another publishes. */
export function publishInto(stream: LiveStream, publisher: Publisher, saved: SavedSource | null): Publication {
  const { source } = stream;
  source.publish(publisher, publisher.clockId);
  stream.publisher = publisher;
  forward(stream);
  if (saved !== null) source.resume(saved);
  publisher.onStarted(source.clock);
  return {
    push: (message) => pushInto(source, message),
    save: () => source.save(),
    hold: (held) => source.hold(held),
    isWatched: () => source.isWatched,
    close: () => unpublish(stream, publisher),
  };
}

/**
 * Goes on with the publisher of a stream that was mirrored until now: he is read from when all that he has sent to the process
 * before this one has come over the mirror. From then on the stream goes by `settings`.
 */
export function succeed(
  stream: LiveStream,
  mirror: EdgePull,
  by: { readonly publisher: Publisher; readonly saved: SavedSource; readonly settings: SourceSettings },
): Publication {
  const { source } = stream;
  const { publisher, saved, settings } = by;
  const early: Message[] = []; // what its last read had brought
  let isHere = false;
  let isClosed = false;
  stream.publisher = publisher;
  publisher.pause();
  mirror.onOver(() => {
    stream.pull = null;
    source.adopt(settings);
    if (isClosed) {
      mirror.close(); // he has come and gone: the stream ends
      return;
    }
    isHere = true;
    source.takeOver(mirror, publisher, saved);
    mirror.cede();
    forward(stream);
    for (const message of early) pushInto(source, message);
    publisher.resume();
  });
  publisher.onStarted(source.clock);
  return {
    push: (message) => (isHere ? pushInto(source, message) : void early.push(message)),
    save: () => (isHere ? source.save() : null),
    hold: (held) => isHere && source.hold(held),
    isWatched: () => true,
    close() {
      isClosed = true;
      unpublish(stream, publisher);
    },
  };
}

/** What is asked for upstream: `cluster.vhost` may give the vhost another name there. */
export function upstreamRequest(vhost: Vhost, request: StreamRequest): StreamRequest {
  return { ...request, vhost: vhost.cluster.vhost.replaceAll("[vhost]", vhost.name) };
}

/** A stream is forwarded while it is published here. */
export function forward({ vhost, request, publisher, forwards, forwardArgs }: LiveStream): void {
  const { enabled, destinations, backend } = vhost.forward;
  const here = upstreamRequest(vhost, request);
  const named = backend === null ? null : (publisher?.forwards ?? null);
  const targets = named?.flatMap(targetOf) ?? destinations.map((endpoint) => ({ endpoint, request: here }));
  forwards.aim(enabled && publisher !== null ? targets : [], forwardArgs);
}

/** The server and the stream of a URL that a backend has named; nothing where it cannot be read. */
function targetOf(url: string): ForwardTarget[] {
  const [, host = "", path = ""] = /^rtmp:\/\/([^/?]+)\/(.+)$/i.exec(url) ?? [];
  const [name = "", params] = path.split(/\?(.*)/s);
  const at = name.lastIndexOf("/");
  try {
    const endpoint = parseServer(host);
    const query = params === undefined ? "" : `?${params}`;
    return at < 0 ? [] : [{ endpoint, request: resolveStream(`rtmp://${host}/${name.slice(0, at)}`, "", `${name.slice(at + 1)}${query}`) }];
  } catch {
    return []; // one that is no server or no stream leaves the others
  }
}

/** How it stands, for `dolphin status`. */
function reportOf({ source, vhost, request, pull, publisher }: LiveStream): StreamReport {
  const edges = source.ownConsumers;
  const { video, audio, videoFrames, audioFrames, videoDetails, audioDetails, keyFrameMs } = source.codecs;
  return {
    vhost: vhost.name,
    app: request.app,
    stream: request.stream,
    state: publisher !== null ? "publish" : pull !== null ? "pull" : "wait",
    from: publisher?.peer ?? pull?.from ?? "",
    players: source.consumers - edges,
    edges,
    video,
    audio,
    bytesIn: source.bytesIn,
    bytesOut: source.bytesOut,
    publisherId: publisher?.clientId ?? "",
    tcUrl: publisher?.tcUrl ?? "",
    sinceMs: source.liveSinceMs,
    videoFrames,
    audioFrames,
    keyFrameMs,
    videoDetails,
    audioDetails,
  };
}

/** Those that came behind the one of this order, at most so many. */
export function reportsOf(
  streams: Iterable<LiveStream>,
  passages: Iterable<Passage>,
  after: number,
  most: number,
): { readonly order: number; readonly report: StreamReport }[] {
  const rows = [
    ...[...streams].map((stream) => ({ order: stream.order, make: () => reportOf(stream) })),
    ...[...passages].map(({ order, vhost, request, publisher }) => ({ order, make: () => passageReport(vhost, request, publisher) })),
  ].filter(({ order }) => order > after);
  const page = rows.sort((one, other) => one.order - other.order).slice(0, most);
  return page.map(({ order, make }) => ({ order, report: make() }));
}

/** The same for a publisher who is passed on from here: his media is counted where it goes. */
function passageReport(vhost: string, { app, stream }: StreamRequest, { peer, clientId, tcUrl }: Publisher): StreamReport {
  const none = { players: 0, edges: 0, video: "", audio: "", bytesIn: 0, bytesOut: 0, videoFrames: 0, audioFrames: 0 };
  const unknown = { sinceMs: null, keyFrameMs: null, videoDetails: null, audioDetails: null };
  return { vhost, app, stream, state: "push", from: peer, publisherId: clientId, tcUrl, ...none, ...unknown };
}

function unpublish(stream: LiveStream, publisher: Publisher): void {
  stream.publisher = null;
  forward(stream);
  stream.source.unpublish(publisher);
  stream.onUnpublished();
}

function pushInto(source: Source, { type, timestamp, payload }: Message): void {
  if (type === messageType.audio || type === messageType.video) source.push(type, timestamp, payload);
  else if (type === messageType.data) source.push(type, timestamp, forPlayers(payload, signature));
}

/** What metrics tell of the streams of a process. */
export function presentOf(hub: {
  readonly streams: ReadonlyMap<string, LiveStream>;
  readonly pushes: ReadonlyMap<string, Passage>;
}): Pick<Present, "streams" | "pulls" | "pushes" | "forwards" | "lost" | "behind"> {
  const streams = [...hub.streams.values()];
  const pulls = streams.flatMap(({ pull }) => pull ?? []);
  const pushes = [...hub.pushes.values()].map(({ push }) => push);
  const forwards = streams.flatMap((stream) => stream.forwards.list);
  const behind = streams.flatMap(({ source }) => (source.consumers > 0 ? source.fanouts.behind() : []));
  return {
    behind: {
      players: behind.reduce((sum, { players }) => sum + players, 0),
      bytes: behind.reduce((sum, { bytes }) => sum + bytes, 0),
    },
    streams: streams.filter(({ source }) => source.isLive).length,
    pulls: countRelays(pulls),
    pushes: countRelays(pushes),
    forwards: countRelays(forwards),
    lost: lostServers([...pulls, ...pushes, ...forwards]),
  };
}

interface Relay {
  readonly lostServer: LostServer | null;
}

/** How many relays work, and how many wait for their server. */
function countRelays(relays: readonly Relay[]): Relays {
  const down = relays.filter(({ lostServer }) => lostServer !== null).length;
  return { up: relays.length - down, down };
}

function lostServers(relays: readonly Relay[]): readonly LostServer[] {
  const lost = relays.flatMap(({ lostServer }): [string, LostServer][] => (lostServer === null ? [] : [[lostServer.server, lostServer]]));
  return [...new Map(lost).values()].slice(0, maxLostTold);
}
