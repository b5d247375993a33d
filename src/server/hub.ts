// Where sessions meet streams: finds the vhost, opens sources, and decides by the vhost's mode what playing and
// publishing mean. It owns every source and every relay of the process, and no socket.
//
//            mode local (origin)                    mode remote (edge)
//   play     a seat in the source                   the same, and the first seat starts a pull
//   publish  into the source, and forwards start    an edge push: on to the origin, nothing kept
import { DolphinError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { signature } from "../base/version.js";
import { forPlayers } from "../codec/rtmp/metadata.js";
import { messageType, type Message } from "../codec/rtmp/message.js";
import { resolveStream, type StreamRequest } from "../codec/rtmp/url.js";
import type { Vhost } from "../conf/config.js";
import type { ServerSetup, StreamReport } from "../ipc/messages.js";
import { Source, type SourceOptions } from "../stream/source.js";
import { MergedReads } from "./merged-read.js";
import type { Publication, Publisher } from "./publication.js";
import { EdgePull } from "./relay/edge-pull.js";
import { EdgePush } from "./relay/edge-push.js";
import { Forward } from "./relay/forward.js";
import { makePass, makeUpstreams, type Upstreams } from "./relay/upstreams.js";
import { upnodeArgs } from "./rtmp/client.js";
import { noTraffic } from "./traffic.js";

/** Streams that one process keeps at once: random names must not fill the memory. */
export const maxStreams = 100_000;

const defaultVhost = "__defaultVhost__";

/** What the hub keeps beside a source. */
interface Stream {
  readonly source: Source;
  readonly vhost: Vhost;
  /** As it was asked for first; its parameters go upstream with the pull. */
  readonly request: StreamRequest;
  pull: EdgePull | null;
  forwards: readonly Forward[];
  /** The address of who publishes here; empty without a publisher. */
  publisher: string;
}

/** The streams and relays of one process. `close` ends the relays. */
export class Hub {
  readonly setup: ServerSetup;
  readonly traffic = noTraffic();
  /** The publishers of this process, read in step. */
  readonly mergedReads = new MergedReads();
  private readonly log: Log;
  private readonly streams = new Map<string, Stream>();
  private readonly pushes = new Map<string, { readonly push: Publication; readonly peer: string; readonly request: StreamRequest }>();
  private readonly upstreams = new Map<string, Upstreams>();

  constructor(setup: ServerSetup, log: Log) {
    this.setup = setup;
    this.log = log;
    for (const { name, cluster } of setup.config.vhosts) this.upstreams.set(name, makeUpstreams(cluster.origins));
  }

  /** The vhost that serves this name: its own, or the default one. Throws RTMP_VHOST when there is none or it is disabled. */
  vhost(name: string): Vhost {
    const { vhosts } = this.setup.config;
    const vhost = vhosts.find((one) => one.name === name) ?? vhosts.find((one) => one.name === defaultVhost);
    if (vhost === undefined || !vhost.enabled) throw new DolphinError("RTMP_VHOST", `no vhost serves the name ${name}`);
    return vhost;
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

  /** The source of a stream for somebody who is about to take a seat in it, and takes it before doing anything else. */
  source(vhost: Vhost, request: StreamRequest): Source {
    return this.open(vhost, request).source;
  }

  /** Begins to publish. The publisher is told when it may send. Throws RTMP_BUSY while another publishes the stream. */
  publish(vhost: Vhost, request: StreamRequest, publisher: Publisher): Publication {
    return vhost.cluster.mode === "remote" ? this.push(vhost, request, publisher) : this.publishHere(vhost, request, publisher);
  }

  /** Every stream that this process knows, for `dolphin status`. */
  report(): StreamReport[] {
    const reports = [...this.streams.values()].map(reportOf);
    for (const { peer, request } of this.pushes.values()) {
      const { vhost, app, stream } = request;
      reports.push({ vhost, app, stream, state: "push", from: peer, players: 0, edges: 0, video: "", audio: "", bytesIn: 0 });
    }
    return reports;
  }

  close(): void {
    this.mergedReads.close();
    for (const { push } of this.pushes.values()) push.close();
    for (const stream of this.streams.values()) {
      stream.pull?.close();
      for (const forward of stream.forwards) forward.close();
      stream.source.close();
    }
    this.streams.clear();
  }

  private open(vhost: Vhost, request: StreamRequest): Stream {
    const key = keyOf(vhost, request);
    const known = this.streams.get(key);
    if (known !== undefined) return known;
    const { play } = vhost;
    if (this.streams.size >= maxStreams) throw new DolphinError("RTMP_STREAMS", `this process keeps ${maxStreams} streams already`);
    const source = new Source(
      {
        key,
        timeline: this.timelineOf(vhost),
        chunkSize: vhost.chunkSize,
        delayMs: vhost.minLatency ? 0 : play.mwLatencyMs,
        queueLengthMs: play.queueLengthMs,
        reduceSequenceHeader: play.reduceSequenceHeader,
        gopCache: play.gopCache,
        gopCacheMaxFrames: play.gopCacheMaxFrames,
      },
      {
        onWanted: () => this.wanted(stream),
        onUnwanted: () => stream.pull?.release(),
        onIdle: () => this.idle(stream),
      },
    );
    const stream: Stream = { source, vhost, request, pull: null, forwards: [], publisher: "" };
    this.streams.set(key, stream);
    return stream;
  }

  private timelineOf({ play, cluster }: Vhost): SourceOptions["timeline"] {
    if (play.atc || play.timeJitter === "off") return "off";
    if (cluster.mode === "local") return play.timeJitter;
    return this.setup.isEdge ? "follow" : "adopt";
  }

  /** The first viewer of a stream has come: an edge pulls. */
  private wanted(stream: Stream): void {
    const { source, vhost, request } = stream;
    if (vhost.cluster.mode !== "remote") return;
    if (stream.pull !== null) {
      stream.pull.keep();
      return;
    }
    stream.pull = new EdgePull({
      source,
      upstreams: this.upstreams.get(vhost.name)!,
      request: upstreamRequest(vhost, request),
      args: this.args(vhost),
      isOwnOrigin: this.setup.isEdge,
      lingerMs: this.setup.config.dolphin.pullLingerMs,
      onBytes: (bytes) => void (this.traffic.bytesIn += bytes),
      onEnd: () => {
        stream.pull = null;
        this.idle(stream);
      },
      log: this.logOf(vhost, request),
    });
  }

  /** Neither publisher nor viewer: the stream is forgotten, once its pull has lingered. */
  private idle(stream: Stream): void {
    const { source } = stream;
    if (stream.pull !== null || source.hasPublisher || source.consumers > 0) return;
    source.close();
    this.streams.delete(source.key);
  }

  private publishHere(vhost: Vhost, request: StreamRequest, publisher: Publisher): Publication {
    const stream = this.open(vhost, request);
    const { source } = stream;
    source.publish(publisher);
    stream.publisher = publisher.peer;
    const log = this.logOf(vhost, request);
    const { enabled, destinations } = vhost.forward;
    const { name } = this.setup;
    if (enabled)
      stream.forwards = destinations.map(
        (endpoint) => new Forward({ source, endpoint, request: upstreamRequest(vhost, request), name, traffic: this.traffic, log }),
      );
    publisher.onStarted();
    return {
      push: (message) => pushInto(source, message),
      close: () => {
        for (const forward of stream.forwards) forward.close();
        stream.forwards = [];
        stream.publisher = "";
        source.unpublish(publisher);
      },
    };
  }

  private push(vhost: Vhost, request: StreamRequest, publisher: Publisher): Publication {
    const key = keyOf(vhost, request);
    if (this.pushes.has(key)) throw new DolphinError("RTMP_BUSY", `${key} is being published already`);
    const push = new EdgePush({
      pass: makePass(this.upstreams.get(vhost.name)!),
      request: upstreamRequest(vhost, request),
      args: this.args(vhost),
      publisher,
      traffic: this.traffic,
      onEnd: () => void this.pushes.delete(key),
      log: this.logOf(vhost, request),
    });
    this.pushes.set(key, { push, peer: publisher.peer, request: { ...request, vhost: vhost.name } });
    return push;
  }

  private args(vhost: Vhost): ReturnType<typeof upnodeArgs> | null {
    if (this.setup.isEdge) return upnodeArgs(this.setup.name, this.setup.edgeKey);
    return vhost.cluster.debugSrsUpnode ? upnodeArgs(this.setup.name, "") : null;
  }

  private logOf(vhost: Vhost, request: StreamRequest): Log {
    return this.log.child({ vhost: vhost.name, app: request.app, stream: request.stream });
  }
}

function keyOf(vhost: Vhost, request: StreamRequest): string {
  return `${vhost.name}/${request.app}/${request.stream}`;
}

/** What is asked for upstream: `cluster.vhost` may give the vhost another name there. */
function upstreamRequest(vhost: Vhost, request: StreamRequest): StreamRequest {
  return { ...request, vhost: vhost.cluster.vhost.replaceAll("[vhost]", vhost.name) };
}

function pushInto(source: Source, { type, timestamp, payload }: Message): void {
  if (type === messageType.audio || type === messageType.video) source.push(type, timestamp, payload);
  else if (type === messageType.data) source.push(type, timestamp, forPlayers(payload, signature));
}

function reportOf({ source, vhost, request, pull, publisher }: Stream): StreamReport {
  const edges = source.count("prompt");
  return {
    vhost: vhost.name,
    app: request.app,
    stream: request.stream,
    state: publisher !== "" ? "publish" : pull !== null ? "pull" : "wait",
    from: publisher !== "" ? publisher : (pull?.from ?? ""),
    players: source.consumers - edges,
    edges,
    video: source.video,
    audio: source.audio,
    bytesIn: source.bytesIn,
  };
}
