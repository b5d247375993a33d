// What a proxy says to an RTMP client until the client names its stream: the server's side of handshake and dialogue, in
// our own server's words. Every byte behind the handshake is kept, for the server that will be chosen reads it too.
// Bytes in, bytes out; no socket and no clock.
//
//   handshake ──▶ connect ──▶ createStream, releaseStream, FCPublish, getStreamLength … ──▶ publish or play: named
//
// Two things of a server are left out. It announces no chunk size: so both the client's connection and the server's begin
// with 128, and the seam has nothing to set right. It sends no onBWDone: encoders answer that with _checkbw, to which some
// servers never reply.
import { DolphinError } from "../../base/errors.js";
import { randomId } from "../../base/random-id.js";
import { asObject, type AmfValue } from "../../codec/rtmp/amf0.js";
import { ChunkReader } from "../../codec/rtmp/chunk-reader.js";
import { makeStatus, parseCommand, type Command } from "../../codec/rtmp/command.js";
import { acknowledged, callFailed, connectResult, publishNotice } from "../../codec/rtmp/dialogue.js";
import { Engine } from "../../codec/rtmp/engine.js";
import { handshakeBytes, helloBytes } from "../../codec/rtmp/handshake.js";
import { controlMessage, mediaStreamId, messageType, peerBandwidth, type Message } from "../../codec/rtmp/message.js";
import { freeStreamId } from "../../codec/rtmp/stream-ids.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Answered, Seen } from "./seam.js";

/** Most bytes of a client's that are kept before it names its stream; encoders need about 500. */
export const maxDialogueBytes = 64 << 10;
const windowBytes = 2_500_000;

/** What a client wants. */
export interface Wish {
  readonly what: "publish" | "play";
  /** The message stream that it is asked on. */
  readonly streamId: number;
  readonly request: StreamRequest;
}

export interface FrontOptions {
  readonly localAddress: string;
  /** Whether the servers give every createStream a number of its own, as ours do; others give the first again and again. */
  readonly givesStreams: boolean;
}

/** One client until it is handed over. Nothing to close: drop it. */
export class RtmpFront {
  private readonly send: (bytes: Buffer) => void;
  private readonly options: FrontOptions;
  private readonly engine: Engine;
  /** Reads what we write, to know what the client's reader remembers. */
  private readonly mirror = new ChunkReader(() => undefined);
  private readonly answered: Answered[] = [];
  private hasNotice = false;
  /** The message streams that it was given. */
  private streams: readonly number[] = [];
  private isFmle = false;
  private login: { readonly tcUrl: string; readonly app: string } | null = null;
  private wish: Wish | null = null;
  private kept: Buffer = Buffer.allocUnsafe(1024);
  private keptBytes = 0;

  /** `send` gets new memory to write to the client. */
  constructor(options: FrontOptions, send: (bytes: Buffer) => void) {
    this.options = options;
    this.send = send;
    this.engine = new Engine("server", {
      onSend: (bytes) => this.say(bytes),
      onOpen: () => undefined,
      onMessage: (message) => this.receive(message),
    });
  }

  /** Whether the handshake is through. */
  get isOpen(): boolean {
    return this.engine.isOpen;
  }

  /** What the client is expected to do next, for the sentence of an error. */
  get doing(): string {
    if (!this.engine.isOpen) return "handshaking";
    if (this.login === null) return "waiting for connect";
    return this.wish === null ? "waiting for publish or play" : `asking to ${this.wish.what}`;
  }

  /** What the client has named, or null. */
  get named(): Wish | null {
    return this.wish;
  }

  /** All bytes so far behind the handshake, as a view. */
  get transcript(): Buffer {
    return this.kept.subarray(0, this.keptBytes);
  }

  /** What the seam must know. */
  get seen(): Seen {
    return { headers: this.mirror.headers(), answered: this.answered, hasNotice: this.hasNotice };
  }

  /**
   * Takes the client's next bytes; they stay the caller's. Throws the RTMP_ codes of the codec, RTMP_STATE, and RTMP_MEMORY
   * for a client that says too much before it names its stream. After that nothing is read, only kept.
   */
  take(bytes: Buffer): void {
    const before = this.engine.bytesIn;
    if (this.wish !== null) {
      this.keep(bytes);
      return;
    }
    this.keep(bytes.subarray(Math.max(0, helloBytes + handshakeBytes - before)));
    try {
      this.engine.receive(bytes);
    } catch (thrown) {
      if (this.named === null) throw thrown; // what is wrong behind the name is for the server to say
    }
    if (this.named === null && this.keptBytes > maxDialogueBytes) {
      throw new DolphinError("RTMP_MEMORY", `more than ${maxDialogueBytes} bytes came before publish or play`);
    }
  }

  /** Tells the client that what it asked for cannot be; only before anything of a server was passed on. */
  refuse(sentence: string): void {
    const code = this.wish?.what === "publish" ? "NetStream.Publish.BadName" : "NetStream.Play.Failed";
    const { streamId = mediaStreamId } = this.wish ?? {};
    if (this.login !== null) this.engine.write([makeStatus("error", code, sentence, { streamId })]);
  }

  private keep(bytes: Buffer): void {
    const needed = this.keptBytes + bytes.length;
    if (needed > this.kept.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.kept.length));
      this.kept.copy(grown, 0, 0, this.keptBytes);
      this.kept = grown;
    }
    bytes.copy(this.kept, this.keptBytes);
    this.keptBytes = needed;
  }

  private say(bytes: Buffer): void {
    if (this.engine.isOpen) this.mirror.push(bytes);
    this.send(bytes);
  }

  private receive(message: Message): void {
    const isCommand = message.type === messageType.command || message.type === messageType.commandAmf3;
    if (isCommand && this.wish === null) this.command(parseCommand(message), message.streamId); // anything else is the server's
  }

  private command(command: Command, streamId: number): void {
    const { name, transaction, args } = command;
    if (name === "connect") {
      this.connect(command);
      return;
    }
    if (this.login === null) throw new DolphinError("RTMP_STATE", `${name.slice(0, 50)} came before connect`);
    switch (name) {
      case "publish":
      case "play":
        if (args[1] === false) return; // the end of what has not begun
        this.wish = {
          what: name,
          streamId: this.streams.includes(streamId) ? streamId : mediaStreamId,
          request: this.request(name, args[1]),
        };
        return;
      case "createStream":
        this.createStream(command);
        return;
      case "releaseStream":
        this.isFmle = true;
        this.answer(command);
        return;
      case "FCPublish":
        this.fcPublish(command);
        return;
      case "getStreamLength":
        this.answer(command, 0);
        return;
      case "deleteStream":
        this.streams = this.streams.filter((id) => id !== (typeof args[1] === "number" ? args[1] : streamId));
        return;
      case "FCUnpublish":
      case "closeStream":
      case "pause":
      case "pauseRaw":
      case "seek":
        return; // about a stream that is not there yet: no server answers
      default:
        if (transaction > 0) this.answer(command);
    }
  }

  private connect({ name, transaction, args }: Command): void {
    if (this.login !== null) {
      this.engine.write([callFailed(transaction, "connect came twice")]);
      throw new DolphinError("RTMP_STATE", "connect came twice");
    }
    const properties = asObject(args[0]);
    this.login = { tcUrl: text(properties?.["tcUrl"]), app: text(properties?.["app"]) };
    this.answered.push({ name, transaction });
    const objectEncoding = properties?.["objectEncoding"] === 3 ? 3 : 0;
    const conn = randomId();
    this.engine.write([
      controlMessage(messageType.windowAckSize, windowBytes),
      peerBandwidth(windowBytes),
      connectResult({ transaction, objectEncoding, conn, pid: process.pid, localAddress: this.options.localAddress }),
    ]);
  }

  /** Gives the number that the server will give. */
  private createStream(command: Command): void {
    const streamId = this.options.givesStreams ? (freeStreamId(this.streams, []) ?? mediaStreamId) : mediaStreamId;
    this.streams = [...new Set([...this.streams, streamId])];
    this.answer(command, streamId);
  }

  private answer({ name, transaction }: Command, value: number | null = null): void {
    this.answered.push({ name, transaction });
    this.engine.write([acknowledged(transaction, value)]);
  }

  /** As our server has it: encoders that ask for the stream first want the notice here. */
  private fcPublish(command: Command): void {
    const isHaivision = this.streams.length > 0 && !this.isFmle;
    this.isFmle = !isHaivision;
    this.answer(command);
    if (!isHaivision) return;
    this.hasNotice = true;
    this.engine.write([publishNotice(this.streams[0] ?? mediaStreamId)]);
  }

  private request(what: string, name: AmfValue): StreamRequest {
    if (typeof name !== "string") throw new DolphinError("RTMP_COMMAND", `${what} names no stream`);
    return resolveStream(this.login!.tcUrl, this.login!.app, name);
  }
}

function text(value: AmfValue): string {
  return typeof value === "string" ? value : "";
}
