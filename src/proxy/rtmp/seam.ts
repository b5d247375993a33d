// The seam of a routed RTMP connection: the moment at which a client, who has talked to the proxy until now, begins to talk
// to the server that was chosen for its stream. Bytes of the server go in, bytes for the client come out; no socket.
//
//   client ──── its own bytes, from the first behind the handshake ────▶ server     raw at once: the server's reader
//                                                                                   is built from the same bytes
//   client ◀─ parsed, replies left out, headers re-based ─┬─ server                 then raw too, for good, as soon as
//          ◀────────────── as they are ───────────────────┘                        both sides' readers would be equal
//
// Left out are replies that the client has had from the proxy: `_result` and `_error` by their transaction, and courtesies
// that come once (onBWDone, which the proxy does not send because encoders answer it and not every server would answer
// them; onFCPublish where it was sent). Everything else passes in its order, one message at a time.
//
// Why raw is right: a chunk reader is a function of the chunk size, of one header per chunk stream, and of the messages
// under way. The proxy announces no chunk size, so the client's is 128 as the server's is, and the server's Set Chunk Size
// passes at its place; rewrite.ts keeps account of the headers that the client has seen, the proxy's own included; and
// the change is made between two messages, when none is under way on any chunk stream. If every header that the server may
// refer to is the client's too, all further bytes mean the same to both. A chunk stream that the server has not begun must
// begin with fmt 0, whatever the client remembers of it.
//
// What can stay unequal: a chunk stream on which the last message was left out and whose header is unlike that of the
// proxy's own last reply. Servers reply on csid 3 with the same shape as the proxy, so this is rare; then the seam stays,
// correct and at the price of parsing, until the server uses the chunk stream twice more or the connection ends.
//
// Acknowledgements: both count the bytes of their own connection. The client's run ahead of or behind what the server sent
// by the difference of two dialogues, below 4 KiB and never growing, in windows of megabytes that no known server stops at;
// the server's are exact, because the client's bytes are. Pings and windows pass like every message.
import { DolphinError } from "../../base/errors.js";
import { asObject } from "../../codec/rtmp/amf0.js";
import { parseCommand, type Command } from "../../codec/rtmp/command.js";
import { ChunkReader } from "../../codec/rtmp/chunk-reader.js";
import type { ChunkHeader } from "../../codec/rtmp/chunk-stream.js";
import { mediaStreamId, messageType, type Message } from "../../codec/rtmp/message.js";
import { isEqual, memoryOf, rewrite, type Memory } from "./rewrite.js";

/** A call of the client's that the proxy has answered. */
export interface Answered {
  readonly name: string;
  readonly transaction: number;
}

/** What the client has seen of the proxy. */
export interface Seen {
  /** The last header of each chunk stream that the proxy has used. */
  readonly headers: readonly ChunkHeader[];
  readonly answered: readonly Answered[];
  /** Whether it had onFCPublish. */
  readonly hasNotice: boolean;
}

/** The server's side of one seam. Nothing to close: drop it. */
export class Seam {
  private readonly memory: Memory;
  private readonly answered: Answered[];
  private hasNotice: boolean;
  /** Whether the server has said that the client's stream is the one that the proxy named. */
  private hasStream = false;
  private readonly reader = new ChunkReader((message, header, fmt) => this.pass(message, header, fmt), { tellsAll: true });
  private parts: Buffer[] = [];
  /** Whether the server has said or sent anything of the stream: every reply to what came before is out then. */
  private hasStarted = false;
  private raw = false;

  constructor({ headers, answered, hasNotice }: Seen) {
    this.memory = memoryOf(headers);
    this.answered = [...answered];
    this.hasNotice = hasNotice;
  }

  /** Whether all further bytes of the server are the client's as they are. Once true it stays so. */
  get isRaw(): boolean {
    return this.raw;
  }

  /**
   * Takes the server's next bytes and returns what the client gets: new memory, or the same bytes once raw.
   * Throws what a chunk reader throws, and PROXY_ANSWER when the server refuses what the client was told.
   */
  push(bytes: Buffer): Buffer {
    if (this.raw) return bytes;
    const used = this.reader.push(bytes);
    if (used < bytes.length) this.parts.push(bytes.subarray(used));
    const { parts } = this;
    this.parts = [];
    return Buffer.concat(parts);
  }

  private pass(message: Message, header: ChunkHeader, fmt: number): void {
    if (!this.isKnownToClient(message)) {
      this.parts.push(rewrite(this.memory, message.payload, header, fmt, this.reader.chunkSizeBytes));
    }
    if (this.answered.length > 0 && !this.hasStarted) return;
    if (this.reader.headers().every((known) => isEqual(this.memory, known))) this.raw = this.reader.stop();
  }

  /** Whether the client has had this message from the proxy; each reply is left out once. */
  private isKnownToClient(message: Message): boolean {
    switch (message.type) {
      case messageType.command:
      case messageType.commandAmf3: {
        const command = readCommand(message);
        return command !== null && this.isKnownCommand(command);
      }
      case messageType.audio:
      case messageType.video:
      case messageType.aggregate:
        this.hasStarted = true;
        return false;
      default:
        return false;
    }
  }

  private isKnownCommand(command: Command): boolean {
    switch (command.name) {
      case "onStatus":
        this.hasStarted = true;
        return false;
      case "onBWDone":
        return !this.hasStarted;
      case "onFCPublish": {
        const { hasNotice } = this;
        this.hasNotice = false;
        return hasNotice;
      }
      case "_result":
      case "_error":
        return this.isKnownReply(command);
      default:
        return false;
    }
  }

  private isKnownReply(reply: Command): boolean {
    const at = this.answered.findIndex(({ transaction }) => transaction === reply.transaction);
    if (at < 0) return false;
    const [{ name } = { name: "" }] = this.answered.splice(at, 1);
    if (reply.name === "_error" && (name === "connect" || name === "createStream")) {
      const information = asObject(reply.args[1]);
      const words = [information?.["code"], information?.["description"]].filter((word) => typeof word === "string");
      throw new DolphinError("PROXY_ANSWER", `the server refused ${name}: ${words.join(" ")}`);
    }
    if (name === "createStream" && !this.hasStream) {
      const id = reply.args[1];
      if (id !== mediaStreamId) {
        throw new DolphinError("PROXY_ANSWER", `the server calls the stream ${String(id)}, and the client was told ${mediaStreamId}`);
      }
      this.hasStream = true;
    }
    return true;
  }
}

/** A command, or null where it cannot be read: then it is the client's to understand. */
function readCommand(message: Message): Command | null {
  try {
    return parseCommand(message);
  } catch {
    return null; // the message passes as it is
  }
}
