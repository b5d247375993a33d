// Where sessions meet streams: finds the vhost, opens sources, and decides by the vhost's mode what playing and
// publishing mean. It owns every source and every relay of the process, and no socket.
//
//            mode local (origin)                    mode remote (edge)
//   play     a seat in the source, which is         the same, and the first seat starts a pull
//            looked for elsewhere (finding.ts)
//   publish  into the source, and forwards start    an edge push: on to the origin
//
//   RTMP, HTTP ─ source, publish ─▶ hub.ts ─▶ live-stream.ts: one source with its publisher, its pull and its forwards
//                                      └─ a vhost ─▶ settings.ts ─ what its sources go by
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { settledWithin } from "../../base/until.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import { packagerArgs } from "../../codec/rtmp/watch.js";
import type { Endpoint, Vhost } from "../../conf/meaning/config.js";
import { trustedNetworks, type TrustedNetworks } from "../../conf/meaning/networks.js";
import type { Hooks } from "../../hooks/hooks.js";
import type { Carrier } from "../../ipc/carried.js";
import type { BoxEvent } from "../../ipc/events.js";
import { nowhere, type Located, type Locator } from "../../ipc/locating.js";
import type { Reconfiguration, ServerSetup, StreamReport } from "../../ipc/messages.js";
import type { MirroredOrigin } from "../../ipc/succession.js";
import { Source, type SavedSource } from "../../stream/source.js";
import { vhostFor, whyLeave, type Client } from "../peers/clients.js";
import type { LiveStream, Passage } from "./live-stream.js";
import { busy, forward, isWanted, keyOf, nameOf, newStream, publishInto, reportsOf, succeed, upstreamRequest } from "./live-stream.js";
import type { MergedReads } from "../peers/merged-read.js";
import type { Publication, Publisher } from "../peers/publication.js";
import { EdgePull, type EdgePullOptions } from "../relay/edge-pull.js";
import { Destinations, Forwards } from "../relay/forwards.js";
import { makeUpstreams } from "../relay/upstreams.js";
import { upnodeArgs } from "../../wire/client.js";
import { names } from "../../wire/names.js";
import type { Mover } from "../peers/saved-publisher.js";
import { checkVia } from "../peers/via.js";
import { checkHops, endFinding, endPull, endSearch, Finding } from "./finding.js";
import { ownPlace, toOrigin, toOther, toPeer } from "./introductions.js";
import { Passages, type OriginsOf } from "./passages.js";
import { hasUpstreams, isLocated, isPackaged, lingerMsOf, settingsOf } from "./settings.js";
import { UpstreamLists } from "./upstream-lists.js";
import { lingers, Watchers, type Tell } from "./watchers.js";
import { noTraffic } from "../peers/traffic.js";

/** Streams that one process keeps at once: random names must not fill the memory. */
export const maxStreams = 100_000;

/** What a hub is made with. */
export interface HubParts {
  readonly carrier: Carrier | null;
  readonly hooks: Hooks;
  readonly mergedReads: MergedReads;
  /** Who knows the other servers of the site; null: there are none. */
  readonly locator: Locator | null;
}

/** How long the streams of the process before this one may take to flow here. */
const mirroredWithinMs = 3_000;

/** The streams and relays of one process. `close` ends the relays. */
export class Hub {
  /** What it goes by; `reconfigure` replaces it. */
  setup: ServerSetup;
  /** Why the process takes nobody new and waits for its connections to leave; null: it serves. */
  drainReason: string | null = null;
  /** Publishers who came in here and went on in another process: they have a place of `max_connections` here until they end. */
  movedAway = 0;
  /** Takes publishers to another process as soon as they can go; null: they stay. */
  mover: Mover | null = null;
  /** Tells operators what happens. */
  tell: (event: BoxEvent) => void = () => undefined;
  /** Those who play or publish here; each adds and removes itself. */
  readonly clients = new Set<Client>();
  /** Peers that may say who the client behind them is. */
  trusted: TrustedNetworks;
  readonly traffic = noTraffic();
  /** The publishers of this process, read in step. */
  readonly mergedReads: MergedReads;
  private readonly log: Log;
  readonly streams = new Map<string, LiveStream>();
  private readonly upstreams = new UpstreamLists();
  private readonly passages: Passages;
  private readonly destinations = new Destinations();
  private lastOrder = 0;
  private readonly watchers = new Watchers();

  /** What keeps copies of connections; null: they end with this process. */
  readonly carrier: Carrier | null;
  /** Who is let in, and who is told of it. */
  readonly hooks: Hooks;
  readonly locator: Locator | null;

  constructor(setup: ServerSetup, log: Log, { carrier, hooks, mergedReads, locator }: HubParts) {
    this.locator = locator;
    this.mergedReads = mergedReads;
    this.setup = setup;
    this.carrier = carrier;
    this.hooks = hooks;
    this.trusted = trustedNetworks(setup.config.dolphin.balance.trustedProxies);
    this.log = log;
    this.upstreams.renew(setup);
    names.use(setup.config.dolphin.resolver);
    const { upstreams, traffic } = this;
    const logOf = (vhost: Vhost, request: StreamRequest): Log => this.logOf(vhost, request);
    this.passages = new Passages({ upstreams, traffic, setup: () => this.setup, nextOrder: () => this.nextOrder(), logOf });
  }

  /** Publishers whose media goes on to an origin. */
  get pushes(): ReadonlyMap<string, Passage> {
    return this.passages.all;
  }

  /** The vhost that serves this name: its own, or the default one. Throws RTMP_VHOST when there is none or it is disabled. */
  vhost(name: string): Vhost {
    const vhost = vhostFor(name, this.setup.config.vhosts);
    if (vhost === null) throw new DolphinError("RTMP_VHOST", `no vhost serves the name ${name}`);
    return vhost;
  }

  /** The same for a request, which may not have come through the stream that it asks for (RELAY_LOOP). */
  vhostOf(request: StreamRequest): Vhost {
    const vhost = this.vhost(request.vhost);
    if (request.via !== undefined) checkVia(request, ownPlace(this.setup, vhost, request));
    return vhost;
  }

  /**
   * Throws RTMP_FULL for a publisher from another process who is one too many. No process counts connections that have left it, so
   * they are held against the limit of the whole box.
   */
  admit(): void {
    const most = this.setup.config.maxConnections;
    if (most !== null && this.traffic.publishers >= most) throw new DolphinError("RTMP_FULL", `all ${most} connections are in use`);
  }

  /** The vhost that a tcUrl alone names, or null: a refusal waits for the stream's name, which may give another. */
  vhostOfUrl(tcUrl: string, app: string): Vhost | null {
    try {
      return this.vhost(resolveStream(tcUrl, app, "stream").vhost);
    } catch (error) {
      if (error instanceof DolphinError) return null;
      throw error;
    }
  }

  /**
   * The source of a stream for somebody who is about to take a seat in it, and takes it before doing anything else. `seenMs`: how far an
   * own edge's viewers have seen the stream. Throws RELAY_HOPS for what would have to be looked for at one box too many.
   */
  source(vhost: Vhost, request: StreamRequest, seenMs: number | null = null): Source {
    if (isLocated(vhost)) checkHops(request, this.streams.get(keyOf(vhost, request)));
    const { source, pull } = this.open(vhost, request);
    if (seenMs !== null) source.noteSeen(seenMs);
    pull?.hurry();
    return source;
  }

  /**
   * Begins to publish, or goes on with what another process has saved. The publisher is told when it may send. Throws RTMP_BUSY
   * while another publishes the stream. `origins`: where an edge passes it on to that finds them on the site.
   */
  publish(vhost: Vhost, request: StreamRequest, publisher: Publisher, saved: SavedSource | null, origins: OriginsOf): Publication {
    if (vhost.cluster.mode === "remote") return this.passages.begin(vhost, request, publisher, origins);
    return this.publishHere(vhost, request, publisher, saved);
  }

  /** Throws RTMP_BUSY while somebody publishes the stream, as far as this process knows. */
  checkFree(vhost: Vhost, request: StreamRequest): void {
    const key = keyOf(vhost, request);
    if (this.pushes.has(key) || (this.streams.get(key)?.publisher ?? null) !== null) throw busy(key);
  }

  /** Whether somebody publishes the stream of this key to this process. */
  has(key: string): boolean {
    return (this.streams.get(key)?.publisher ?? null) !== null;
  }

  /** Where a stream is, which is not published to this process as far as is known. Rejects where nobody could be asked. */
  locate(vhost: Vhost, { app, stream }: StreamRequest, signal: AbortSignal, isLost = false): Promise<Located> {
    return this.locator?.locate({ vhost: vhost.name, app, stream }, signal, isLost) ?? Promise.resolve(nowhere);
  }

  /** How many play the stream of this key, as far as hooks know of other processes; the box's own edges are not counted. */
  playersOf(key: string): number {
    const source = this.streams.get(key)?.source;
    return this.hooks.playersElsewhere(key) + (source === undefined ? 0 : source.consumers - source.ownConsumers);
  }

  /**
   * Goes by another configuration from now on. Clients whom it leaves without their vhost, publishers of a vhost whose mode or
   * origins have changed are dismissed (RTMP_RELOAD); everybody else stays, and running streams take over what they can.
   */
  reconfigure({ config, maxConnections }: Reconfiguration): void {
    this.setup = { ...this.setup, config, maxConnections };
    this.trusted = trustedNetworks(config.dolphin.balance.trustedProxies);
    this.hooks.reconfigure(config.dolphin.hooks);
    this.upstreams.renew(this.setup);
    names.use(config.dolphin.resolver);
    for (const client of this.clients) {
      const why = whyLeave(client, config.vhosts);
      if (why !== null) client.dismiss(new DolphinError("RTMP_RELOAD", why));
    }
    this.passages.adopt();
    for (const stream of this.streams.values()) this.adopt(stream);
  }

  /**
   * Follows the streams of the process whose place this one takes, as an edge of it, so that viewers find what they have not got yet
   * and publishers can go on behind it. Resolves when they flow, or have not within a moment.
   */
  async mirror({ endpoint, edgeKey, streams }: MirroredOrigin): Promise<void> {
    const upstreams = makeUpstreams([endpoint]);
    const args = upnodeArgs(this.setup.name, edgeKey);
    const live = streams.flatMap(({ vhost: name, app, stream }) => {
      const vhost = vhostFor(name, this.setup.config.vhosts);
      const one = vhost === null ? null : this.open(vhost, { vhost: name, app, stream, params: "" });
      if (one === null || one.pull !== null || one.publisher !== null) return [];
      const settings = settingsOf(one.vhost, this.setup.isEdge);
      one.source.adopt({ ...settings, timeline: settings.timeline === "off" ? "off" : "follow" });
      one.source.expectViewers();
      const isWhole = isPackaged(one.vhost) && !this.setup.isEdge;
      const from = { upstreams, args: { ...args, ...(isWhole ? packagerArgs(false) : {}) }, isOwnOrigin: true, isWhole };
      return new Promise<void>((onLive) => (one.pull = this.pull(one, { ...from, mirror: { onLive } })));
    });
    await settledWithin(live, mirroredWithinMs);
  }

  /** The process before this one has handed over everything: streams whose publisher did not come end, or are pulled from where they are. */
  endMirror(): void {
    for (const stream of this.streams.values()) {
      if (stream.pull?.isMirror !== true || stream.publisher !== null) continue;
      this.endMirrorOf(stream, stream.pull);
      if (isWanted(stream)) this.wanted(stream);
      this.idle(stream);
    }
  }

  watch(tell: Tell): () => void {
    return this.watchers.add([...this.streams.values()], tell);
  }

  /** Streams that came behind the one of this order, at most so many. */
  reports(after: number, most: number): { readonly order: number; readonly report: StreamReport }[] {
    return reportsOf(this.streams.values(), this.pushes.values(), after, most);
  }

  /** The next place in the order of coming, for a client or a stream. */
  nextOrder(): number {
    return ++this.lastOrder;
  }

  close(): void {
    this.mergedReads.close();
    this.passages.close();
    for (const stream of this.streams.values()) {
      stream.finding?.close();
      stream.pull?.close();
      stream.forwards.close();
      stream.source.close();
    }
    this.streams.clear();
  }

  private open(vhost: Vhost, request: StreamRequest): LiveStream {
    const key = keyOf(vhost, request);
    const known = this.streams.get(key);
    if (known !== undefined) return known;
    if (this.streams.size >= maxStreams) throw new DolphinError("RTMP_STREAMS", `this process keeps ${maxStreams} streams already`);
    const source = new Source(
      { key, chunkSize: vhost.chunkSize, ...settingsOf(vhost, this.setup.isEdge) },
      {
        onWanted: () => this.wanted(stream),
        onUnwanted: () => this.unwanted(stream),
        onIdle: () => this.idle(stream),
        onLive: (_source, isLive) => this.watchers.tell(stream, isLive),
      },
    );
    const { destinations, traffic } = this;
    const forwards = new Forwards({ source, destinations, traffic, log: this.logOf(vhost, request) });
    const onUnpublished = (): void => {
      if (isWanted(stream)) this.wanted(stream);
    };
    const stream: LiveStream = newStream(this.nextOrder(), { source, vhost, request, forwards, onUnpublished });
    this.streams.set(key, stream);
    return stream;
  }

  /** The first viewer of a stream has come: an edge pulls, and an origin looks for what it has not. */
  private wanted(stream: LiveStream): void {
    const { vhost } = stream;
    if (stream.pull !== null) stream.pull.keep();
    else if (hasUpstreams(vhost)) {
      const from = { upstreams: this.upstreams.of(vhost.name), args: toOrigin(this.setup, vhost, stream.request) };
      stream.pull = this.pull(stream, { ...from, isOwnOrigin: this.setup.isEdge, mirror: null, isWhole: false });
    } else if (this.locator !== null && isLocated(vhost) && stream.finding === null && stream.publisher === null) {
      const locate = (signal: AbortSignal, isLost: boolean): Promise<Located> => this.locate(stream.vhost, stream.request, signal, isLost);
      stream.finding = new Finding({
        stream,
        locate,
        pull: (servers) => this.pullFrom(stream, servers),
        log: this.logOf(vhost, stream.request),
      });
    }
  }

  /** The last one has left. */
  private unwanted(stream: LiveStream): void {
    if (stream.pull !== null) stream.pull.release();
    else endFinding(stream);
  }

  /** Other boxes of the site have a stream that was looked for. */
  private pullFrom(stream: LiveStream, servers: readonly Endpoint[]): void {
    const { vhost, request, pull } = stream;
    const [upstreams, args] = [makeUpstreams(servers), toPeer(this.setup, vhost, request)];
    const onFrom = (from: string | null): void => this.locator?.tellReplica?.(nameOf(stream), from);
    if (pull !== null) pull.follow(upstreams, upstreamRequest(vhost, request), args);
    else stream.pull = this.pull(stream, { upstreams, args, isOwnOrigin: false, mirror: null, isWhole: false, onFrom });
  }

  private pull(
    stream: LiveStream,
    from: Pick<EdgePullOptions, "upstreams" | "args" | "isOwnOrigin" | "mirror" | "isWhole" | "onFrom">,
  ): EdgePull {
    const { source, vhost, request } = stream;
    return new EdgePull({
      ...from,
      source,
      // A mirrored process knows the stream as this one does.
      request: from.mirror === null ? upstreamRequest(vhost, request) : request,
      lingerMs: lingerMsOf(vhost, this.setup.config.dolphin.pullLingerMs, this.setup.isEdge),
      traffic: this.traffic,
      onAdrift: () => stream.finding?.again(),
      onEnd: () => {
        stream.pull = null;
        endFinding(stream);
        this.idle(stream);
      },
      log: this.logOf(vhost, request),
    });
  }

  /** Neither publisher nor viewer: the stream is forgotten, once its pull has lingered. */
  private idle(stream: LiveStream): void {
    const { source } = stream;
    if (stream.pull !== null || source.hasPublisher || source.consumers > 0) return;
    if (lingers(stream, () => this.idle(stream))) return;
    source.close();
    this.streams.delete(source.key);
  }

  /** A running stream under a new configuration: its clients are those that stay. */
  private adopt(stream: LiveStream): void {
    const { source } = stream;
    const vhost = this.setup.config.vhosts.find(({ name, enabled }) => enabled && name === stream.vhost.name);
    if (vhost !== undefined) {
      stream.vhost = vhost;
      source.adopt(settingsOf(vhost, this.setup.isEdge));
      if (source.isLive) this.watchers.tell(stream, true);
      forward(stream);
    }
    if (stream.pull?.isMirror === true) return; // it ends with the mirror, or its publisher goes on in it
    if (vhost !== undefined && hasUpstreams(vhost)) {
      const { pull, request } = stream;
      endFinding(stream);
      if (pull !== null) pull.follow(this.upstreams.of(vhost.name), upstreamRequest(vhost, request), toOrigin(this.setup, vhost, request));
      else if (isWanted(stream)) this.wanted(stream);
    } else if (vhost !== undefined && isLocated(vhost) && stream.finding !== null) stream.finding.again();
    else {
      endFinding(stream);
      endPull(stream);
      if (isWanted(stream)) this.wanted(stream);
    }
    this.idle(stream);
  }

  private publishHere(vhost: Vhost, request: StreamRequest, publisher: Publisher, saved: SavedSource | null): Publication {
    endSearch(this.streams.get(keyOf(vhost, request)));
    const stream = this.open(vhost, request);
    const { pull } = stream;
    stream.forwardArgs = toOther(this.setup, vhost, request);
    if (pull?.isMirror === true) {
      const settings = settingsOf(vhost, this.setup.isEdge);
      if (pull.isLive && saved !== null) return succeed(stream, pull, { publisher, saved, settings });
      if (!pull.isLive) this.endMirrorOf(stream, pull);
    }
    return publishInto(stream, publisher, saved);
  }

  private endMirrorOf(stream: LiveStream, pull: EdgePull): void {
    pull.close();
    stream.pull = null;
    stream.source.adopt(settingsOf(stream.vhost, this.setup.isEdge));
  }

  private logOf(vhost: Vhost, request: StreamRequest): Log {
    return this.log.child({ vhost: vhost.name, app: request.app, stream: request.stream });
  }
}
