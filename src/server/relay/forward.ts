// A copy of a stream to another server, from its publish to its end, whatever becomes of that server meanwhile.
import { Deadline } from "../../base/deadline.js";
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { withSetDataFrame } from "../../codec/rtmp/metadata.js";
import { mediaStreamId, messageType } from "../../codec/rtmp/message.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import { RtmpClient, upnodeArgs } from "./client.js";
import type { Traffic } from "../peers/traffic.js";
import { maxOutletBytes, Outlet } from "./outlet.js";

const retryMs = 3_000;

export interface ForwardOptions {
  readonly source: Source;
  readonly endpoint: Endpoint;
  readonly request: StreamRequest;
  readonly name: string;
  readonly traffic: Traffic;
  readonly log: Log;
}

/** One destination of one stream. `close` ends it when the publisher leaves. */
export class Forward {
  private readonly options: ForwardOptions;
  private readonly outlet: Outlet;
  private client: RtmpClient | null = null;
  private readonly retry = new Deadline();
  private untap: (() => void) | null = null;
  private limitBytes = maxOutletBytes;

  constructor(options: ForwardOptions) {
    this.options = options;
    this.outlet = new Outlet(options.traffic);
    this.connect();
  }

  close(): void {
    this.retry.clear();
    const { client } = this;
    this.client = null;
    this.stop();
    client?.close(new DolphinError("RELAY_CLOSED", "the publisher left"));
  }

  private connect(): void {
    const { endpoint, request, name, log } = this.options;
    const client = new RtmpClient(
      { endpoint, request, purpose: "publish", args: upnodeArgs(name, "") },
      {
        onStarted: () => this.start(client),
        onMessage: () => {},
        onDrain: () => {},
        onClosed: (reason) => {
          if (this.client !== client) return;
          this.outlet.connect(null);
          this.stop();
          log.warn({ event: "forward.lost", code: reason.code, upstream: this.upstream, pauseMs: retryMs }, reason.message);
          this.retry.set(retryMs, () => this.connect());
        },
      },
    );
    this.client = client;
  }

  /** Begins as a player does: headers and the packets since the last key frame first. */
  private start(client: RtmpClient): void {
    const { source, log } = this.options;
    log.info({ event: "forward.started", upstream: this.upstream });
    this.outlet.connect(client);
    this.limitBytes = Infinity; // what it starts with is as large as the cache; the limit is for what piles up later
    this.untap = source.tap((packet) => this.push(packet));
    this.limitBytes = maxOutletBytes + this.outlet.backlogBytes;
  }

  private push(packet: Packet): void {
    const { type, timestamp, payload } = packet;
    const body = type === messageType.data ? withSetDataFrame(payload) : payload;
    this.outlet.push({ type, timestamp, payload: body, streamId: mediaStreamId });
    if (this.outlet.backlogBytes <= this.limitBytes) return;
    this.client?.close(new DolphinError("RTMP_SLOW", `${this.upstream} takes the stream slower than it comes`));
  }

  private stop(): void {
    this.untap?.();
    this.untap = null;
    this.outlet.close();
  }

  private get upstream(): string {
    return formatEndpoint(this.options.endpoint);
  }
}
