// A publisher on an edge: every message goes on to the origin. The publisher is told to start when an origin has accepted, and stays
// when that one is lost: messages wait meanwhile. A foreign one is replaced by the next of the list (reprise.ts); when none of them
// takes the stream, that is the publisher's end. The box's own comes back as another process, and the stream goes on there as the
// replay remembers it (replay.ts).
import { Deadline } from "../../base/deadline.js";
import { DolphinError, type ErrorCode } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import { askForClock, toldClock } from "../../codec/rtmp/clock.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { busyRetries, busyRetryMs, type Publication, type Publisher } from "../peers/publication.js";
import { RtmpClient } from "../../wire/client.js";
import { countUpstreamFailure, type LostServer } from "../../ipc/tally.js";
import type { Traffic } from "../peers/traffic.js";
import { Outage } from "./outage.js";
import { maxOutletBytes, Outlet } from "./outlet.js";
import { Reprise } from "./reprise.js";
import type { Replay } from "./replay.js";
import { candidate, failed, isExhausted, longestAbsenceMs, succeeded, type Pass } from "./upstreams.js";

/** A connection that is lost so soon was perhaps lost of what it was sent. */
const quickLossMs = 1000;
/** An origin that dies of somebody's media must not do so for ever. */
const maxQuickLosses = 3;

export interface EdgePushOptions {
  readonly pass: Pass;
  readonly request: StreamRequest;
  readonly args: AmfObject | null;
  readonly publisher: Publisher;
  readonly traffic: Traffic;
  /** What it goes on with at the box's own origin; null: upstream is foreign. */
  readonly replay: Replay | null;
  /** Called once, when the push is over for whatever reason. */
  readonly onEnd: () => void;
  readonly log: Log;
}

/** One publisher's way to the origin. */
export class EdgePush implements Publication {
  private readonly options: EdgePushOptions;
  private readonly outlet: Outlet;
  private client: RtmpClient;
  private isStarted = false;
  private isClosed = false;
  private isPaused = false;
  /** Whether the present connection has accepted, and whether it was sent something. */
  private isAccepted = false;
  private hasSent = false;
  private readonly reprise = new Reprise();
  private readonly retry = new Deadline();
  private busyRetriesLeft = busyRetries;
  /** When the present connection was accepted, or the last one (ms); 0: none was. */
  private startedAtMs = 0;
  /** Since when there is none (ms); 0: there is one, or there was none yet. */
  private lostAtMs = 0;
  /** How often in a row it was lost at once. */
  private quickLosses = 0;
  private readonly outage: Outage;

  constructor(options: EdgePushOptions) {
    this.options = options;
    this.outlet = new Outlet(options.traffic);
    this.outage = new Outage("push.lost", options.log, 0);
    this.client = this.connect();
  }

  /** The server that was lost, or could not be reached, and is tried again; null: it works. */
  get lostServer(): LostServer | null {
    return this.outage.lostServer;
  }

  /** Whether it goes to one of these origins, under this name. */
  isFor(origins: readonly Endpoint[], { vhost }: StreamRequest): boolean {
    const at = formatEndpoint(candidate(this.options.pass));
    return vhost === this.options.request.vhost && origins.some((origin) => formatEndpoint(origin) === at);
  }

  push(message: Message): void {
    this.outlet.push(message);
    this.hasSent ||= this.isAccepted;
    if (this.outlet.backlogBytes <= maxOutletBytes) return;
    if (!this.isStarted) {
      this.end(new DolphinError("RTMP_MEMORY", `it sent more than ${maxOutletBytes} bytes before it was told to start`));
    } else if (!this.isPaused) {
      this.isPaused = true;
      this.options.publisher.pause();
    }
  }

  /** The way to the origin ends here: its connection is this process's. */
  save(): null {
    return null;
  }

  isWatched(): boolean {
    return true;
  }

  /** What is on its way is known here, but not what the replay remembers and the socket has not taken. */
  hold(): boolean {
    return false;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.retry.clear();
    this.outage.close();
    this.outlet.close();
    this.client.close(new DolphinError("RELAY_CLOSED", "the publisher left"));
    this.options.onEnd();
  }

  private connect(): RtmpClient {
    const { pass, request, args, replay } = this.options;
    const introduction = replay === null ? args : { ...args, ...askForClock(replay.clockId) };
    return new RtmpClient(
      { endpoint: candidate(pass), request, purpose: "publish", args: introduction },
      {
        onStarted: (information) => this.started(information),
        onMessage: () => {},
        onStreamEnd: () => {},
        onRedirected: () => this.redirected(),
        onDrain: () => this.drained(),
        onClosed: (reason) => this.lost(reason),
      },
    );
  }

  private started(information: AmfObject | null): void {
    const { pass, replay, publisher } = this.options;
    succeeded(pass);
    this.isAccepted = true;
    this.hasSent ||= this.outlet.backlogBytes > 0;
    if (replay === null) this.reprise.begin(this.client);
    else replay.begin(this.client, toldClock(information));
    this.outlet.connect(replay ?? this.reprise);
    if (this.lostAtMs > 0) this.outage.back({ event: "push.resumed", upstream: formatEndpoint(this.client.endpoint) });
    this.startedAtMs = Date.now();
    this.lostAtMs = 0;
    this.busyRetriesLeft = busyRetries;
    if (this.isStarted) return;
    this.isStarted = true;
    publisher.onStarted(null);
  }

  private redirected(): void {
    const { pass, log } = this.options;
    this.outlet.connect(null);
    this.isAccepted = false;
    this.hasSent = false;
    log.info({ event: "push.redirected", upstream: formatEndpoint(candidate(pass)), next: formatEndpoint(this.client.endpoint) });
  }

  private drained(): void {
    if (!this.isPaused || this.outlet.backlogBytes > maxOutletBytes) return;
    this.isPaused = false;
    this.options.publisher.resume();
  }

  private lost(reason: DolphinError): void {
    if (this.isClosed) return;
    const { pass, log } = this.options;
    this.outlet.connect(null);
    if (reason.code === "RTMP_BUSY" && this.busyRetriesLeft > 0) {
      this.busyRetriesLeft -= 1; // its publisher may have left a moment ago, at another edge
      this.retry.set(busyRetryMs, () => (this.client = this.connect()));
      return;
    }
    const upstream = formatEndpoint(this.client.endpoint);
    const wasFlowing = this.hasSent;
    if (this.isAccepted) this.noteLoss();
    this.isAccepted = false;
    this.hasSent = false;
    countUpstreamFailure(this.options.traffic.tally, upstream, reason.code);
    const pauseMs = failed(pass, reason.code);
    if (!this.mayGoOn(reason, wasFlowing)) {
      this.end(reason);
      return;
    }
    const line = { upstream, next: formatEndpoint(candidate(pass)), pauseMs };
    if (wasFlowing || this.options.replay !== null) this.outage.lost(reason, line);
    else log.warn({ event: "push.retried", code: reason.code, ...line }, reason.message);
    this.drained(); // what waited in the connection is gone with it
    if (pauseMs === 0) this.client = this.connect();
    else this.retry.set(pauseMs, () => (this.client = this.connect()));
  }

  private noteLoss(): void {
    const now = Date.now();
    this.lostAtMs = now;
    this.quickLosses = now - this.startedAtMs < quickLossMs ? this.quickLosses + 1 : 0;
  }

  /** Whether the box's own origin is worth waiting for, or another one to be asked. */
  private mayGoOn({ code }: DolphinError, wasFlowing: boolean): boolean {
    const { pass, replay } = this.options;
    if (this.quickLosses >= maxQuickLosses) return false;
    if (replay !== null && isLoss(code)) {
      if (this.lostAtMs === 0) this.lostAtMs = Date.now();
      return Date.now() - this.lostAtMs < longestAbsenceMs;
    }
    return code !== "RTMP_BUSY" && !(wasFlowing && !isLoss(code)) && !isExhausted(pass);
  }

  private end(reason: DolphinError): void {
    this.close();
    // To its publisher a loop is a refusal like any other.
    const told = reason.code === "RELAY_LOOP" ? new DolphinError("RELAY_REFUSED", reason.message, { cause: reason }) : reason;
    this.options.publisher.onEnded(told);
  }
}

/** Whether a connection ended, or could not be made, for no reason of the publisher's. */
function isLoss(code: ErrorCode): boolean {
  return code === "RELAY_CONNECT" || code === "RELAY_TIMEOUT" || code === "RELAY_CLOSED";
}
