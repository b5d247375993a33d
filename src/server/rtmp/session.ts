// What is said over an incoming RTMP connection: holds the dialogue of the connection itself, and leads what is said of streams to
// message-stream.ts. Bytes, errors and the connection's end are connection.ts's.
//
//   new ─connect─▶ connected: message streams come, play or publish, and go; without any that does it ends after a while
//
//   session.ts ─▶ message-stream.ts ─▶ publishing.ts ─▶ the hub     playing.ts ─▶ player.ts ─▶ the socket
//
// A connection can go on in another process while one of its streams, and no other, is in use.
import { DolphinError, type ErrorCode } from "../../base/errors.js";
import { asObject, type AmfValue } from "../../codec/rtmp/amf0.js";
import { amf0Body, parseCommand, type Command } from "../../codec/rtmp/command.js";
import { acknowledged, callFailed, connected, publishEnded, publishNotice } from "../../codec/rtmp/dialogue.js";
import { mediaStreamId, messageType, resumeMessage, saveMessage, type Message } from "../../codec/rtmp/message.js";
import { freeStreamId, maxMessageStreams } from "../../codec/rtmp/stream-ids.js";
import { watchCommand, watchNews } from "../../codec/rtmp/watch.js";
import type { Due } from "../../ipc/dues.js";
import type { Hub } from "../streams/hub.js";
import { descriptorOf } from "../../wire/shared-read.js";
import { introduce, newCaller, saveCaller } from "../peers/caller.js";
import { countCommand, type CommandRate } from "./command-rate.js";
import { Connection, type ConnectionOptions, type ConnectionOwner } from "./connection.js";
import type { Closing } from "./entry.js";
import { MessageStream, type StreamOwner } from "./message-stream.js";
import type { Resumed, SavedPlayer } from "./playing.js";
import type { Mover, SavedPublisher } from "../peers/saved-publisher.js";

/** From the connection to `connect`. A total, so that dripping bytes buys no time. */
export const loginTimeoutMs = 10_000;
/** From `connect` to the first `publish` or `play`. */
export const firstUseTimeoutMs = 30_000;
/** From the end of a stream to the next one on the same connection. */
export const nextUseTimeoutMs = 180_000;
/** The same two while the process drains: who has no stream comes back sooner to one that stays. */
export const drainUseTimeoutMs = 5_000;
const unknownVhostChunkSize = 60_000;

/** One RTMP connection, which its streams know as their owner. `close` ends it with a reason. */
export class RtmpSession implements StreamOwner, ConnectionOwner {
  readonly hub: Hub;
  readonly connection: Connection;
  readonly caller = newCaller();
  private readonly conn: string;
  readonly closing: Closing = { due: null };
  private readonly rate: CommandRate = { commands: 0, sinceMs: 0 };
  /** The stream of those who ask for none, or say something of one that they were not given. */
  private readonly first: MessageStream;
  /** That one, and all others that have been used. */
  private streams: readonly MessageStream[];
  private isConnected = false;
  /** What came behind a `publish` that may be answered in another process; null: there is none. */
  private early: Message[] | null = null;

  /** Ends a packager's watch of which streams there are; null: it does not watch. */
  private unwatch: (() => void) | null = null;

  constructor(options: ConnectionOptions) {
    this.conn = options.conn;
    this.hub = options.hub;
    this.connection = new Connection(options, this);
    this.first = new MessageStream(mediaStreamId, this);
    this.streams = [this.first];
    this.expect(loginTimeoutMs, "no connect command came");
  }

  /** Takes what the socket has read, which stays the caller's, and tells whether to go on reading. */
  read(bytes: Buffer): boolean {
    this.connection.read(bytes);
    if (this.hub.mover !== null) this.move(this.hub.mover);
    this.carry();
    return this.streams.every((stream) => stream.readsOn(bytes.length));
  }

  /** Goes on, before anything is read, with a publisher whom another process has served until now. */
  goOn(saved: SavedPublisher): void {
    this.resume(saved, () => {
      if (saved.closing !== null) this.keepClosing(saved.closing);
      this.streamOf(saved.streamId).goOnPublishing(saved.stream, saved.source, saved.admission);
      for (const message of saved.early) this.onMessage(resumeMessage(message));
    });
  }

  /** Goes on, before anything is read, with a viewer whom another process has served up to a position. */
  goOnPlaying(saved: SavedPlayer, resumed: Resumed): void {
    this.resume(saved, () => {
      const closing = resumed.dues.find(({ action }) => action === "on_close");
      if (closing !== undefined) this.keepClosing(closing);
      this.streamOf(saved.streamId).goOnPlaying(saved, resumed);
      this.carry();
      this.connection.isForgiving = true;
    });
  }

  /** Leaves a viewer to another process; false where that cannot be, now or ever. The session is over then. */
  letGo(): boolean {
    if (this.sole()?.letGo() !== true) return false;
    this.releaseClosing();
    this.connection.leave(Promise.resolve(), { isOneOfMany: true });
    return true;
  }

  /** Leaves a publisher to another process, where it can be written down between two reads, and else tries again after the next. */
  move(mover: Mover): void {
    const stream = this.sole();
    const saved = stream === null ? null : this.save(stream);
    const fd = descriptorOf(this.connection.socket);
    const sent = saved === null || fd === null ? null : mover(saved, fd);
    const { early } = this;
    this.early = null;
    if (sent !== null) {
      stream!.movedAway();
      this.releaseClosing();
      this.hub.movedAway += 1;
      this.connection.leave(sent);
    } else if (early !== null) {
      this.connection.guard(() => {
        stream?.publishHere();
        for (const message of early) this.onMessage(message);
      });
    }
  }

  /** The process takes nobody new: a connection without a stream leaves soon, one with a stream when the stream is over. */
  drain(reason: string): void {
    if (this.inUse().length === 0) this.connection.deadline.set(drainUseTimeoutMs, () => this.close(reason));
  }

  /** Ends the connection: with a code it is a failure and a warning, without one ordinary life. Again does nothing. */
  close(reason: string, code?: ErrorCode): void {
    this.connection.close(reason, code);
  }

  hasOther(stream: MessageStream): boolean {
    return this.streams.some((other) => other !== stream && other.does !== "idle");
  }

  mayCutAt(chunkSize: number, stream: MessageStream): boolean {
    const plays = (other: MessageStream): boolean => other !== stream && other.does === "playing";
    return chunkSize === this.caller.chunkSize || !this.streams.some(plays);
  }

  /** Where it is not alone, the connection is bound to this process. */
  onBusy(stream: MessageStream): void {
    if (!this.hasOther(stream)) return;
    this.connection.lendTo(null); // no single stream knows what is needed of all that comes
    for (const other of this.streams) if (other !== stream) other.stay();
  }

  onIdle(): void {
    const [other = null] = this.inUse();
    this.connection.concern(other?.names ?? null);
    if (other !== null) return;
    this.connection.doing = "waiting for the next publish or play";
    this.expect(nextUseTimeoutMs, "neither publish nor play came again");
  }

  onStale(): void {
    setImmediate(() => this.carry());
  }

  private resume({ connection, caller }: Pick<SavedPlayer, "connection" | "caller">, run: () => void): void {
    this.connection.goOn(connection);
    Object.assign(this.caller, caller);
    this.connection.isQuiet = this.caller.edgeName !== null;
    this.isConnected = true;
    this.connection.guard(run);
  }

  /** What is known of a publisher, as data; null where that is not all. */
  private save(stream: MessageStream): SavedPublisher | null {
    const source = stream.save();
    const connection = source === undefined ? null : this.connection.save(true);
    if (source === undefined || connection === null || stream.asked === null) return null;
    const { early } = this;
    const caller = saveCaller(this.caller);
    const { id: streamId, asked } = stream;
    const granted = { admission: stream.entry.granted, closing: this.closing.due };
    return { connection, caller, streamId, stream: asked.name, source, ...granted, early: (early ?? []).map(saveMessage) };
  }

  private carry(): void {
    this.sole()?.carry();
  }

  private inUse(): readonly MessageStream[] {
    return this.streams.filter(({ does }) => does !== "idle");
  }

  /** The stream that is in use, where there is one alone. */
  private sole(): MessageStream | null {
    let found: MessageStream | null = null;
    for (const stream of this.streams) {
      if (stream.does === "idle") continue;
      if (found !== null) return null;
      found = stream;
    }
    return found;
  }

  onMessage(message: Message): void {
    if (this.connection.isClosed) return;
    if (this.early !== null) {
      this.early.push(message);
      return;
    }
    switch (message.type) {
      case messageType.command:
      case messageType.commandAmf3:
        this.command(parseCommand(message), message.streamId);
        return;
      case messageType.audio:
      case messageType.video:
        this.publisherOf(message.streamId).media(message);
        return;
      case messageType.data:
      case messageType.dataAmf3:
        this.publisherOf(message.streamId).media({ ...message, type: messageType.data, payload: amf0Body(message) });
        return;
      default: // user control such as the player's buffer length: nothing that we act on
    }
  }

  private command(command: Command, streamId: number): void {
    countCommand(this.rate, Date.now());
    const { name, transaction, args } = command;
    if (name === "connect") {
      this.connect(command);
      return;
    }
    if (!this.isConnected) throw new DolphinError("RTMP_STATE", `${name.slice(0, 50)} came before connect`);
    switch (name) {
      case "createStream":
        this.createStream(transaction);
        return;
      case "releaseStream":
        this.caller.isFmle = true;
        this.connection.write([acknowledged(transaction)]);
        return;
      case "FCPublish":
        this.fcPublish(transaction);
        return;
      case "publish":
        this.publish(this.streamOf(streamId), args[1]);
        return;
      case "FCUnpublish":
        this.unpublish(transaction, args[1]);
        return;
      case "play":
        this.streamOf(streamId).play(args[1], lengthOf(args[3]));
        return;
      case "pause":
      case "pauseRaw":
        this.streamOf(streamId).pause(args[1] === true);
        return;
      case "seek":
        this.streamOf(streamId).seek();
        return;
      case "receiveAudio":
      case "receiveVideo":
        if (transaction > 0) this.connection.write([acknowledged(transaction)]);
        this.streamOf(streamId).receive(name === "receiveAudio" ? "audio" : "video", args[1] !== false);
        return;
      case "closeStream":
        this.streamOf(streamId).end();
        return;
      case "deleteStream":
        this.deleteStream(typeof args[1] === "number" ? args[1] : streamId);
        return;
      case watchCommand:
        if (this.caller.isPackager) this.watch();
        return;
      case "getStreamLength":
        this.connection.write([acknowledged(transaction, 0)]);
        return;
      default: // FCSubscribe, _checkbw and others only want to be answered
        if (transaction > 0) this.connection.write([acknowledged(transaction)]);
    }
  }

  /** Tells a packager which streams there are to package, and from now on which begin and end. The connection is for nothing else. */
  private watch(): void {
    this.connection.deadline.clear();
    this.connection.doing = "following which streams there are";
    this.unwatch = this.hub.watch((change) => this.connection.write(watchNews(change)));
  }

  private connect({ transaction, args }: Command): void {
    if (this.isConnected) {
      this.connection.write([callFailed(transaction, "connect came twice")]);
      throw new DolphinError("RTMP_STATE", "connect came twice");
    }
    introduce(this.caller, args, this.hub.setup);
    this.connection.isQuiet = this.caller.edgeName !== null;
    const objectEncoding = asObject(args[0])?.["objectEncoding"] === 3 ? 3 : 0;
    const vhost = this.hub.vhostOfUrl(this.caller.tcUrl, this.caller.app);
    const chunkSize = vhost?.chunkSize ?? unknownVhostChunkSize;
    this.caller.chunkSize = chunkSize;
    if (vhost !== null && vhost.inAckSizeBytes > 0) this.connection.setAckWindow(vhost.inAckSizeBytes);
    const windowBytes = vhost?.outAckSizeBytes ?? 0;
    const identity = { conn: this.conn, pid: process.pid, localAddress: this.connection.socket.localAddress ?? "" };
    this.connection.write(connected({ transaction, objectEncoding, chunkSize, windowBytes, ...identity }));
    this.isConnected = true;
    this.connection.doing = "waiting for publish or play";
    this.expect(firstUseTimeoutMs, "neither publish nor play came");
  }

  private createStream(transaction: number): void {
    const { caller, connection } = this;
    const inUse = this.inUse().map((stream) => stream.id);
    const id = freeStreamId(caller.streams, inUse);
    if (id === null) connection.write([callFailed(transaction, `all ${maxMessageStreams} streams of the connection are in use`)]);
    else {
      caller.streams = [...new Set([...caller.streams, id])];
      connection.write([acknowledged(transaction, id)]);
    }
  }

  /** Takes a stream back; one that there is not stands for the only one that is in use, for some encoders name none. */
  private deleteStream(id: number): void {
    const { caller, first } = this;
    const known = this.streams.find((stream) => stream.id === id);
    const stream = known ?? (caller.streams.includes(id) ? null : this.sole());
    stream?.end();
    caller.streams = caller.streams.filter((one) => one !== (stream?.id ?? id));
    this.streams = this.streams.filter((one) => one === first || one !== stream);
  }

  private fcPublish(transaction: number): void {
    const isHaivision = this.caller.streams.length > 0 && !this.caller.isFmle; // it asks for the stream first, and for the notice here
    this.caller.isFmle = !isHaivision;
    this.connection.write([acknowledged(transaction)]);
    if (isHaivision) this.connection.write([publishNotice(this.caller.streams[0] ?? mediaStreamId)]);
  }

  private publish(stream: MessageStream, name: AmfValue): void {
    const mayMove = this.hub.mover !== null && !this.hasOther(stream);
    stream.publish(name, mayMove);
    if (stream.does === "moving") this.early = [];
  }

  /** Ends what is published under a name, as encoders of FMLE's kind ask for it: without its stream's number. */
  private unpublish(transaction: number, name: AmfValue): void {
    const publishing = this.streams.filter(({ does }) => does === "publishing");
    const stream = publishing.find(({ asked }) => asked?.name === name) ?? publishing[0];
    stream?.end();
    if (stream !== undefined) this.connection.write(publishEnded(transaction, stream.id));
    else if (transaction > 0) this.connection.write([acknowledged(transaction)]);
  }

  /** The stream that a command is about. */
  private streamOf(id: number): MessageStream {
    const known = this.streams.find((stream) => stream.id === id);
    if (known !== undefined || !this.caller.streams.includes(id)) return known ?? this.first;
    const stream = new MessageStream(id, this);
    this.streams = [...this.streams, stream];
    return stream;
  }

  /** The stream that media belongs to: not all encoders know the number of theirs. */
  private publisherOf(id: number): MessageStream {
    if (this.streams.length === 1) return this.first;
    const known = this.streams.find((stream) => stream.id === id);
    return known ?? this.streams.find(({ does }) => does === "publishing") ?? this.first;
  }

  /** Ends what the connection does with streams. */
  onClose(): void {
    this.unwatch?.();
    this.early = null;
    for (const stream of this.streams) stream.leave();
    const { due } = this.closing;
    const { bytesIn, bytesOut } = this.connection.account();
    if (due !== null) this.hub.hooks.end(due, { send_bytes: bytesOut, recv_bytes: bytesIn });
    this.closing.due = null;
  }

  private keepClosing(due: Due): void {
    this.closing.due = due;
    this.hub.hooks.keep(due);
  }

  private releaseClosing(): void {
    if (this.closing.due !== null) this.hub.hooks.release(this.closing.due);
    this.closing.due = null;
  }

  /** Closes the connection when `ms` go by before the next expectation. */
  private expect(ms: number, otherwise: string): void {
    if (this.hub.drainReason !== null) this.drain(this.hub.drainReason);
    else this.connection.deadline.set(ms, () => this.close(`${otherwise} within ${ms} ms`, "RTMP_TIMEOUT"));
  }
}

/** How much of a stream a player asks for, in ms; null: all. Less than 1 ms is how clients of many kinds say that. */
function lengthOf(duration: AmfValue): number | null {
  return typeof duration === "number" && duration >= 1 ? duration : null;
}
