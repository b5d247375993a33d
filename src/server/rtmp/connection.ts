// An incoming RTMP connection without what is said over it: socket, engine, deadline, and its lines in the log. Whatever a peer
// does wrong ends in `guard`, and costs this connection alone. The dialogue is the session's (session.ts).
//
//   socket ─ bytes ──▶ connection.ts ─ messages ─▶ session.ts ─┬─ publish ─▶ publishing.ts ─ media ─▶ the hub
//   socket ◀─ bytes ── connection.ts ◀─ messages ─ session.ts  └─ play ────▶ playing.ts ─▶ player.ts ─ a write for each batch ─▶ socket
//   command-rate.ts: too many commands            publisher-watch.ts: a publisher who has gone without a word
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, DolphinError, messageOf, type ErrorCode } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { Engine, type EngineHandler } from "../../codec/rtmp/engine.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { Holder } from "../../codec/rtmp/slabs.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { countEnd } from "../../ipc/tally.js";
import type { Asked } from "../peers/caller.js";
import { endSoon } from "../../wire/farewell.js";
import type { Hub } from "../streams/hub.js";
import { clientOf, nameClient, peerOf } from "../peers/peer.js";
import type { SavedConnection } from "../peers/saved-publisher.js";
import { bytesWrittenTo } from "../../wire/direct-write.js";
import { abandon } from "../../wire/shared-read.js";

/** Bytes of answers that may wait for a peer that asks and does not read. */
export const maxUnreadAnswerBytes = 64 << 10;

export interface ConnectionOptions {
  readonly socket: Socket;
  /** The connection's id in logs; 8 characters. */
  readonly conn: string;
  readonly hub: Hub;
  readonly log: Log;
  /** Called once, when the connection is over. */
  readonly onEnd: () => void;
}

/** A stream as lines of the log name it. */
export interface StreamNames {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
}

export function namesOf({ request, vhost }: Pick<Asked, "request" | "vhost">): StreamNames {
  return { vhost: vhost.name, app: request.app, stream: request.stream };
}

/** What a connection tells its session. */
export interface ConnectionOwner {
  /** Also after its end, for what the same read brought. */
  onMessage(message: Message): void;
  /** The connection ends; called once, before its last line. */
  onClose(): void;
}

/** One connection. `close` ends it with a reason, `leave` lets it go on elsewhere. */
export class Connection implements EngineHandler {
  readonly socket: Socket;
  /** Ends what is waited for; the session sets and clears it. */
  readonly deadline = new Deadline();
  /** What the connection is at, for the sentence of an error. */
  doing = "handshaking";
  /** Whether the lines of its ordinary life are told by somebody else, as what the box's own edges do is by them. */
  isQuiet = false;
  isClosed = false;
  /** What a peer says wrongly costs it no more than not being heard: its words may have been cut with the process that served it. */
  isForgiving = false;
  private isDeaf = false;
  private readonly options: ConnectionOptions;
  private readonly owner: ConnectionOwner;
  /** Of a peer that is trusted alone. */
  readonly onClient?: (client: Endpoint) => void;
  private engine: Engine;
  /** What lines of the log name while it has one. A log of its own for each connection would be a fifth of what a viewer takes. */
  private stream: StreamNames | null = null;
  private startedAtMs = Date.now();
  /** What another process has sent before this one. */
  private bytesOutBefore = 0;
  private unreadAnswerBytes = 0;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.options = options;
    this.owner = owner;
    const { socket, hub } = options;
    this.socket = socket;
    if (hub.trusted.has(clientOf(socket).host)) this.onClient = (client) => nameClient(socket, client);
    this.engine = new Engine("server", this);
    socket.on("error", (error) => this.close(messageOf(error)));
    socket.on("close", () => this.close("the peer left"));
  }

  /** Takes what the socket has read, which stays the caller's. */
  read(bytes: Buffer): void {
    if (this.isClosed || this.isDeaf) return;
    this.options.hub.traffic.bytesIn += bytes.length;
    this.socket.cork(); // whatever one read leads to, and a player's start among it, leaves with one system call
    this.guard(() => {
      this.engine.receive(bytes);
      if (this.unreadAnswerBytes > maxUnreadAnswerBytes) throw new DolphinError("RTMP_SLOW", "it asks and does not read the answers");
    });
    this.socket.uncork();
  }

  write(messages: readonly Message[]): void {
    this.engine.write(messages);
  }

  /** Sets the acknowledgement window for what we receive. */
  setAckWindow(bytes: number): void {
    this.engine.setAckWindow(bytes);
  }

  /** Names who keeps the media that comes from now on (codec/rtmp/slabs.ts); null: nobody. */
  lendTo(holder: Holder | null): void {
    this.engine.lendTo(holder);
  }

  /** Runs what a peer's bytes lead to: the one place where their errors end. */
  guard(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      const error = asDolphinError(thrown);
      if (this.isForgiving && error.code !== "INTERNAL") {
        this.isDeaf = true;
        return;
      }
      this.close(error.message, error.code, error.cause);
    }
  }

  /** The same for what begins outside of a read; what it leads to leaves with one system call, too. */
  run(work: () => void): void {
    if (this.isClosed) return;
    this.socket.cork();
    this.guard(work);
    this.socket.uncork();
  }

  /** Names a stream in further lines of the log; null: there is none any more. */
  concern(stream: StreamNames | null): void {
    this.stream = stream;
  }

  /** A line of ordinary life. */
  tell(line: object): void {
    if (this.isQuiet) this.whisper(line);
    else this.options.log.info(this.named(line));
  }

  /** The same for what is told of many in one line elsewhere. */
  whisper(line: object): void {
    this.options.log.debug(this.named(line));
  }

  /** Writes down where it stands, between two reads. Null during the handshake, and while something waits to be written (`isWritten`). */
  save(isWritten: boolean): SavedConnection | null {
    const { socket, startedAtMs } = this;
    const engine = this.isClosed || (isWritten && socket.writableLength > 0) ? null : this.engine.save();
    if (engine === null) return null;
    return { conn: this.options.conn, client: clientOf(socket), startedAtMs, bytesOut: this.account().bytesOut, engine };
  }

  /** Goes on, before anything is read, where another process has stood. */
  goOn({ engine, startedAtMs, bytesOut }: SavedConnection): void {
    this.engine = Engine.resume(engine, this);
    this.startedAtMs = startedAtMs;
    this.bytesOutBefore = bytesOut;
  }

  /** Lets it go on in another process. This one closes its descriptor when that has been `sent`. */
  leave(sent: Promise<void>, { isOneOfMany = false } = {}): void {
    this.isClosed = true;
    this.deadline.clear();
    const line = { event: "rtmp.moved", ...this.account() };
    if (isOneOfMany) this.whisper(line);
    else this.tell(line);
    void sent.then(abandon(this.socket));
    this.options.onEnd();
  }

  /** Ends the connection: with a code it is a failure and a warning, without one ordinary life. Again does nothing. */
  close(reason: string, code?: ErrorCode, cause?: unknown): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.deadline.clear();
    this.owner.onClose();
    endSoon(this.socket);
    const line = { event: "rtmp.closed", code, reason, ...this.account() };
    countEnd(this.options.hub.traffic.tally, code);
    // Whoever leaves before the handshake is through, as balancers' checks do, has asked for nothing; a relay that leads back here
    // tells of it itself, once, and tries again.
    if (code === undefined ? !this.engine.isOpen : code === "RELAY_LOOP") this.whisper(line);
    else if (code === undefined) this.tell(line);
    else if (code === "INTERNAL") this.options.log.error(this.named({ ...line, err: cause }));
    else this.options.log.warn(this.named(line));
    this.options.onEnd();
  }

  /** The connection's id in logs. */
  get conn(): string {
    return this.options.conn;
  }

  /** Since 1970, in whatever process. */
  get sinceMs(): number {
    return this.startedAtMs;
  }

  /** What it was at and what it has cost, for its last line. */
  account(): { doing: string; durMs: number; bytesIn: number; bytesOut: number } {
    const { doing, startedAtMs, engine, socket, bytesOutBefore } = this;
    return { doing, durMs: Date.now() - startedAtMs, bytesIn: engine.bytesIn, bytesOut: bytesOutBefore + bytesWrittenTo(socket) };
  }

  /** Sends what the dialogue says. It never closes: those who call it are in the middle of something. */
  onSend(bytes: Buffer): void {
    if (this.isClosed) return;
    this.options.hub.traffic.bytesOut += bytes.length;
    this.unreadAnswerBytes += bytes.length;
    this.socket.write(bytes, () => (this.unreadAnswerBytes -= bytes.length));
  }

  onOpen(): void {
    this.doing = "waiting for connect";
  }

  onMessage(message: Message): void {
    this.owner.onMessage(message);
  }

  private named(line: object): object {
    return { conn: this.conn, peer: peerOf(this.socket), ...this.stream, ...line };
  }
}
