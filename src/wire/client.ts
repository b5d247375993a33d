// An outgoing RTMP connection that plays or publishes one stream: what an edge pulls with and pushes with, and what
// forwards. It goes through the dialogue once and then carries media; who to try next is its caller's affair.
//
//   connecting ─▶ handshake ─▶ connect ─▶ createStream ─▶ play | publish ─▶ started ─▶ closed
//     ▲  └──────────── any refusal, time-out or end ────────────────────────────────────▲
//     └─────────────── a refusal that names another server (redirect.ts), at any point ─┘
//
//   edge-pull.ts   an origin ─▶ client.ts ─▶ the source                                upstreams.ts: which origin is tried next
//   edge-push.ts   a publisher ─▶ outlet.ts ─▶ replay.ts, before the box's own origin ─▶ client.ts ─▶ an origin
//   forwards.ts    the source ─▶ forward.ts, for each destination ─▶ outlet.ts ─▶ client.ts ─▶ another server
//   outage.ts      what the log tells of all three, when an upstream is lost and when it is back
import { Socket, type SocketConstructorOpts, type TcpNetConnectOpts } from "node:net";
import { Deadline } from "../base/deadline.js";
import { asDolphinError, DolphinError, messageOf, type ErrorCode } from "../base/errors.js";
import { defaultVhost } from "../base/host-name.js";
import { signature, version } from "../base/version.js";
import { asObject, decodeAmf, type AmfObject, type AmfValue } from "../codec/rtmp/amf0.js";
import { amf0Body, makeCommand, parseCommand } from "../codec/rtmp/command.js";
import { isLoop, isStreamEnd } from "../codec/rtmp/dialogue.js";
import { Engine } from "../codec/rtmp/engine.js";
import type { Holder } from "../codec/rtmp/slabs.js";
import { controlEvent, controlMessage, mediaStreamId, messageType, userControl, type Message } from "../codec/rtmp/message.js";
import { isPlayStatus } from "../codec/rtmp/metadata.js";
import type { StreamRequest } from "../codec/rtmp/url.js";
import { newsCommand, readNews, watchCommand, type WatchedChange } from "../codec/rtmp/watch.js";
import type { Endpoint } from "../conf/meaning/config.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import { endDelivered, endSoon } from "./farewell.js";
import { isService, names } from "./names.js";
import { sharedRead } from "./shared-read.js";
import { Trail } from "./redirect.js";

/** How long an upstream may take from the first packet of the connection to the start of the stream. */
export const startTimeoutMs = 5_000;
/** How long one address of several may take to accept. */
const attemptTimeoutMs = 1_000;
const outChunkSize = 60_000;
const ackWindowBytes = 2_500_000;

export interface ClientOptions {
  readonly endpoint: Endpoint;
  readonly request: StreamRequest;
  /** `watch`: it is told which streams there are, and asks for none. */
  readonly purpose: "play" | "publish" | "watch";
  /** Members of the second object of `connect`, by which servers know an edge; null sends none. */
  readonly args: AmfObject | null;
}

/** What a client tells its caller. Nothing is called after `onClosed`. */
export interface ClientHandler {
  /** The upstream has accepted: media flows, or may be sent. With what it said of it, if it did. */
  onStarted(information: AmfObject | null): void;
  /** Audio, video, data and user control of a stream that is played. */
  onMessage(message: Message): void;
  /** Of `watch` alone: streams have begun or ended. */
  onNews?(change: WatchedChange): void;
  /** The upstream says that the stream has ended. The connection stays, and another stream may begin on it. */
  onStreamEnd(): void;
  /** The socket has taken what waited in it. */
  onDrain(): void;
  /** The upstream has sent us on to another: nothing may be sent until `onStarted` is called, once more if it was before. */
  onRedirected(): void;
  /** The connection is over: refused, failed, ended by the other side, or closed by `close`. */
  onClosed(reason: DolphinError): void;
}

type Phase = "connecting" | "connect" | "createStream" | "starting" | "started" | "closed";

/** A connection to one server. */
interface Line {
  readonly endpoint: Endpoint;
  readonly socket: Socket;
  readonly engine: Engine;
}

/** One outgoing connection, through all servers that it is sent along. It begins at once; `close` ends it. */
export class RtmpClient {
  private readonly options: ClientOptions;
  private readonly handler: ClientHandler;
  private readonly trail: Trail;
  private line: Line;
  /** From the lines before. */
  private earlierBytesIn = 0;
  private readonly deadline = new Deadline();
  private phase: Phase = "connecting";
  private streamId = mediaStreamId;

  constructor(options: ClientOptions, handler: ClientHandler) {
    this.options = options;
    this.handler = handler;
    this.trail = new Trail(options.endpoint);
    this.line = this.open(options.endpoint);
  }

  /** The server that it is connected to, or would be. */
  get endpoint(): Endpoint {
    return this.line.endpoint;
  }

  /** Bytes that the socket has not taken yet. */
  get backlogBytes(): number {
    return this.line.socket.writableLength;
  }

  /** Bytes received so far. */
  get bytesIn(): number {
    return this.earlierBytesIn + this.line.engine.bytesIn;
  }

  /** Names who keeps the media that comes from now on (codec/rtmp/slabs.ts). Only after `onStarted`. */
  lendTo(holder: Holder): void {
    this.line.engine.lendTo(holder);
  }

  /** Whether it is closed, and nothing of it is under way any more. */
  get isGone(): boolean {
    return this.line.socket.destroyed;
  }

  /** Sends messages of the stream as one piece; their stream id is set to the upstream's. Only after `onStarted`. */
  write(messages: readonly Message[]): void {
    this.line.engine.write(messages.map((message) => ({ ...message, streamId: this.streamId })));
  }

  /** Ends the connection and tells the caller with this reason; again does nothing. RELAY_CLOSED lets what was published arrive. */
  close(reason: DolphinError): void {
    if (this.phase === "closed") return;
    this.phase = "closed";
    this.deadline.clear();
    const { socket, engine, endpoint } = this.line;
    if (pointsElsewhere.has(reason.code)) names.failed(endpoint);
    engine.lendTo(null);
    if (this.options.purpose === "publish" && reason.code === "RELAY_CLOSED") endDelivered(socket);
    else endSoon(socket);
    this.handler.onClosed(reason);
  }

  /** Begins with a server. What comes of the line before is nobody's any more. */
  private open(endpoint: Endpoint): Line {
    const isCurrent = (): boolean => this.line.socket === socket;
    const engine = new Engine("client", {
      onSend: (bytes) => void socket.write(bytes),
      onOpen: () => this.sendConnect(),
      onMessage: (message) => {
        if (isCurrent()) this.receive(message);
      },
    });
    const onread = sharedRead((bytes) => {
      if (isCurrent() && this.phase !== "closed") this.receiveFrom(socket, engine, bytes);
      return true;
    });
    const options: SocketConstructorOpts & Pick<TcpNetConnectOpts, "onread"> = { onread };
    const socket: Socket = new Socket(options).setNoDelay(true);
    connectTo(socket, endpoint);
    socket.on("connect", () => engine.start());
    socket.on("drain", () => isCurrent() && this.handler.onDrain());
    socket.on("error", (error) => isCurrent() && this.fail("RELAY_CONNECT", `${messageOf(error)} while ${this.doing}`, error));
    socket.on("close", () => isCurrent() && this.fail("RELAY_CLOSED", `the upstream closed the connection while ${this.doing}`));
    this.deadline.set(startTimeoutMs, () => this.fail("RELAY_TIMEOUT", `no answer within ${startTimeoutMs} ms while ${this.doing}`));
    return { endpoint, socket, engine };
  }

  /** Goes on at another server with the same request. */
  private goTo(endpoint: Endpoint): void {
    const { socket, engine } = this.line;
    this.phase = "connecting";
    this.earlierBytesIn += engine.bytesIn;
    this.line = this.open(endpoint);
    endSoon(socket);
    this.handler.onRedirected();
  }

  /** What the connection is at, for the sentence of an error. */
  private get doing(): string {
    const { purpose } = this.options;
    const act = this.phase === "connecting" ? "connecting to" : this.phase === "started" ? `${purpose}ing on` : `asking to ${purpose} on`;
    return `${act} ${formatEndpoint(this.endpoint)}${this.trail.text}`;
  }

  private fail(code: ErrorCode, message: string, cause?: unknown): void {
    const isDown = code === "RELAY_CONNECT" || code === "RELAY_TIMEOUT";
    // That a server is gone says nothing of the one that has named it.
    const told = !isDown || !this.trail.isLed ? code : this.phase === "started" ? "RELAY_CLOSED" : "RELAY_REDIRECT";
    this.close(new DolphinError(told, message, { cause }));
  }

  /** Takes what a server has sent: the one place where its errors end. */
  private receiveFrom(socket: Socket, engine: Engine, bytes: Buffer): void {
    try {
      engine.receive(bytes);
    } catch (error) {
      if (this.line.socket !== socket) return; // it has sent us on, and what it says behind that is nobody's
      const { code, message } = asDolphinError(error);
      if (code === "RELAY_REDIRECT") this.fail(code, message);
      else this.fail(code === "INTERNAL" ? code : "RELAY_REFUSED", `${message} (${code}) while ${this.doing}`, error);
    }
  }

  private sendConnect(): void {
    this.phase = "connect";
    const { args, request } = this.options;
    const tcUrl = this.tcUrl();
    const properties = {
      app: request.app,
      flashVer: "WIN 15,0,0,239",
      swfUrl: "",
      tcUrl,
      fpad: false,
      capabilities: 239,
      audioCodecs: 3575,
      videoCodecs: 252,
      videoFunction: 1,
      pageUrl: "",
      objectEncoding: 0,
    };
    const objects: AmfValue[] = args === null ? [properties] : [properties, args];
    this.line.engine.write([
      makeCommand(0, "connect", 1, ...objects),
      controlMessage(messageType.windowAckSize, ackWindowBytes),
      controlMessage(messageType.setChunkSize, outChunkSize),
    ]);
  }

  /** The vhost travels as the host of the tcUrl, as SRS reads it. */
  private tcUrl(): string {
    const { endpoint } = this;
    const { request } = this.options;
    const host = request.vhost === defaultVhost ? endpoint.host.replace(/^srv\+/, "") : request.vhost;
    const port = endpoint.port === 1935 ? "" : `:${endpoint.port}`;
    return `rtmp://${host.includes(":") ? `[${host}]` : host}${port}/${request.app}`;
  }

  private receive(message: Message): void {
    switch (message.type) {
      case messageType.command:
      case messageType.commandAmf3:
        this.onCommand(message);
        return;
      case messageType.audio:
      case messageType.video:
        if (this.phase === "starting") this.started(null); // some servers send media before, or instead of, Play.Start
        break;
      case messageType.data:
      case messageType.dataAmf3:
        if (this.isPlayStatus(message)) return;
        break;
      case messageType.userControl:
        if (this.phase === "started" && message.payload.readUInt16BE(0) === controlEvent.streamEof) this.handler.onStreamEnd();
        break;
      default:
    }
    if (this.phase === "started") this.handler.onMessage(message);
  }

  private onCommand(message: Message): void {
    const { name, transaction, args } = parseCommand(message);
    const information = asObject(args[1]);
    switch (name) {
      case "_result":
        if (this.phase === "connect" && transaction === 1) this.accepted();
        else if (this.phase === "createStream" && transaction === 2) this.startStream(args[1]);
        return;
      case "_error":
        this.refuse(information);
        return;
      case "onStatus":
        if (information?.["level"] === "error") this.refuse(information);
        else if (this.phase === "starting" && isStart(information?.["code"])) this.started(information);
        else if (this.phase === "started" && isStreamEnd(information?.["code"])) this.handler.onStreamEnd();
        return;
      case newsCommand:
        if (this.phase === "started") this.handler.onNews?.(readNews(args[1]));
        return;
      case "close":
        this.fail("RELAY_REFUSED", `the upstream asked to close while ${this.doing}`);
        return;
      default: // onBWDone, onFCPublish and other courtesies
    }
  }

  /** Takes what Adobe's servers say of a play as data; false: it is data of the stream's. */
  private isPlayStatus(message: Message): boolean {
    const body = amf0Body(message);
    if (!isPlayStatus(body)) return false;
    const [, information] = decodeAmf(body);
    if (this.phase === "started" && isStreamEnd(asObject(information)?.["code"])) this.handler.onStreamEnd();
    return true;
  }

  private accepted(): void {
    if (this.options.purpose !== "watch") {
      this.createStream();
      return;
    }
    this.line.engine.write([makeCommand(0, watchCommand, 0, null)]);
    this.started(null);
  }

  private createStream(): void {
    this.phase = "createStream";
    this.line.engine.write([makeCommand(0, "createStream", 2, null)]);
  }

  private startStream(id: AmfValue): void {
    this.phase = "starting";
    this.streamId = typeof id === "number" ? id : mediaStreamId;
    const { purpose, request } = this.options;
    const name = `${request.stream}${request.params}`;
    if (purpose === "publish") this.line.engine.write([makeCommand(this.streamId, "publish", 3, null, name, "live")]);
    else {
      this.line.engine.write([
        makeCommand(this.streamId, "play", 3, null, name),
        userControl(controlEvent.setBufferLength, this.streamId, 1000),
      ]);
    }
  }

  private started(information: AmfObject | null): void {
    this.phase = "started";
    this.deadline.clear();
    this.handler.onStarted(information);
  }

  private refuse(information: AmfObject | null): void {
    if (isLoop(information)) {
      this.fail(
        "RELAY_LOOP",
        `it leads back here: ${formatEndpoint(this.endpoint)} is this very server, or one that has the stream from it`,
      );
      return;
    }
    const next = this.trail.next(information);
    if (next !== null) {
      this.goTo(next);
      return;
    }
    const words = [information?.["code"], information?.["description"]].filter((word) => typeof word === "string");
    const isBusy = information?.["code"] === "NetStream.Publish.BadName"; // the stream is there: another server would make it two
    this.fail(isBusy ? "RTMP_BUSY" : "RELAY_REFUSED", `the upstream refused: ${words.join(" ")} while ${this.doing}`);
  }
}

/** Reasons for which another address of the same name may be better. */
const pointsElsewhere: ReadonlySet<ErrorCode> = new Set(["RELAY_CONNECT", "RELAY_TIMEOUT", "RELAY_SILENT", "RELAY_REFUSED"]);

/** Tries all addresses of a name in turn. */
function connectTo(socket: Socket, endpoint: Endpoint): void {
  const connect = ({ host, port }: Endpoint): void => {
    if (!socket.destroyed)
      socket.connect({ host, port, lookup: names.lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: attemptTimeoutMs });
  };
  if (isService(endpoint))
    names.placeOf(endpoint).then(connect, (thrown: unknown) => socket.destroy(thrown instanceof Error ? thrown : undefined));
  else connect(endpoint);
}

/** The second object of `connect` in SRS's words; `edgeKey` tells the box's own origin that it is one of its edges. */
export function upnodeArgs(name: string, edgeKey: string): AmfObject {
  return {
    srs_sig: "dolphin",
    srs_server: signature,
    srs_license: "MIT",
    srs_version: version,
    srs_pid: process.pid,
    dolphin_edge: edgeKey,
    dolphin_name: name,
  };
}

function isStart(code: AmfValue): boolean {
  return code === "NetStream.Play.Start" || code === "NetStream.Publish.Start";
}
