// An incoming RTMP connection from its first byte to its last: drives the engine, holds the dialogue as a state, and ends
// with one line that tells why. Whatever a peer does wrong ends in `guard`, and costs this connection alone.
//
//   new ─connect─▶ idle ─publish─▶ publishing ─FCUnpublish, closeStream─▶ idle …
//                       ─play────▶ playing ─────closeStream────────────▶ idle …
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, DolphinError, messageOf, type ErrorCode } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { asObject, type AmfValue } from "../../codec/rtmp/amf0.js";
import { amf0Body, makeStatus, parseCommand, type Command } from "../../codec/rtmp/command.js";
import { acknowledged, connected, fmleNotice, liveNotice, playPaused, playStarted, publishEnded } from "../../codec/rtmp/dialogue.js";
import { Engine } from "../../codec/rtmp/engine.js";
import { controlMessage, messageType, type Message } from "../../codec/rtmp/message.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint, Vhost } from "../../conf/config.js";
import { endSoon } from "../farewell.js";
import type { Client } from "../clients.js";
import type { Hub } from "../hub.js";
import { nameClient, peerOf } from "../peer.js";
import { countCommand, type CommandRate } from "./command-rate.js";
import { RtmpPlayer } from "./player.js";
import { Publishing } from "./publishing.js";

/** From the connection to `connect`. A total, so that dripping bytes buys no time. */
export const loginTimeoutMs = 10_000;
/** From `connect` to the first `publish` or `play`. */
export const firstUseTimeoutMs = 30_000;
/** From the end of a stream to the next one on the same connection. */
export const nextUseTimeoutMs = 180_000;
/** The same two while the process drains: who has no stream comes back sooner to one that stays. */
export const drainUseTimeoutMs = 5_000;
/** Bytes of answers that may wait for a peer that asks and does not read. */
export const maxUnreadAnswerBytes = 64 << 10;
const unknownVhostChunkSize = 60_000;

type State =
  | { readonly at: "new" }
  | { readonly at: "idle" }
  | { readonly at: "playing"; readonly player: RtmpPlayer; readonly client: Client }
  | { readonly at: "publishing"; readonly publishing: Publishing; readonly client: Client };

export interface SessionOptions {
  readonly socket: Socket;
  /** The connection's id in logs; 8 characters. */
  readonly conn: string;
  readonly hub: Hub;
  readonly log: Log;
  /** Called once, when the connection is over. */
  readonly onEnd: () => void;
}

/** One RTMP connection. `close` ends it with a reason. */
export class RtmpSession {
  private readonly socket: Socket;
  private readonly conn: string;
  private readonly hub: Hub;
  private readonly onEnd: () => void;
  private readonly engine: Engine;
  private readonly startedAtMs = Date.now();
  private connectionLog: Log;
  /** The connection's log, with the stream while it has one. */
  private log: Log;
  private state: State = { at: "new" };
  private isClosed = false;
  private readonly deadline = new Deadline();
  private readonly rate: CommandRate = { commands: 0, sinceMs: 0 };
  /** What the connection is at, for the sentence of an error. */
  private doing = "handshaking";
  private tcUrl = "";
  private app = "";
  private chunkSize = 0;
  /** The name of the own edge that this is; null for everybody else. */
  private edgeName: string | null = null;
  private hasStream = false;
  private isFmle = false;
  private unreadAnswerBytes = 0;

  constructor({ socket, conn, hub, log, onEnd }: SessionOptions) {
    this.socket = socket;
    this.conn = conn;
    this.hub = hub;
    this.connectionLog = log.child({ conn, peer: peerOf(socket) });
    this.log = this.connectionLog;
    this.onEnd = onEnd;
    const onClient = (client: Endpoint): void => {
      nameClient(socket, client);
      this.connectionLog = log.child({ conn, peer: peerOf(socket) });
      this.log = this.connectionLog;
    };
    this.engine = new Engine("server", {
      ...(hub.trusted.has(socket.remoteAddress ?? "") ? { onClient } : {}),
      onSend: (bytes) => this.answer(bytes),
      onOpen: () => (this.doing = "waiting for connect"),
      onMessage: (message) => this.receive(message),
    });
    this.expect(loginTimeoutMs, "no connect command came");
    socket.on("error", (error) => this.close(messageOf(error)));
    socket.on("close", () => this.close("the peer left"));
  }

  /** Takes what the socket has read, which stays the caller's, and tells whether to go on reading. */
  read(bytes: Buffer): boolean {
    if (this.isClosed) return true;
    this.hub.traffic.bytesIn += bytes.length;
    this.guard(() => {
      this.engine.receive(bytes);
      if (this.unreadAnswerBytes > maxUnreadAnswerBytes) throw new DolphinError("RTMP_SLOW", "it asks and does not read the answers");
    });
    return this.state.at !== "publishing" || this.state.publishing.readsOn(bytes.length);
  }

  /** The process takes nobody new: a connection without a stream leaves soon, one with a stream when the stream is over. */
  drain(reason: string): void {
    if (this.state.at === "new" || this.state.at === "idle") this.deadline.set(drainUseTimeoutMs, () => this.close(reason));
  }

  /** Ends the connection: with a code it is a failure and a warning, without one ordinary life. Again does nothing. */
  close(reason: string, code?: ErrorCode, cause?: unknown): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.deadline.clear();
    this.leave();
    endSoon(this.socket);
    const { bytesWritten: bytesOut } = this.socket;
    const line = {
      event: "rtmp.closed",
      code,
      reason,
      doing: this.doing,
      durMs: Date.now() - this.startedAtMs,
      bytesIn: this.engine.bytesIn,
      bytesOut,
    };
    if (code === undefined) this.tell(line);
    else if (code === "INTERNAL") this.log.error({ ...line, err: cause });
    else this.log.warn(line);
    this.onEnd();
  }

  private publishStarted(): void {
    if (this.isFmle) this.engine.write([fmleNotice("onFCPublish", "NetStream.Publish.Start", "Started publishing stream.")]);
    this.engine.write([makeStatus("status", "NetStream.Publish.Start", "Started publishing stream.")]);
    this.doing = "publishing";
    this.tell({ event: "publish.started" });
  }

  private publishRefused(reason: DolphinError): void {
    this.sayRefused(reason);
    this.close(reason.message, reason.code);
  }

  private dismiss(from: Client["does"], reason: DolphinError): void {
    if (from === "publish") return this.publishRefused(reason);
    this.engine.write([makeStatus("error", "NetStream.Play.Failed", reason.message)]);
    return this.close(reason.message, reason.code);
  }

  /** Only a busy stream is a bad name: an edge asks another origin after any other refusal. */
  private sayRefused({ code, message }: DolphinError): void {
    const status = code === "RTMP_BUSY" ? "NetStream.Publish.BadName" : "NetStream.Publish.Denied";
    this.engine.write([makeStatus("error", status, message)]);
  }

  /** Sends what the dialogue says. It never closes: those who call it are in the middle of something. */
  private answer(bytes: Buffer): void {
    if (this.isClosed) return;
    this.hub.traffic.bytesOut += bytes.length;
    this.unreadAnswerBytes += bytes.length;
    this.socket.write(bytes, () => (this.unreadAnswerBytes -= bytes.length));
  }

  /** Runs what a peer's bytes lead to: the one place where their errors end. */
  private guard(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      const error = asDolphinError(thrown);
      if (this.state.at === "idle" && this.doing === "asking to play") {
        this.engine.write([makeStatus("error", "NetStream.Play.Failed", error.message)]);
      }
      if (this.state.at === "idle" && this.doing === "asking to publish") this.sayRefused(error);
      this.close(error.message, error.code, error.cause);
    }
  }

  private receive(message: Message): void {
    if (this.isClosed) return;
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
        this.hasStream = true;
        this.engine.write([acknowledged(transaction, 1)]);
        return;
      case "releaseStream":
        this.isFmle = true;
        this.engine.write([acknowledged(transaction)]);
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
        this.engine.write([acknowledged(transaction, 0)]);
        return;
      default: // FCSubscribe, _checkbw and others only want to be answered
        if (transaction > 0) this.engine.write([acknowledged(transaction)]);
    }
  }

  private connect({ transaction, args }: Command): void {
    if (this.state.at !== "new") throw new DolphinError("RTMP_STATE", "connect came twice");
    const properties = asObject(args[0]);
    this.tcUrl = text(properties?.["tcUrl"]);
    this.app = text(properties?.["app"]);
    const objectEncoding = properties?.["objectEncoding"] === 3 ? 3 : 0;
    this.recognise(args[1]);
    const vhost = this.hub.vhostOfUrl(this.tcUrl, this.app);
    this.chunkSize = vhost?.chunkSize ?? unknownVhostChunkSize;
    if (vhost !== null && vhost.inAckSizeBytes > 0) this.engine.setAckWindow(vhost.inAckSizeBytes);
    const windowBytes = vhost?.outAckSizeBytes ?? 0;
    const identity = { conn: this.conn, pid: process.pid, localAddress: this.socket.localAddress ?? "" };
    this.engine.write(connected({ transaction, objectEncoding, chunkSize: this.chunkSize, windowBytes, ...identity }));
    this.state = { at: "idle" };
    this.doing = "waiting for publish or play";
    this.expect(firstUseTimeoutMs, "neither publish nor play came");
  }

  /** Finds out whether the peer is an edge of this box: it knows the secret that the master gave to all. */
  private recognise(args: AmfValue): void {
    const { edgeKey, isEdge } = this.hub.setup;
    const members = asObject(args);
    if (!isEdge && edgeKey !== "" && members?.["dolphin_edge"] === edgeKey) this.edgeName = text(members["dolphin_name"]);
  }

  private fcPublish(transaction: number): void {
    const isHaivision = this.hasStream && !this.isFmle; // it asks for the stream first, and for the notice here
    this.isFmle = !isHaivision;
    this.engine.write([acknowledged(transaction)]);
    if (isHaivision) this.engine.write([fmleNotice("onFCPublish", "NetStream.Publish.Start", "Started publishing stream.")]);
  }

  private publish({ args }: Command): void {
    const { request, vhost, client } = this.ask("publish", args[1]);
    const publishing = new Publishing({
      hub: this.hub,
      vhost,
      request,
      socket: this.socket,
      peer: this.edgeName ?? peerOf(this.socket),
      isOwnEdge: this.edgeName !== null,
      onStarted: () => this.publishStarted(),
      onRefused: (reason) => this.publishRefused(reason),
      onSilent: (reason, code) => this.close(reason, code),
    });
    this.deadline.clear();
    this.state = { at: "publishing", publishing, client };
    this.hub.clients.add(client);
  }

  private play({ args }: Command): void {
    const { request, vhost, client } = this.ask("play", args[1]);
    const { hub, socket } = this;
    const source = hub.source(vhost, request);
    this.setChunkSize(source.chunkSize);
    this.engine.write(playStarted());
    this.tell({ event: "play.started" });
    const player = new RtmpPlayer({
      socket,
      source,
      isOwnEdge: this.edgeName !== null,
      traffic: hub.traffic,
      onDrop: (code, reason) => this.close(reason, code),
      onLive: (isLive) => this.engine.write([liveNotice(isLive)]),
    });
    this.state = { at: "playing", player, client };
    hub.clients.add(client);
    this.doing = "playing";
    if (this.edgeName === null) hub.traffic.players += 1;
    this.deadline.clear();
  }

  /** What publish and play have in common: allowed now, a name that is one, a vhost that serves it. */
  private ask(what: Client["does"], name: AmfValue): { request: StreamRequest; vhost: Vhost; client: Client } {
    if (this.state.at !== "idle") throw new DolphinError("RTMP_STATE", `${what} came while ${this.state.at}`);
    this.doing = `asking to ${what}`;
    if (typeof name !== "string") throw new DolphinError("RTMP_COMMAND", `${what} names no stream`);
    const request = resolveStream(this.tcUrl, this.app, name);
    const vhost = this.hub.vhost(request.vhost);
    this.log = this.connectionLog.child({ vhost: vhost.name, app: request.app, stream: request.stream });
    const dismiss = (reason: DolphinError): void => this.dismiss(what, reason);
    return { request, vhost, client: { does: what, protocol: "rtmp", asked: request.vhost, vhost, dismiss } };
  }

  private setChunkSize(chunkSize: number): void {
    if (chunkSize === this.chunkSize) return;
    this.chunkSize = chunkSize;
    this.engine.write([controlMessage(messageType.setChunkSize, chunkSize)]);
  }

  private pausePlay(isPaused: boolean): void {
    if (this.state.at !== "playing") return;
    const { player } = this.state;
    if (isPaused) player.pause();
    this.engine.write(playPaused(isPaused));
    if (!isPaused) player.resume();
  }

  private unpublish(transaction: number): void {
    if (this.state.at !== "publishing") return;
    this.toIdle();
    this.engine.write(publishEnded(transaction));
  }

  private toIdle(): void {
    if (this.state.at === "idle") return;
    this.leave();
    this.log = this.connectionLog;
    this.doing = "waiting for the next publish or play";
    this.expect(nextUseTimeoutMs, "neither publish nor play came again");
  }

  /** Ends what the connection does with a stream. */
  private leave(): void {
    const { state } = this;
    const { traffic, clients } = this.hub;
    if (state.at === "playing" || state.at === "publishing") clients.delete(state.client);
    if (state.at === "playing") {
      if (this.edgeName === null) traffic.players -= 1;
      state.player.close();
    } else if (state.at === "publishing") {
      state.publishing.close();
      if (state.publishing.hasBegun) this.tell({ event: "publish.ended" });
    }
    this.state = { at: "idle" };
  }

  /** Closes the connection when `ms` go by before the next expectation. */
  private expect(ms: number, otherwise: string): void {
    if (this.hub.drainReason !== null) this.drain(this.hub.drainReason);
    else this.deadline.set(ms, () => this.close(`${otherwise} within ${ms} ms`, "RTMP_TIMEOUT"));
  }

  /** A line of ordinary life. What the box's own edges do is told by them, in the name of those whom they serve. */
  private tell(line: object): void {
    if (this.edgeName === null) this.log.info(line);
    else this.log.debug(line);
  }
}

function text(value: AmfValue): string {
  return typeof value === "string" ? value : "";
}
