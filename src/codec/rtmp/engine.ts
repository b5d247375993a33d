// One side of an RTMP connection without its socket: handshake, chunks, acknowledgements and pings. A session (server
// side) or a client feeds it what arrives and sends what it returns; the engine calls back with whole messages.
// Commands, streams and time-outs are the session's.
//
//   server:  [preface] → hello (C0C1) → echo (C2) → chunks          client:  answer (S0S1S2) → chunks
//
//   bytes ─▶ engine.ts ─▶ handshake.ts, then chunk-reader.ts with a chunk-stream.ts for each csid ─▶ message.ts ─▶ onMessage
//   bytes ◀─ engine.ts ◀─ handshake.ts, then chunk-writer.ts ◀──────────────────────────────────── message.ts ◀─ write
//   in messages   command.ts, metadata.ts, written in amf0.ts       url.ts: which stream they mean
//   dialogue.ts: what a server answers                              clock.ts: what our own processes tell each other besides
import { DolphinError } from "../../base/errors.js";
import type { SocketAddress } from "../ip-address.js";
import { maxPrefaceBytes, readPreface, type Preface } from "../preface.js";
import { protocolOf, untrustedPreface } from "../strangers.js";
import { ChunkReader } from "./chunk-reader.js";
import type { SavedChunkReader } from "./chunk-stream.js";
import { writeMessages } from "./chunk-writer.js";
import { answerBytes, answerHello, answerServer, checkVersion, handshakeBytes, helloBytes, makeHello } from "./handshake.js";
import type { Holder } from "./slabs.js";
import { controlEvent, controlMessage, messageType, userControl, type Message } from "./message.js";

/** What an engine tells its session. All calls happen inside `start` or `receive`. */
export interface EngineHandler {
  /** Bytes to send now. The session owns them. */
  onSend(bytes: Buffer): void;
  /** The handshake is through; messages may be written. */
  onOpen(): void;
  /** A message that is not the engine's own business: commands, data, media, user control other than pings. */
  onMessage(message: Message): void;
  /** Whom a preface before the handshake names. Without this a peer may not say so, and nothing may come behind such a preface. */
  onClient?(client: SocketAddress): void;
}

type Phase = "preface" | "hello" | "echo" | "answer" | "chunks";

/** A server's side between two reads, behind the handshake, as JSON. */
export interface SavedEngine {
  readonly reader: SavedChunkReader;
  readonly outChunkSize: number;
  readonly ackWindow: number;
  readonly ackedBytes: number;
  readonly bytesIn: number;
}

/** A peer that wants acknowledgements more often than this only wants work. */
const leastAckWindow = 2500;

/** An incoming (`server`) or outgoing (`client`) connection's protocol state. Nothing to close: drop it. */
export class Engine {
  private readonly handler: EngineHandler;
  private reader = new ChunkReader((message) => this.dispatch(message));
  private phase: Phase;
  /** The part of the handshake that has come so far; null when none is awaited, or nothing has come. */
  private partial: Buffer | null;
  private partialBytes = 0;
  /** Whether a preface may still name the client. */
  private mayName: boolean;
  /** A preface that named somebody and might not. A balancer's check may end here; whoever says more is refused. */
  private stray: Preface | null = null;
  private outChunkSize = 128;
  private ackWindow = 0;
  private ackedBytes = 0;
  /** Bytes received so far, handshake included. */
  bytesIn = 0;

  constructor(side: "server" | "client", handler: EngineHandler) {
    this.handler = handler;
    this.phase = side === "client" ? "answer" : "preface";
    this.partial = side === "client" ? Buffer.allocUnsafe(answerBytes) : null;
    this.mayName = handler.onClient !== undefined;
  }

  /** Makes the engine of a server that goes on where another one was saved. */
  static resume(saved: SavedEngine, handler: EngineHandler): Engine {
    const engine = new Engine("server", handler);
    engine.phase = "chunks";
    engine.partial = null;
    engine.reader = ChunkReader.resume(saved.reader, (message) => engine.dispatch(message));
    engine.outChunkSize = saved.outChunkSize;
    engine.ackWindow = saved.ackWindow;
    engine.ackedBytes = saved.ackedBytes;
    engine.bytesIn = saved.bytesIn;
    return engine;
  }

  /** Writes down where a server stands, between two calls of `receive`. Null during the handshake, and where its reader cannot be. */
  save(): SavedEngine | null {
    const reader = this.isOpen ? this.reader.save() : null;
    if (reader === null) return null;
    const { outChunkSize, ackWindow, ackedBytes, bytesIn } = this;
    return { reader, outChunkSize, ackWindow, ackedBytes, bytesIn };
  }

  /** A client's first words; a server has none. */
  start(): void {
    if (this.phase === "answer") this.handler.onSend(makeHello());
  }

  /** Whether the handshake is through. */
  get isOpen(): boolean {
    return this.phase === "chunks";
  }

  /**
   * Takes what the socket read; the buffer stays the caller's.
   * Throws PROXY_HEADER, the codes of the handshake and the chunk reader, and RTMP_AGGREGATE.
   */
  receive(bytes: Buffer): void {
    this.bytesIn += bytes.length;
    let at = 0;
    while (this.phase !== "chunks" && at < bytes.length) at += this.shake(bytes.subarray(at));
    if (at < bytes.length) this.reader.push(at === 0 ? bytes : bytes.subarray(at));
    if (this.ackWindow > 0 && this.bytesIn - this.ackedBytes >= this.ackWindow / 2) {
      this.ackedBytes = this.bytesIn;
      this.write([controlMessage(messageType.acknowledgement, this.bytesIn)]);
    }
  }

  /** Encodes and sends messages as one piece. A chunk size among them holds from the next message on. */
  write(messages: readonly Message[]): void {
    const cut = messages.findIndex((message) => message.type === messageType.setChunkSize);
    if (cut < 0) {
      this.handler.onSend(writeMessages(messages, this.outChunkSize));
      return;
    }
    const before = writeMessages(messages.slice(0, cut + 1), this.outChunkSize);
    this.outChunkSize = messages[cut]!.payload.readUInt32BE(0);
    this.handler.onSend(Buffer.concat([before, writeMessages(messages.slice(cut + 1), this.outChunkSize)]));
  }

  /** Sets the acknowledgement window for what we receive, over the peer's own wish. */
  setAckWindow(bytes: number): void {
    this.ackWindow = Math.max(bytes, leastAckWindow);
  }

  /** Names who keeps the payloads of media from now on; null: nobody who could tell which of them. */
  lendTo(holder: Holder | null): void {
    this.reader.lendTo(holder);
  }

  /** Takes a piece of the handshake, or of what stands before it, and returns how many bytes it used. */
  private shake(bytes: Buffer): number {
    if (this.phase === "preface") return this.skipPreface(bytes);
    if (this.phase === "echo") {
      const rest = handshakeBytes - this.partialBytes; // C2 proves nothing that we rely on: it is passed over
      const used = Math.min(rest, bytes.length);
      this.partialBytes += used;
      if (used === rest) this.open();
      return used;
    }
    const partial = this.partial!;
    const used = bytes.copy(partial, this.partialBytes);
    this.partialBytes += used;
    if (this.partialBytes < partial.length) return used;
    this.partialBytes = 0;
    this.partial = null;
    if (this.phase === "hello") {
      this.phase = "echo";
      this.handler.onSend(answerHello(partial));
    } else {
      this.handler.onSend(answerServer(partial));
      this.open();
    }
    return used;
  }

  private skipPreface(bytes: Buffer): number {
    if (this.stray !== null) throw untrustedPreface(this.stray);
    const before = this.partialBytes;
    if (before === 0 && protocolOf(bytes) === "RTMP") {
      this.phase = "hello";
      this.partial = Buffer.allocUnsafe(helloBytes);
      return 0;
    }
    this.partial ??= Buffer.allocUnsafe(maxPrefaceBytes);
    this.partialBytes += bytes.copy(this.partial, before);
    const came = this.partial.subarray(0, this.partialBytes);
    const preface = readPreface(came);
    if (preface === null) return this.partialBytes - before;
    if (preface.sizeBytes === 0) checkVersion(came); // which throws: no preface begins as RTMP does
    this.partialBytes = 0;
    if (!this.mayName) this.stray = preface;
    else if (preface.client !== null) this.handler.onClient?.(preface.client);
    this.mayName = false;
    return preface.sizeBytes - before;
  }

  private open(): void {
    this.phase = "chunks";
    this.handler.onOpen();
  }

  private dispatch(message: Message): void {
    const { type, payload } = message;
    switch (type) {
      case messageType.windowAckSize:
        if (payload.length >= 4) this.setAckWindow(payload.readUInt32BE(0));
        return;
      case messageType.acknowledgement:
      case messageType.setPeerBandwidth:
        return; // told to us for information; we pace by TCP
      case messageType.userControl:
        this.control(message);
        return;
      case messageType.aggregate:
        splitAggregate(message, (part) => this.handler.onMessage(part));
        return;
      default:
        this.handler.onMessage(message);
    }
  }

  private control(message: Message): void {
    const { payload } = message;
    if (payload.length < 2) return;
    const event = payload.readUInt16BE(0);
    if (event === controlEvent.pingRequest && payload.length >= 6) {
      this.write([userControl(controlEvent.pingResponse, payload.readUInt32BE(2))]);
    } else this.handler.onMessage(message);
  }
}

/**
 * Cuts an aggregate into its messages: FLV tags in a row, whose times count from the aggregate's (section 7.1.6).
 * The parts are views of the aggregate's payload. Throws RTMP_AGGREGATE when a part does not fit or is itself one.
 */
function splitAggregate(aggregate: Message, emit: (part: Message) => void): void {
  const { payload, streamId } = aggregate;
  let at = 0;
  let base: number | null = null;
  while (at < payload.length) {
    if (payload.length - at < 11) throw new DolphinError("RTMP_AGGREGATE", "an aggregate ends inside the header of a part");
    const type = payload[at]!;
    const length = payload.readUIntBE(at + 1, 3);
    const time = payload.readUIntBE(at + 4, 3) + payload[at + 7]! * 0x1000000;
    const body = at + 11;
    if (length > payload.length - body) throw new DolphinError("RTMP_AGGREGATE", "an aggregate's part is longer than the aggregate");
    if (type === messageType.aggregate) throw new DolphinError("RTMP_AGGREGATE", "an aggregate inside an aggregate");
    base ??= time;
    const timestamp = (aggregate.timestamp + time - base) >>> 0;
    emit({ type, streamId, timestamp, payload: payload.subarray(body, body + length) });
    at = body + length + 4; // the back pointer; the last one may be missing
  }
}
