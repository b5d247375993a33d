// A publisher on an edge: every message goes on to the origin unchanged, and nothing is kept. The publisher is told to
// start when an origin has accepted; until media has flowed another origin is tried in the same session.
import { Deadline } from "../../base/deadline.js";
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/config.js";
import { formatEndpoint } from "../../conf/endpoint.js";
import { busyRetryMs, type Publication, type Publisher } from "../publication.js";
import { RtmpClient } from "../rtmp/client.js";
import type { Traffic } from "../traffic.js";
import { maxOutletBytes, Outlet } from "./outlet.js";
import { candidate, failed, isExhausted, succeeded, type Pass } from "./upstreams.js";

export interface EdgePushOptions {
  readonly pass: Pass;
  readonly request: StreamRequest;
  readonly args: AmfObject | null;
  readonly publisher: Publisher;
  readonly traffic: Traffic;
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
  private hasSent = false;
  private readonly retry = new Deadline();
  private wasBusy = false;

  constructor(options: EdgePushOptions) {
    this.options = options;
    this.outlet = new Outlet(options.traffic);
    this.client = this.connect();
  }

  /** Whether it goes to one of these origins, under this name. */
  isFor(origins: readonly Endpoint[], { vhost }: StreamRequest): boolean {
    const at = formatEndpoint(candidate(this.options.pass));
    return vhost === this.options.request.vhost && origins.some((origin) => formatEndpoint(origin) === at);
  }

  push(message: Message): void {
    this.outlet.push(message);
    this.hasSent ||= this.isStarted;
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

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.retry.clear();
    this.outlet.close();
    this.client.close(new DolphinError("RELAY_CLOSED", "the publisher left"));
    this.options.onEnd();
  }

  private connect(): RtmpClient {
    const { pass, request, args } = this.options;
    return new RtmpClient(
      { endpoint: candidate(pass), request, purpose: "publish", args },
      {
        onStarted: () => this.started(),
        onMessage: () => {},
        onDrain: () => this.drained(),
        onClosed: (reason) => this.lost(reason),
      },
    );
  }

  private started(): void {
    succeeded(this.options.pass);
    this.hasSent ||= this.outlet.backlogBytes > 0;
    this.outlet.connect(this.client);
    if (this.isStarted) return;
    this.isStarted = true;
    this.options.publisher.onStarted();
  }

  private drained(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.options.publisher.resume();
  }

  private lost(reason: DolphinError): void {
    if (this.isClosed) return;
    const { pass, log } = this.options;
    this.outlet.connect(null);
    if (reason.code === "RTMP_BUSY" && !this.wasBusy) {
      this.wasBusy = true; // its publisher may have left a moment ago, at another edge
      this.retry.set(busyRetryMs, () => (this.client = this.connect()));
      return;
    }
    failed(pass, reason.code);
    if (this.hasSent || reason.code === "RTMP_BUSY" || isExhausted(pass)) {
      this.end(reason);
      return;
    }
    log.warn({ event: "push.retried", code: reason.code, upstream: formatEndpoint(candidate(pass)) }, reason.message);
    this.client = this.connect();
  }

  private end(reason: DolphinError): void {
    this.close();
    this.options.publisher.onEnded(reason);
  }
}
