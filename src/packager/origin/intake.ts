// One stream as it comes from the server that has it: first all that is kept of it, as a whole, then each packet. Lost, it is asked for
// anew, and whoever takes the packets finds where it stood among those that are kept. Packets lie in memory that is used again
// (codec/rtmp/slabs.ts): whoever is given one copies what he keeps of it.
//
//   connecting ─▶ a clock ─▶ so many packets that are kept ─▶ begin ─▶ push … ─▶ end: the publisher has left
//       ▲                          └──────────── lost ────────────────────┘
import { Deadline } from "../../base/deadline.js";
import { DolphinError } from "../../base/errors.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import { controlEvent, messageType, type Message } from "../../codec/rtmp/message.js";
import { isSampleAccess } from "../../codec/rtmp/metadata.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { Held } from "../../codec/rtmp/slabs.js";
import { hold, makePacket, type Packet } from "../../stream/packet.js";
import { RtmpClient } from "../../wire/client.js";
import { Repeats } from "./repeats.js";

const firstPauseMs = 50;
const longestPauseMs = 1_000;

export interface IntakeOptions {
  readonly endpoint: Endpoint;
  readonly request: StreamRequest;
  readonly args: AmfObject;
  begin(clockId: number, kept: readonly Packet[]): void;
  push(packet: Packet): void;
  end(): void;
}

/** One stream. `close` ends it, and nothing is called afterwards. */
export class Intake {
  private readonly options: IntakeOptions;
  private readonly pause = new Deadline();
  private client: RtmpClient | null = null;
  private pauseMs = firstPauseMs;
  private clockId = 0;
  /** That of what has come so far; 0: nothing has. */
  private knownClockId = 0;
  private readonly repeats = new Repeats();
  /** Packets that are kept and still to come; null: it is not told how many. */
  private keptLeft: number | null = null;
  private kept: Packet[] = [];
  private hasBegun = false;
  private isClosed = false;

  constructor(options: IntakeOptions) {
    this.options = options;
    this.connect();
  }

  get endpoint(): Endpoint {
    return this.options.endpoint;
  }

  close(): void {
    this.isClosed = true;
    this.pause.clear();
    this.client?.close(new DolphinError("RELAY_CLOSED", "the stream is not packaged here any more"));
  }

  private connect(): void {
    const { endpoint, request, args } = this.options;
    this.hasBegun = false;
    this.keptLeft = null;
    this.kept = [];
    const client: RtmpClient = new RtmpClient(
      { endpoint, request, purpose: "play", args },
      {
        onStarted: () => client.lendTo((held) => this.hold(held)),
        onMessage: (message) => this.receive(message),
        onStreamEnd: () => this.ended(),
        onRedirected: () => undefined,
        onDrain: () => undefined,
        onClosed: () => this.lost(),
      },
    );
    this.client = client;
  }

  private hold(held: Held): boolean {
    hold(this.kept, held);
    return true;
  }

  private receive(message: Message): void {
    if (this.isClosed) return;
    const { type, payload, timestamp } = message;
    if (type === messageType.userControl) this.noticed(payload);
    if (type !== messageType.audio && type !== messageType.video && type !== messageType.data) return;
    if (payload.length === 0 || (type === messageType.data && isSampleAccess(payload))) return;
    this.take(makePacket(type, timestamp, payload));
  }

  private noticed(payload: Buffer): void {
    if (payload.length < 6) return;
    const event = payload.readUInt16BE(0);
    const value = payload.readUInt32BE(2);
    if (event === controlEvent.clock) this.clockId = value;
    if (event !== controlEvent.history) return;
    this.keptLeft = value;
    if (value === 0 && this.clockId !== 0) this.begin();
  }

  private take(packet: Packet): void {
    if (this.keptLeft !== null && this.keptLeft > 0) {
      this.kept.push(packet);
      this.keptLeft -= 1;
      if (this.keptLeft === 0) this.begin();
      return;
    }
    if (!this.hasBegun) this.begin();
    const news = this.repeats.take(packet);
    if (news !== null) this.options.push(news);
  }

  private begin(): void {
    this.hasBegun = true;
    this.pauseMs = firstPauseMs;
    const { kept, clockId } = this;
    this.kept = [];
    if (clockId !== this.knownClockId) this.repeats.forget();
    this.knownClockId = clockId;
    this.repeats.begin(kept);
    this.options.begin(this.clockId, kept);
  }

  private ended(): void {
    if (!this.hasBegun) return;
    this.hasBegun = false;
    this.clockId = 0;
    this.knownClockId = 0;
    this.options.end();
  }

  private lost(): void {
    if (this.isClosed) return;
    this.pause.set(this.pauseMs, () => this.connect());
    this.pauseMs = Math.min(2 * this.pauseMs, longestPauseMs);
  }
}
