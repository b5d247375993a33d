// Which streams there are to package: one connection to the server that has them, which tells of every beginning and end. Lost, it is
// made anew as long as the packager lives.
//
//   connecting ─▶ told of all ─▶ told of each ─▶ lost ─(a pause)─▶ connecting …
import { Deadline } from "../../base/deadline.js";
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import type { WatchedChange } from "../../codec/rtmp/watch.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { defaultVhost } from "../../base/host-name.js";
import { RtmpClient } from "../../wire/client.js";

const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** Who is told. */
interface Follower {
  onNews(change: WatchedChange): void;
  /** Nothing is known of the server until it tells of all that it has. */
  onLost(): void;
}

/** Follows one server. `close` ends it. */
export class Watch {
  private readonly endpoint: Endpoint;
  private readonly args: AmfObject;
  private readonly follower: Follower;
  private readonly log: Log;
  private readonly pause = new Deadline();
  private client: RtmpClient | null = null;
  private pauseMs = firstPauseMs;
  private isClosed = false;

  constructor(endpoint: Endpoint, args: AmfObject, follower: Follower, log: Log) {
    this.endpoint = endpoint;
    this.args = args;
    this.follower = follower;
    this.log = log;
    this.connect();
  }

  close(): void {
    this.isClosed = true;
    this.pause.clear();
    this.client?.close(new DolphinError("RELAY_CLOSED", "the packager ends"));
  }

  private connect(): void {
    this.client = new RtmpClient(
      {
        endpoint: this.endpoint,
        request: { vhost: defaultVhost, app: "dolphin", stream: "", params: "" },
        purpose: "watch",
        args: this.args,
      },
      {
        onStarted: () => (this.pauseMs = firstPauseMs),
        onNews: (change) => this.follower.onNews(change),
        onMessage: () => undefined,
        onStreamEnd: () => undefined,
        onDrain: () => undefined,
        onRedirected: () => undefined,
        onClosed: (reason) => this.lost(reason),
      },
    );
  }

  private lost(reason: DolphinError): void {
    if (this.isClosed) return;
    this.follower.onLost();
    this.log.debug({ event: "watch.lost", code: reason.code }, reason.message);
    this.pause.set(this.pauseMs, () => this.connect());
    this.pauseMs = Math.min(2 * this.pauseMs, longestPauseMs);
  }
}
