// A copy of a stream to another server, from its publish to its end, whatever becomes of that server meanwhile.
import { Deadline } from "../../base/deadline.js";
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import { withSetDataFrame } from "../../codec/rtmp/metadata.js";
import { mediaStreamId, messageType } from "../../codec/rtmp/message.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { sentTime, type Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import { RtmpClient } from "../../wire/client.js";
import { countUpstreamFailure, type LostServer } from "../../ipc/tally.js";
import type { Traffic } from "../peers/traffic.js";
import { Outage } from "./outage.js";
import { maxOutletBytes, Outlet } from "./outlet.js";
import { candidate, failed, isUnreachable, makePass, settledMs, works, type Pass, type Upstreams } from "./upstreams.js";

export interface ForwardOptions {
  readonly source: Source;
  /** The destination, and what other forwards have learned of it. */
  readonly upstreams: Upstreams;
  readonly request: StreamRequest;
  readonly args: AmfObject;
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
  private readonly pass: Pass;
  private readonly outage: Outage;
  /** When the present connection was accepted (ms); 0: it is not yet. */
  private startedAtMs = 0;

  constructor(options: ForwardOptions) {
    this.options = options;
    this.outlet = new Outlet(options.traffic);
    this.pass = makePass(options.upstreams);
    this.outage = new Outage("forward.lost", options.log);
    this.connect();
  }

  /** The server that was lost, or could not be reached, and is tried again; null: it works. */
  get lostServer(): LostServer | null {
    return this.outage.lostServer;
  }

  close(): void {
    this.retry.clear();
    this.options.upstreams.waiting.delete(this.again);
    this.outage.close();
    const { client } = this;
    this.client = null;
    this.stop();
    client?.close(new DolphinError("RELAY_CLOSED", "the publisher left"));
  }

  private connect(): void {
    const { request, args } = this.options;
    this.startedAtMs = 0;
    const client = new RtmpClient(
      { endpoint: candidate(this.pass), request, purpose: "publish", args },
      {
        onStarted: () => this.start(client),
        onMessage: () => {},
        onStreamEnd: () => {},
        onRedirected: () => this.redirected(client),
        onDrain: () => {},
        onClosed: (reason) => {
          if (this.client === client) this.lost(reason);
        },
      },
    );
    this.client = client;
  }

  private lost(reason: DolphinError): void {
    const { upstreams } = this.options;
    this.client = null;
    this.outlet.connect(null);
    this.stop();
    if (this.startedAtMs > 0 && Date.now() - this.startedAtMs >= settledMs) this.pass.failures = 0;
    countUpstreamFailure(this.options.traffic.tally, this.upstream, reason.code);
    const pauseMs = failed(this.pass, reason.code);
    this.outage.lost(reason, { upstream: this.upstream, pauseMs });
    if (isUnreachable(reason.code)) upstreams.waiting.add(this.again);
    this.retry.set(pauseMs, this.again);
  }

  private readonly again = (): void => {
    this.retry.clear();
    this.options.upstreams.waiting.delete(this.again);
    this.connect();
  };

  /** Begins as a player does: headers and the packets since the last key frame first. */
  private start(client: RtmpClient): void {
    const { source } = this.options;
    this.startedAtMs = Date.now();
    works(this.pass);
    this.outage.back({ event: "forward.started", upstream: this.upstream });
    this.outlet.connect(client);
    this.limitBytes = Infinity; // what it starts with is as large as the cache; the limit is for what piles up later
    this.untap = source.tap((packet) => this.push(packet));
    this.limitBytes = maxOutletBytes + this.outlet.backlogBytes;
  }

  private redirected({ endpoint }: RtmpClient): void {
    this.outlet.connect(null);
    this.stop();
    this.options.log.info({ event: "forward.redirected", upstream: this.upstream, next: formatEndpoint(endpoint) });
  }

  private push(packet: Packet): void {
    const { type, payload } = packet;
    const body = type === messageType.data ? withSetDataFrame(payload) : payload;
    this.outlet.push({ type, timestamp: sentTime(packet), payload: body, streamId: mediaStreamId });
    if (this.outlet.backlogBytes <= this.limitBytes) return;
    this.client?.close(new DolphinError("RTMP_SLOW", `${this.upstream} takes the stream slower than it comes`));
  }

  private stop(): void {
    this.untap?.();
    this.untap = null;
    this.outlet.close();
  }

  private get upstream(): string {
    return formatEndpoint(candidate(this.pass));
  }
}
