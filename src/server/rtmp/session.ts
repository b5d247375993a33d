// What is said over an incoming RTMP connection: holds the dialogue as a state, and leads from commands to streams. Bytes, errors
// and the connection's end are connection.ts's.
//
//   new ─connect─▶ idle ─publish─▶ publishing ─FCUnpublish, closeStream─▶ idle …
//                                  or, to the end of the read, moving: it goes on in another process (saved-publisher.ts)
//                       ─play────▶ playing ─────closeStream────────────▶ idle …
import { DolphinError, type ErrorCode } from "../../base/errors.js";
import { asObject, type AmfValue } from "../../codec/rtmp/amf0.js";
import type { Clock } from "../../codec/rtmp/clock.js";
import { amf0Body, parseCommand, type Command } from "../../codec/rtmp/command.js";
import {
  acknowledged,
  connected,
  playFailed,
  playPaused,
  playStarted,
  publishEnded,
  publishNotice,
  publishRefused,
  publishStarted,
} from "../../codec/rtmp/dialogue.js";
import { controlMessage, messageType, resumeMessage, saveMessage, type Message } from "../../codec/rtmp/message.js";
import type { SavedSource } from "../../stream/source.js";
import type { Client } from "../peers/clients.js";
import type { Hub } from "../streams/hub.js";
import { peerOf } from "../peers/peer.js";
import { descriptorOf } from "../peers/shared-read.js";
import { introduce, newCaller, requestOf, type Asked } from "../peers/caller.js";
import { countCommand, type CommandRate } from "./command-rate.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import { Playing, type Resumed, type SavedPlayer } from "./playing.js";
import { Publishing } from "./publishing.js";
import { isSendable, type Mover, type SavedPublisher } from "../peers/saved-publisher.js";

/** From the connection to `connect`. A total, so that dripping bytes buys no time. */
export const loginTimeoutMs = 10_000;
/** From `connect` to the first `publish` or `play`. */
export const firstUseTimeoutMs = 30_000;
/** From the end of a stream to the next one on the same connection. */
export const nextUseTimeoutMs = 180_000;
/** The same two while the process drains: who has no stream comes back sooner to one that stays. */
export const drainUseTimeoutMs = 5_000;
const unknownVhostChunkSize = 60_000;

type State =
  | { readonly at: "new" }
  | { readonly at: "idle" }
  | { readonly at: "playing"; readonly asked: Asked; readonly playing: Playing }
  | { readonly at: "moving"; readonly asked: Asked; readonly early: Message[] }
  | { readonly at: "publishing"; readonly asked: Asked; readonly publishing: Publishing };

/** One RTMP connection. `close` ends it with a reason. */
export class RtmpSession {
  private readonly conn: string;
  private readonly hub: Hub;
  private readonly connection: Connection;
  private readonly rate: CommandRate = { commands: 0, sinceMs: 0 };
  private caller = newCaller();
  private state: State = { at: "new" };

  constructor(options: ConnectionOptions) {
    this.conn = options.conn;
    this.hub = options.hub;
    this.connection = new Connection(options, {
      onMessage: (message) => this.receive(message),
      onError: (error) => this.sayFailed(error),
      onClose: () => this.leave(),
    });
    this.expect(loginTimeoutMs, "no connect command came");
  }

  /** Takes what the socket has read, which stays the caller's, and tells whether to go on reading. */
  read(bytes: Buffer): boolean {
    this.connection.read(bytes);
    if (this.hub.mover !== null) this.move(this.hub.mover);
    if (this.state.at === "playing") this.carry(this.state);
    return this.state.at !== "publishing" || this.state.publishing.readsOn(bytes.length);
  }

  /** Goes on, before anything is read, with a publisher whom another process has served until now. */
  goOn(saved: SavedPublisher): void {
    this.resume(saved, () => {
      const asked = this.ask("publish", saved.stream);
      if (this.caller.edgeName === null) this.hub.admit();
      this.publishAs(asked, saved.source);
      for (const message of saved.early) this.receive(resumeMessage(message));
    });
  }

  /** Goes on, before anything is read, with a viewer whom another process has served up to a position. */
  goOnPlaying(saved: SavedPlayer, resumed: Resumed): void {
    this.resume(saved, () => {
      this.carry(this.seat(this.ask("play", saved.stream), resumed));
      this.connection.isForgiving = true;
    });
  }

  /** Leaves a viewer to another process; false where that cannot be, now or ever. The session is over then. */
  letGo(): boolean {
    if (this.state.at !== "playing" || !this.state.playing.letGo()) return false;
    this.state = { at: "idle" };
    this.connection.leave(Promise.resolve(), { isOneOfMany: true });
    return true;
  }

  /** Leaves a publisher to another process, where it can be written down between two reads, and else tries again after the next. */
  move(mover: Mover): void {
    const { state, connection } = this;
    const saved = this.save();
    const fd = descriptorOf(connection.socket);
    const sent = saved === null || fd === null ? null : mover(saved, fd);
    if (sent !== null) {
      if (state.at === "publishing") state.publishing.close();
      this.state = { at: "idle" };
      this.hub.movedAway += 1;
      connection.leave(sent);
    } else if (state.at === "moving") {
      this.state = { at: "idle" };
      connection.guard(() => {
        this.publishAs(state.asked, null);
        for (const message of state.early) this.receive(message);
      });
    }
  }

  /** The process takes nobody new: a connection without a stream leaves soon, one with a stream when the stream is over. */
  drain(reason: string): void {
    if (this.state.at === "new" || this.state.at === "idle") this.connection.deadline.set(drainUseTimeoutMs, () => this.close(reason));
  }

  /** Ends the connection: with a code it is a failure and a warning, without one ordinary life. Again does nothing. */
  close(reason: string, code?: ErrorCode): void {
    this.connection.close(reason, code);
  }

  private resume({ connection, caller }: Pick<SavedPlayer, "connection" | "caller">, run: () => void): void {
    this.connection.goOn(connection);
    this.connection.isQuiet = caller.edgeName !== null;
    this.caller = { ...newCaller(), ...caller };
    this.state = { at: "idle" };
    this.connection.guard(run);
  }

  /** What is known of a publisher, as data; null where that is not all, or too much. */
  private save(): SavedPublisher | null {
    const { state, caller } = this;
    if (state.at !== "moving" && state.at !== "publishing") return null;
    const source = state.at === "publishing" ? state.publishing.save() : null;
    if (state.at === "publishing" && source === null) return null;
    const connection = this.connection.save(true);
    if (connection === null) return null;
    const early = state.at === "moving" ? state.early.map(saveMessage) : [];
    const saved = { connection, caller, stream: state.asked.name, source, early };
    return isSendable(saved) ? saved : null;
  }

  /** Media may come; what another process has said already is not said again. */
  private published(isResumed: boolean, clock: Clock | null): void {
    if (!isResumed) this.connection.write(publishStarted(this.caller.isFmle, this.caller.clockId === null ? null : clock));
    this.connection.doing = "publishing";
    this.connection.tell({ event: isResumed ? "publish.resumed" : "publish.started" });
  }

  private refuse(what: Client["does"], reason: DolphinError): void {
    this.connection.write([what === "play" ? playFailed(reason) : publishRefused(reason)]);
    this.close(reason.message, reason.code);
  }

  /** The last word to a peer whose request has failed. */
  private sayFailed(error: DolphinError): void {
    if (this.state.at !== "idle") return;
    if (this.connection.doing === "asking to play") this.connection.write([playFailed(error)]);
    if (this.connection.doing === "asking to publish") this.connection.write([publishRefused(error)]);
  }

  private receive(message: Message): void {
    if (this.connection.isClosed) return;
    if (this.state.at === "moving") {
      this.state.early.push(message);
      return;
    }
    switch (message.type) {
      case messageType.command:
      case messageType.commandAmf3:
        this.command(parseCommand(message));
        return;
      case messageType.audio:
      case messageType.video:
        this.media(message);
        return;
      case messageType.data:
      case messageType.dataAmf3:
        this.media({ ...message, type: messageType.data, payload: amf0Body(message) });
        return;
      default: // user control such as the player's buffer length: nothing that we act on
    }
  }

  /** Media outside of publishing is what was under way when the publisher stopped: it goes nowhere. */
  private media(message: Message): void {
    if (this.state.at === "publishing") this.state.publishing.push(message);
  }

  private command(command: Command): void {
    countCommand(this.rate, Date.now());
    const { name, transaction } = command;
    if (name === "connect") {
      this.connect(command);
      return;
    }
    if (this.state.at === "new") throw new DolphinError("RTMP_STATE", `${name.slice(0, 50)} came before connect`);
    switch (name) {
      case "createStream":
        this.caller.hasStream = true;
        this.connection.write([acknowledged(transaction, 1)]);
        return;
      case "releaseStream":
        this.caller.isFmle = true;
        this.connection.write([acknowledged(transaction)]);
        return;
      case "FCPublish":
        this.fcPublish(transaction);
        return;
      case "publish":
        this.publish(command);
        return;
      case "FCUnpublish":
        this.unpublish(transaction);
        return;
      case "play":
        this.play(command);
        return;
      case "pause":
        this.pausePlay(command.args[1] === true);
        return;
      case "closeStream":
      case "deleteStream":
        this.toIdle();
        return;
      case "getStreamLength":
        this.connection.write([acknowledged(transaction, 0)]);
        return;
      default: // FCSubscribe, _checkbw and others only want to be answered
        if (transaction > 0) this.connection.write([acknowledged(transaction)]);
    }
  }

  private connect({ transaction, args }: Command): void {
    if (this.state.at !== "new") throw new DolphinError("RTMP_STATE", "connect came twice");
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
    this.state = { at: "idle" };
    this.connection.doing = "waiting for publish or play";
    this.expect(firstUseTimeoutMs, "neither publish nor play came");
  }

  private fcPublish(transaction: number): void {
    const isHaivision = this.caller.hasStream && !this.caller.isFmle; // it asks for the stream first, and for the notice here
    this.caller.isFmle = !isHaivision;
    this.connection.write([acknowledged(transaction)]);
    if (isHaivision) this.connection.write([publishNotice()]);
  }

  private publish({ args }: Command): void {
    const asked = this.ask("publish", args[1]);
    if (this.hub.mover === null) this.publishAs(asked, null);
    else this.state = { at: "moving", asked, early: [] };
  }

  /** Publishes; what another process has saved of it was answered there. */
  private publishAs(asked: Asked, saved: SavedSource | null): void {
    const { hub, caller, connection } = this;
    const publishing = new Publishing({
      ...asked,
      hub,
      socket: connection.socket,
      saved,
      peer: caller.edgeName ?? peerOf(connection.socket),
      isOwnEdge: caller.edgeName !== null,
      clockId: caller.clockId,
      onStarted: (clock) => this.published(saved !== null, clock),
      onRefused: (reason) => this.refuse("publish", reason),
      onSilent: (reason, code) => this.close(reason, code),
    });
    connection.deadline.clear();
    this.state = { at: "publishing", asked, publishing };
  }

  private play({ args }: Command): void {
    this.seat(this.ask("play", args[1]), null);
  }

  private seat(asked: Asked, resumed: Resumed | null): State & { at: "playing" } {
    const { hub, connection, caller } = this;
    const source = hub.source(asked.vhost, asked.request);
    this.setChunkSize(source.chunkSize);
    if (resumed === null) connection.write(playStarted());
    if (resumed === null) connection.tell({ event: "play.started" });
    else connection.whisper({ event: "play.resumed" }); // thousands come at once, and are told in one line
    const playing = new Playing({
      hub,
      socket: connection.socket,
      source,
      client: asked.client,
      caller,
      resumed,
      write: (messages) => connection.write(messages),
      onDrop: (code, reason) => this.close(reason, code),
    });
    const state = { at: "playing", asked, playing } as const;
    this.state = state;
    connection.doing = "playing";
    connection.deadline.clear();
    return state;
  }

  /** Has a copy kept of a viewer's connection, so that it outlives this process. */
  private carry({ asked, playing }: State & { at: "playing" }): void {
    playing.carry(() => {
      const connection = this.connection.save(false);
      return connection === null ? null : { connection, caller: this.caller, stream: asked.name };
    });
  }

  /** What publish and play have in common: allowed now, a name that is one, a vhost that serves it. */
  private ask(what: Client["does"], name: AmfValue): Asked {
    if (this.state.at !== "idle") throw new DolphinError("RTMP_STATE", `${what} came while ${this.state.at}`);
    this.connection.doing = `asking to ${what}`;
    if (typeof name !== "string") throw new DolphinError("RTMP_COMMAND", `${what} names no stream`);
    const request = requestOf(this.caller, name);
    const vhost = this.hub.vhostOf(request);
    this.connection.concern({ vhost: vhost.name, app: request.app, stream: request.stream });
    const dismiss = (reason: DolphinError): void => this.refuse(what, reason);
    return {
      name,
      request,
      vhost,
      client: { does: what, protocol: "rtmp", asked: request.vhost, vhost, dismiss, letGo: () => this.letGo() },
    };
  }

  private setChunkSize(chunkSize: number): void {
    if (chunkSize === this.caller.chunkSize) return;
    this.caller.chunkSize = chunkSize;
    this.connection.write([controlMessage(messageType.setChunkSize, chunkSize)]);
  }

  private pausePlay(isPaused: boolean): void {
    if (this.state.at !== "playing") return;
    const { playing } = this.state;
    if (isPaused) playing.pause();
    this.connection.write(playPaused(isPaused));
    if (!isPaused) playing.resume();
  }

  private unpublish(transaction: number): void {
    if (this.state.at !== "publishing") return;
    this.toIdle();
    this.connection.write(publishEnded(transaction));
  }

  private toIdle(): void {
    if (this.state.at === "idle") return;
    this.leave();
    this.connection.concern(null);
    this.connection.doing = "waiting for the next publish or play";
    this.expect(nextUseTimeoutMs, "neither publish nor play came again");
  }

  /** Ends what the connection does with a stream. */
  private leave(): void {
    const { state } = this;
    if (state.at === "playing") {
      state.playing.close();
      this.connection.isForgiving = false;
    } else if (state.at === "publishing") {
      state.publishing.close();
      if (state.publishing.hasBegun) this.connection.tell({ event: "publish.ended" });
    }
    this.state = { at: "idle" };
  }

  /** Closes the connection when `ms` go by before the next expectation. */
  private expect(ms: number, otherwise: string): void {
    if (this.hub.drainReason !== null) this.drain(this.hub.drainReason);
    else this.connection.deadline.set(ms, () => this.close(`${otherwise} within ${ms} ms`, "RTMP_TIMEOUT"));
  }
}
