// HOT PATH: a crowd that watches over HLS asks for each segment in the same words, for its players are the same few programs. A request
// that came before, byte for byte, gets the answer of then before Node reads it: by three system calls, out of the same memory for all.
// Nothing is parsed here: what is not known goes to Node, and what Node has answered is known from then on. docs/decisions/0025-hls-cost.md.
//
//   a read ─▶ one whole request, and Node has nothing to do? ── known ─▶ the head of then with the date of now, and the file by its copy
//                         └ else, or not known ─▶ node:http ─▶ stored.ts ── learn ─▶ known, once Node is done with it
import { ServerResponse, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { keptConnectionMs } from "../../base/sockets/kept-connections.js";
import type { Config } from "../../conf/meaning/config.js";
import { descriptorOf, withSharedRead } from "../../wire/shared-read.js";
import type { HotFile, HotFiles } from "../hls/hot-files.js";
import type { HlsSessions } from "../hls/sessions.js";
import { endWith, headIsSent, headOf } from "./files.js";

/** From the connection to the end of a request's headers. */
export const headersTimeoutMs = 5_000;
/** Requests that are remembered with their answers, and how long each may be. */
export const maxKnownRequests = 4_000;
export const maxKnownRequestBytes = 1_024;

/** The file that a request was answered with. */
export interface Answer {
  /** By which it is known among those in memory. */
  readonly key: string;
  readonly file: HotFile;
  /** Of the viewer whom the request names; null: none. */
  readonly session: string | null;
}

/** What is remembered of an answer, but for the file itself, whose memory is another's. */
interface Known extends Omit<Answer, "file"> {
  readonly etag: string;
  readonly config: Config;
  /** What stands before and behind the date. */
  readonly head: readonly [string, string];
  /** The head as of one second. */
  dated: Buffer;
  second: number;
}

/** What has to be known of the process. */
export interface Surroundings {
  readonly hot: Pick<HotFiles, "known">;
  readonly sessions: Pick<HlsSessions, "find" | "count">;
  /** By what requests are answered now; null: each is to be looked at by itself. */
  readonly config: () => Config | null;
}

/** What one process knows. Nothing to close. */
export class AskedAgain {
  private readonly around: Surroundings;
  private readonly known = new Map<string, Known>();
  /** By which all that is known was answered. */
  private config: Config | null = null;
  private readonly askers = new WeakMap<Socket, Asker>();
  /** Those of whom Node knows nothing. */
  private readonly unread = new Set<Asker>();

  constructor(around: Surroundings) {
    this.around = around;
  }

  /** The socket by which an accepted, paused connection goes on. All that comes is Node's, until `watch`. */
  take(accepted: Socket): Socket {
    const asker = new Asker(accepted, this);
    this.askers.set(asker.socket, asker);
    return asker.socket;
  }

  /** Answers what is known on a connection from now on; `read` makes Node read it, before the first bytes that are not. */
  watch(socket: Socket, read: () => void): void {
    const asker = this.askers.get(socket);
    if (asker === undefined) return read();
    const over = (): void => void this.unread.delete(asker);
    this.unread.add(asker);
    socket.once("close", over);
    asker.watch(() => {
      socket.off("close", over);
      over();
      read();
    });
  }

  /** Ends connections on which nothing is under way, of those that Node does not know. */
  endIdle(): void {
    for (const { socket } of this.unread) if (socket.writableLength === 0) socket.destroy();
  }

  /** To be told of each request that Node has read, before it is answered. */
  follow(request: IncomingMessage, response: ServerResponse): void {
    const asker = this.askers.get(request.socket);
    if (asker === undefined) return;
    response.once("finish", () => {
      const learned = asker.done(request.complete && response.shouldKeepAlive); // what has a body is not over with its head
      if (learned !== null) this.keep(...learned);
    });
  }

  /** To be told of a response that has the whole of a file in it. */
  learn(response: ServerResponse, { key, file: { etag }, session }: Answer): void {
    const asker = response.socket === null ? undefined : this.askers.get(response.socket);
    const config = this.around.config();
    const [before, after] = headOf(response)?.split(/^Date: .*$/m) ?? [];
    if (asker === undefined || config === null || before === undefined || after === undefined) return;
    asker.answer = { key, etag, session, config, head: [before, after], dated: nothing, second: 0 };
  }

  private keep(text: string, answer: Known): void {
    if (answer.config !== this.around.config()) return;
    if (this.config !== answer.config || this.known.size >= maxKnownRequests) this.known.clear();
    this.config = answer.config;
    this.known.set(text, answer);
  }

  /** Answers a whole request where it can. */
  answer(text: string, socket: Socket): Taken {
    const known = this.known.get(text);
    const { hot, sessions, config } = this.around;
    const file = known === undefined || known.config !== config() ? null : hot.known(known.key);
    if (known === undefined || file?.etag !== known.etag) return "unknown";
    const { session: id } = known;
    const fd = socket.writableLength > 0 ? null : descriptorOf(socket);
    const head = headOfNow(known);
    const taken = fd === null ? 0 : (file.copy?.send(fd, head, 0, file.sizeBytes) ?? 0);
    if (taken === 0) return "unknown";
    const session = id === null ? null : sessions.find(id);
    if (session !== null) sessions.count(session, file.sizeBytes);
    if (taken === head.length + file.sizeBytes) return "answered";
    if (taken < head.length) socket.write(head.subarray(taken));
    this.goOn(socket, file.bytes.subarray(Math.max(0, taken - head.length)));
    return "begun";
  }

  /** Leaves the rest of an answer to Node, and reads on behind it. */
  private goOn(socket: Socket, rest: Buffer): void {
    const response = new ServerResponse(askedBefore);
    response.assignSocket(socket);
    response.once("finish", () => {
      response.detachSocket(socket);
      socket.setTimeout(keptConnectionMs).resume();
    });
    headIsSent(response);
    endWith(response, rest);
  }
}

type Taken = "answered" | "begun" | "unknown";

const nothing = Buffer.alloc(0);
/** What Node wants to know of a request whose answer it writes. */
const askedBefore = { method: "GET", httpVersionMajor: 1, httpVersionMinor: 1 } as IncomingMessage;

function headOfNow(known: Known): Buffer {
  const second = Math.floor(Date.now() / 1000);
  if (known.second !== second) {
    known.second = second;
    known.dated = Buffer.from(known.head.join(`Date: ${new Date(second * 1000).toUTCString()}`), "latin1");
  }
  return known.dated;
}

/** No request; and one whose answer is never remembered, which may be a stream that goes on for hours. */
const [mixed, other] = ["", "other"];
const namesSegment = /^GET [^ ]*\.(?:ts|m4s)[? ]/i;

/** One connection, and what Node has of it. */
class Asker {
  readonly socket: Socket;
  /** What it is being answered with, if that may be given again. */
  answer: Known | null = null;
  /** The one request that Node has, or `other`; null: none; `mixed`: only Node can tell where one ends and the next begins, for good. */
  private asked: string | null = mixed;
  private read: (() => void) | null = null;
  private readonly again: AskedAgain;

  constructor(accepted: Socket, again: AskedAgain) {
    this.again = again;
    this.socket = withSharedRead(accepted, (bytes) => this.hear(bytes));
  }

  /** What Node does for a connection is done here until it reads it. */
  watch(read: () => void): void {
    const { socket } = this;
    const end = (): void => void socket.end();
    const destroy = (): void => void socket.destroy();
    socket.on("error", ignore).on("end", end).on("timeout", destroy).setTimeout(headersTimeoutMs).resume();
    this.asked = null;
    this.read = () => {
      this.read = null;
      socket.off("error", ignore).off("end", end).off("timeout", destroy).setTimeout(0);
      read();
    };
  }

  /** To be told when the request that Node has is answered, and whether nothing is left of it; gives what is known since. */
  done(isWhole: boolean): [string, Known] | null {
    const { asked, answer } = this;
    this.answer = null;
    this.asked = isWhole && asked !== mixed ? null : mixed;
    return this.asked !== null || asked === null || asked === other || answer === null ? null : [asked, answer];
  }

  private hear(bytes: Buffer): boolean {
    const text = this.asked === null ? textOf(bytes) : null;
    const taken = text === null ? "unknown" : this.again.answer(text, this.socket);
    if (taken === "unknown") {
      this.asked = text === null ? mixed : requestIn(text);
      this.read?.();
      return this.socket.push(Buffer.from(bytes));
    }
    if (this.read !== null && this.socket.timeout !== keptConnectionMs) this.socket.setTimeout(keptConnectionMs);
    return taken === "answered";
  }
}

/** Null: they are too many for one request that could be known. */
function textOf(bytes: Buffer): string | null {
  return bytes.length > maxKnownRequestBytes ? null : bytes.toString("latin1");
}

/** The request that the text is, as `asked` has it, by what it looks like; what is in it is Node's to say. */
function requestIn(text: string): string {
  const isOne = text.startsWith("GET ") && text.indexOf("\r\n\r\n") === text.length - 4;
  if (!isOne) return mixed;
  return namesSegment.test(text) ? text : other;
}

function ignore(): void {}
