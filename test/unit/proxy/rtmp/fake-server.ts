// An RTMP server for tests of the router that compresses chunk headers as far as the specification allows, from the first
// message on, on several chunk streams at once. It answers like nginx-rtmp or like SRS; what it is sent it keeps.
import { createServer, type Server, type Socket } from "node:net";
import { asObject, encodeAmf, type AmfObject } from "../../../../src/codec/rtmp/amf0.js";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { makeCommand, makeStatus, parseCommand, type Command } from "../../../../src/codec/rtmp/command.js";
import { acknowledged, connectResult, fmleNotice } from "../../../../src/codec/rtmp/dialogue.js";
import { answerHello, handshakeBytes, helloBytes } from "../../../../src/codec/rtmp/handshake.js";
import { controlEvent, controlMessage, messageType, peerBandwidth, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import type { Cleanup } from "../../../helpers/dolphin.js";
import type { Media } from "../../../helpers/rtmp-client.js";
import { HabitWriter } from "./habits.js";

export interface FakeHabits {
  readonly extended?: "repeated" | "once";
  /** Announced behind connect; null: none is. */
  readonly chunkSize?: number | null;
  /** `srs` answers every call and says onBWDone; `nginx` answers connect and createStream only. */
  readonly manner?: "srs" | "nginx";
  /** Sent to every player, at once behind Play.Start. */
  readonly media?: readonly Media[];
  /** The server sends pieces of so many bytes. */
  readonly pieceBytes?: number;
  /** Bytes in front of the handshake that are passed over. */
  readonly prefaceBytes?: number;
  readonly streamId?: number;
  /** It sends on whoever gives this command: behind its answer as SRS does it, but for `connect`, which it refuses. */
  readonly redirect?: { readonly at: "connect" | "publish" | "play"; readonly ex: () => AmfObject };
}

const csidOf: Readonly<Record<number, number>> = { [messageType.audio]: 70, [messageType.video]: 6, [messageType.data]: 4 };

/** One connection's side of a server, without its socket: bytes in, bytes out. */
export class FakeSession {
  readonly commands: Command[] = [];
  readonly media: Message[] = [];
  tcUrl = "";
  private readonly habits: FakeHabits;
  private readonly send: (bytes: Buffer) => void;
  private readonly writer: HabitWriter;
  private readonly reader = new ChunkReader((message) => this.receive(message));
  private handshake: Buffer = Buffer.alloc(0);
  private isOpen = false;
  private isFmle = false;

  constructor(habits: FakeHabits, send: (bytes: Buffer) => void) {
    this.habits = habits;
    this.send = send;
    this.writer = new HabitWriter(habits.extended ?? "repeated");
  }

  push(bytes: Buffer): void {
    if (this.isOpen) {
      this.reader.push(bytes);
      return;
    }
    const hadHello = this.handshake.length >= this.helloAt + helloBytes;
    this.handshake = Buffer.concat([this.handshake, bytes]);
    if (!hadHello && this.handshake.length >= this.helloAt + helloBytes) this.send(answerHello(this.handshake.subarray(this.helloAt)));
    const end = this.helloAt + helloBytes + handshakeBytes;
    if (this.handshake.length < end) return;
    this.isOpen = true;
    this.reader.push(this.handshake.subarray(end));
  }

  /** Sends media; messages of different chunk streams are interleaved chunk by chunk. */
  play(media: readonly Media[]): void {
    for (const { type, timestamp, payload } of media) {
      const csid = csidOf[type] ?? 8;
      while (this.writer.isOpen(csid)) for (const other of this.writer.underWay()) this.send(this.writer.next(other));
      this.send(this.writer.begin(csid, { type, streamId: 1, timestamp, payload }, 3));
    }
    while (this.writer.underWay().length > 0) for (const other of this.writer.underWay()) this.send(this.writer.next(other));
  }

  say(csid: number, message: Message): void {
    this.send(this.writer.write(csid, message, 3));
  }

  private get helloAt(): number {
    return this.habits.prefaceBytes ?? 0;
  }

  private receive(message: Message): void {
    if (message.type === messageType.command) {
      const command = parseCommand(message);
      this.commands.push(command);
      this.answer(command);
    } else if ([messageType.audio, messageType.video, messageType.data].some((type) => type === message.type)) this.media.push(message);
  }

  private answer(command: Command): void {
    const { redirect } = this.habits;
    if (redirect?.at !== command.name) {
      this.accept(command);
      return;
    }
    const information = { level: "error", code: "NetConnection.Connect.Rejected", description: "RTMP 302 Redirect", ex: redirect.ex() };
    if (command.name === "connect") this.say(3, makeCommand(0, "_error", command.transaction, null, information));
    else {
      this.accept(command);
      this.say(5, makeCommand(0, "onStatus", 0, null, information));
    }
  }

  private accept({ name, transaction, args }: Command): void {
    const { manner = "srs", chunkSize = 60_000, media = [], streamId = 1 } = this.habits;
    const isSrs = manner === "srs";
    switch (name) {
      case "connect":
        this.tcUrl = String(asObject(args[0])?.["tcUrl"]);
        this.say(2, controlMessage(messageType.windowAckSize, 2_500_000));
        this.say(2, peerBandwidth(2_500_000));
        if (chunkSize !== null) this.say(2, controlMessage(messageType.setChunkSize, chunkSize));
        this.say(3, connectResult({ transaction, objectEncoding: 0, conn: "fake", pid: 7, localAddress: "127.0.0.1" }));
        if (isSrs) this.say(3, makeCommand(0, "onBWDone", 0, null));
        return;
      case "createStream":
        this.say(3, acknowledged(transaction, streamId));
        return;
      case "publish":
        if (this.isFmle && isSrs) this.say(5, fmleNotice("onFCPublish", "NetStream.Publish.Start", "Started publishing stream.", 1));
        this.say(5, makeStatus("status", "NetStream.Publish.Start", "Started publishing stream."));
        return;
      case "play":
        this.say(2, userControl(controlEvent.streamBegin, 1));
        this.say(5, makeStatus("status", "NetStream.Play.Reset", "Playing and resetting stream."));
        this.say(5, makeStatus("status", "NetStream.Play.Start", "Started playing stream."));
        this.say(4, { type: messageType.data, streamId: 1, timestamp: 0, payload: encodeAmf("|RtmpSampleAccess", true, true) });
        this.play(media);
        return;
      case "getStreamLength":
        if (isSrs) this.say(3, acknowledged(transaction, 0));
        return;
      default:
        if (name === "releaseStream") this.isFmle = true;
        if (isSrs && transaction > 0) this.say(3, acknowledged(transaction));
    }
  }
}

/** Listens on a free port of loopback until the end of the test. */
export class FakeServer {
  readonly sessions: FakeSession[] = [];
  readonly sockets = new Set<Socket>();
  port = 0;
  private readonly server: Server;

  private constructor(habits: FakeHabits) {
    this.server = createServer({ noDelay: true }, (socket) => {
      this.sockets.add(socket);
      const session = new FakeSession(habits, (bytes) => {
        const size = habits.pieceBytes ?? bytes.length;
        for (let at = 0; at < bytes.length && !socket.destroyed; at += size) socket.write(bytes.subarray(at, at + size));
      });
      this.sessions.push(session);
      socket.on("data", (bytes: Buffer) => session.push(bytes));
      socket.on("error", () => undefined); // a reset is one of the ends
    });
  }

  static async start(t: Cleanup, habits: FakeHabits = {}): Promise<FakeServer> {
    const fake = new FakeServer(habits);
    await new Promise<void>((resolve) => fake.server.listen(0, "127.0.0.1", resolve));
    const address = fake.server.address();
    fake.port = typeof address === "object" && address !== null ? address.port : 0;
    t.after(() => fake.stop());
    return fake;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
