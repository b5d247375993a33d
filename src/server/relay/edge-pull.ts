// An edge's one connection upstream for a stream: begun when the first viewer comes, ended some seconds after the last
// has left, and moved to the next origin when one fails, while viewers stay where they are. For them a foreign origin that is lost is
// the stream's end, and the next one is a splice. The box's own comes back as another process with the same clock: then the stream
// goes on as if nothing had been, without what it has had already.
//
//   idle ─(wanted)─▶ connecting ─▶ pulling ─(unwanted)─▶ lingering ─▶ closed
//                     ▲    │ failed: next origin at once, a pause after a whole pass
//                     └────┘
import { Deadline } from "../../base/deadline.js";
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import { tellSeen } from "../../codec/rtmp/clock.js";
import { controlEvent, messageType, type Message } from "../../codec/rtmp/message.js";
import { isSampleAccess } from "../../codec/rtmp/metadata.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { PacketType } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import { RtmpClient } from "../../wire/client.js";
import { countUpstreamFailure, type LostServer } from "../../ipc/tally.js";
import type { Traffic } from "../peers/traffic.js";
import { firstHoldMs, Outage } from "./outage.js";
import { Silence } from "./silence.js";
import {
  candidate,
  failed,
  isUnreachable,
  longestAbsenceMs,
  makePass,
  settledMs,
  silenceLimitMs,
  silenceTimeoutMs,
  works,
  type Pass,
  type Upstreams,
} from "./upstreams.js";

/** Somebody who comes to watch has a pause cut short that has lasted so long. */
const leastPauseMs = 1_000;
/** How long a publisher from the process before this one waits for the last packets that it has sent there. */
const mirrorOverMs = 1_000;

export interface EdgePullOptions {
  readonly source: Source;
  readonly upstreams: Upstreams;
  readonly request: StreamRequest;
  readonly args: AmfObject | null;
  /** Whether upstream is the box's own origin: it says when a stream ends, and is watched by the master. */
  readonly isOwnOrigin: boolean;
  readonly lingerMs: number;
  /**
   * Upstream is the process whose place this one takes: when its stream or the connection ends, the publisher is on its way here.
   * `onLive`: packets flow. Null: an ordinary pull.
   */
  readonly mirror: { onLive(): void } | null;
  /** All that is kept of the stream upstream is asked for, for those who package it here. */
  readonly isWhole: boolean;
  /** The stream is lost, or has ended upstream: whoever has found it there may look for it elsewhere. */
  readonly onAdrift?: () => void;
  /** It brings the stream from this server, or is about to for the first time; null: no more. */
  readonly onFrom?: (from: string | null) => void;
  /** Counts what is received, and what fails. */
  readonly traffic: Traffic;
  /** The pull has lingered long enough and is over. */
  readonly onEnd: () => void;
  readonly log: Log;
}

/** The pull of one source. `close` ends it for good. */
export class EdgePull {
  private options: EdgePullOptions;
  private pass: Pass;
  private client: RtmpClient | null = null;
  /** A pause before the next try, or the end of what comes to a mirror. */
  private readonly deadline = new Deadline();
  /** The watch over a foreign origin; the box's own is looked after by the master. */
  private readonly silence = new Silence();
  private readonly linger = new Deadline();
  /** Until when the box's own origin may be away. */
  private readonly absence = new Deadline();
  private isPublishing = false;
  /** The clock of the stream as the box's own origin has told it; 0: it has not. */
  private clockId = 0;
  /** Whether the present connection goes on with the stream of the one before. */
  private isResuming = false;
  /** Messages to come that were sent before the stream's start. */
  private historyLeft = 0;
  private isClosed = false;
  private countedBytes = 0;
  private readonly outage: Outage;
  /** When the present connection was begun, and when it brought the stream (ms); 0: it has not. */
  private triedAtMs = 0;
  private liveAtMs = 0;
  private isPausing = false;
  /** The server that the stream is told to come from; null: none. */
  private toldFrom: string | null = null;
  /** How often in a row a connection has brought nothing. */
  private silences = 0;
  /** Of a mirror: nothing more comes from upstream, and who waits for that. */
  private isOver = false;
  private whenOver: () => void = () => undefined;

  constructor(options: EdgePullOptions) {
    this.options = options;
    this.pass = makePass(options.upstreams);
    this.outage = new Outage("pull.lost", options.log, options.isOwnOrigin ? 0 : firstHoldMs);
    this.tellFrom(this.from);
    this.connect();
  }

  /** The server that was lost, or could not be reached, and is tried again; null: it works. */
  get lostServer(): LostServer | null {
    return this.outage.lostServer;
  }

  /** The upstream that it pulls from, for people. */
  get from(): string {
    return formatEndpoint(this.client?.endpoint ?? candidate(this.pass));
  }

  /** Those that it may pull from. */
  get servers(): readonly Endpoint[] {
    return this.options.upstreams.endpoints;
  }

  /** Somebody watches (again). */
  keep(): void {
    this.linger.clear();
  }

  /** Somebody comes who shall not wait for the end of a pause. */
  hurry(): void {
    if (this.isPausing && Date.now() - this.triedAtMs >= leastPauseMs) this.again();
  }

  /** Nobody watches any more: it goes on for a moment, for viewers come back and reload. */
  release(): void {
    if (this.isClosed) return;
    this.linger.ensure(this.options.lingerMs, () => {
      this.close();
      this.options.onEnd();
    });
  }

  /** Goes by another list of origins: it stays at its own while that is listed and the stream has the same name there. */
  follow(upstreams: Upstreams, request: StreamRequest, args: AmfObject | null): void {
    const isSameName = request.vhost === this.options.request.vhost;
    const before = formatEndpoint(candidate(this.pass));
    const index = upstreams.endpoints.findIndex((endpoint) => formatEndpoint(endpoint) === before);
    const { isPausing } = this;
    this.endPause();
    this.options = { ...this.options, upstreams, request, args };
    this.pass = makePass(upstreams);
    if (isSameName && index >= 0) {
      this.pass.index = index;
      if (isPausing) this.again();
      return;
    }
    this.disconnect("the configuration names other origins");
    this.connect();
  }

  /** Whether packets have come and the source is this pull's. */
  get isLive(): boolean {
    return this.isPublishing;
  }

  get isMirror(): boolean {
    return this.options.mirror !== null;
  }

  /** Calls back later, when all that the process before this one had of the stream has come, or has not within a moment. Of a mirror only. */
  onOver(run: () => void): void {
    this.whenOver = run;
    if (this.isOver) setImmediate(() => this.over());
    else this.deadline.set(mirrorOverMs, () => this.over());
  }

  /** Leaves the source as it is to a publisher who goes on in it. */
  cede(): void {
    this.isPublishing = false;
    this.close();
  }

  close(): void {
    this.isClosed = true;
    this.keep();
    this.outage.close();
    this.disconnect("nobody watches");
  }

  private disconnect(why: string): void {
    this.deadline.clear();
    this.silence.close();
    this.endPause();
    const { client } = this;
    this.client = null;
    client?.close(new DolphinError("RELAY_CLOSED", why));
    this.unpublish();
    this.tellFrom(null);
  }

  private connect(): void {
    const { source, request, args, isOwnOrigin, log } = this.options;
    this.historyLeft = 0;
    this.isResuming = false;
    this.countedBytes = 0;
    this.triedAtMs = Date.now();
    this.liveAtMs = 0;
    const client: RtmpClient = new RtmpClient(
      // Another origin goes on behind what viewers have had from the one before.
      { endpoint: candidate(this.pass), request, purpose: "play", args: isOwnOrigin ? { ...args, ...tellSeen(source.seenMs) } : args },
      {
        onStarted: () => {
          client.lendTo((held) => source.hold(held));
          this.watch();
        },
        onMessage: (message) => this.receive(message),
        onStreamEnd: () => this.ended(),
        onRedirected: () => this.redirected(),
        onDrain: () => {},
        onClosed: (reason) => {
          if (this.client === client) this.lost(reason);
        },
      },
    );
    this.client = client;
    log.debug({ event: "pull.connecting", upstream: this.from });
  }

  private receive(message: Message): void {
    switch (message.type) {
      case messageType.audio:
      case messageType.video:
      case messageType.data:
        if (message.type === messageType.data && isSampleAccess(message.payload)) return;
        if (!this.isPublishing) this.publish();
        this.silence.heard();
        this.countBytes();
        this.take(message.type, message);
        return;
      case messageType.userControl:
        this.noticed(message.payload);
        return;
      default:
    }
  }

  /** What came before the stream's start is for positions alone, unless viewers were in the stream already and lack some of it. */
  private take(type: PacketType, { timestamp, payload }: Message): void {
    const { source } = this.options;
    const isHistory = this.historyLeft > 0;
    if (isHistory) this.historyLeft -= 1;
    if (isHistory && !this.isResuming && !this.options.isWhole) source.remember(type, timestamp, payload);
    else source.push(type, timestamp, payload);
  }

  private noticed(payload: Buffer): void {
    if (!this.options.isOwnOrigin || payload.length < 6) return;
    const event = payload.readUInt16BE(0);
    if (event === controlEvent.clock) this.meetClock(payload.readUInt32BE(2));
    if (event === controlEvent.history) this.historyLeft = payload.readUInt32BE(2);
  }

  /** The stream is elsewhere; the next connection begins again with an origin that the configuration names. */
  private redirected(): void {
    this.silence.close();
    this.unpublish();
    this.options.log.info({ event: "pull.redirected", upstream: formatEndpoint(candidate(this.pass)), next: this.from });
  }

  /** The stream has ended upstream: who comes now is given nothing of it. */
  private ended(): void {
    if (this.isMirror) this.over();
    else this.unpublish();
    this.tellFrom(null);
    this.options.onAdrift?.();
  }

  /** The origin tells by which clock it goes: a stream of the one that is known has not ended, whichever process has it now. */
  private meetClock(id: number): void {
    this.absence.clear();
    if (id !== this.clockId) this.unpublish();
    this.clockId = id;
    this.isResuming = this.isPublishing;
    if (!this.isResuming) return;
    this.isLiveNow();
    this.options.source.expectRepeats();
    this.outage.back({ event: "pull.resumed", upstream: this.from });
  }

  private publish(): void {
    this.options.source.publish(this);
    if (this.isMirror && this.clockId !== 0) this.options.source.clockId = this.clockId; // it is the same stream
    this.isPublishing = true;
    this.isLiveNow();
    this.outage.back({ event: "pull.started", upstream: this.from });
    this.options.mirror?.onLive();
  }

  private isLiveNow(): void {
    this.liveAtMs = Date.now();
    this.silences = 0;
    works(this.pass);
    this.tellFrom(this.from);
  }

  private over(): void {
    this.isOver = true;
    this.deadline.clear();
    const run = this.whenOver;
    this.whenOver = () => undefined;
    run();
  }

  private unpublish(): void {
    this.absence.clear();
    if (!this.isPublishing) return;
    this.isPublishing = false;
    this.options.source.unpublish(this);
  }

  private lost(reason: DolphinError): void {
    const upstream = this.from;
    this.client = null;
    this.deadline.clear();
    this.silence.close();
    if (this.isMirror) {
      this.over();
      return;
    }
    if (this.options.isOwnOrigin) this.absence.ensure(longestAbsenceMs, () => this.unpublish());
    else this.unpublish();
    if (this.liveAtMs > 0 && Date.now() - this.liveAtMs >= settledMs) this.pass.failures = 0;
    this.silences = reason.code === "RELAY_SILENT" ? this.silences + 1 : 0;
    countUpstreamFailure(this.options.traffic.tally, upstream, reason.code);
    const pauseMs = failed(this.pass, reason.code);
    this.outage.lost(reason, { upstream, next: this.from, pauseMs });
    this.tellFrom(null);
    this.options.onAdrift?.();
    if (pauseMs === 0) {
      this.connect();
      return;
    }
    this.isPausing = true;
    if (isUnreachable(reason.code)) this.pass.upstreams.waiting.add(this.again);
    this.deadline.set(pauseMs, this.again);
  }

  private tellFrom(from: string | null): void {
    if (from === this.toldFrom) return;
    this.toldFrom = from;
    this.options.onFrom?.(from);
  }

  private readonly again = (): void => {
    this.endPause();
    this.deadline.clear();
    this.connect();
  };

  private endPause(): void {
    this.isPausing = false;
    this.pass.upstreams.waiting.delete(this.again);
  }

  private watch(): void {
    if (this.options.isOwnOrigin) return;
    this.silence.watch(
      () => (this.liveAtMs > 0 ? silenceTimeoutMs : silenceLimitMs(this.pass.upstreams, this.silences)),
      (limitMs) => this.client?.close(new DolphinError("RELAY_SILENT", `${this.from} sent no media for ${limitMs} ms`)),
    );
  }

  private countBytes(): void {
    const bytes = this.client?.bytesIn ?? this.countedBytes;
    const { traffic, isOwnOrigin } = this.options;
    traffic.bytesIn += bytes - this.countedBytes;
    if (isOwnOrigin) traffic.innerBytesIn += bytes - this.countedBytes;
    this.countedBytes = bytes;
  }
}
