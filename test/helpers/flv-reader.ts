// A player of HTTP-FLV that believes nothing: the response's head, the FLV header, every tag's size, stream id, back pointer
// and timestamp. Written from the FLV specification (annex E), sharing no code with the server.
import { request, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { Media } from "./rtmp-client.js";
import { within } from "./wait.js";

export interface FlvOptions {
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
}

/** Requests a stream; resolves with the head of the response, whatever its status is. */
export async function watchFlv(url: string, options: FlvOptions = {}): Promise<FlvPlayer> {
  const { timeoutMs = 5000, headers = {}, method = "GET" } = options;
  const asked = request(url, { method, headers, agent: false });
  const opened = new Promise<FlvPlayer>((resolve, reject) => {
    asked.once("response", (response) => resolve(new FlvPlayer(response)));
    asked.once("error", reject);
    asked.end();
  });
  try {
    return await within(opened, timeoutMs, `the head of ${url}`);
  } catch (thrown) {
    asked.on("error", () => undefined).destroy(); // who gave up must not come in later
    throw thrown;
  }
}

export class FlvPlayer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly tags: Media[] = [];
  /** Of these, audio and video. */
  readonly media: Media[] = [];
  /** From the FLV header, once it came. */
  flags: { readonly hasAudio: boolean; readonly hasVideo: boolean } | null = null;
  /** Resolves once: `complete`, `aborted`, or what was wrong with the bytes. */
  readonly ended: Promise<string>;
  endedBy: string | null = null;
  /** The body of a response that is not FLV. */
  body = "";
  longestGapMs = 0;
  private readonly response: IncomingMessage;
  private lastAt = 0;
  private rest: Buffer = Buffer.alloc(0);
  private waiters: (() => void)[] = [];
  private end: (why: string) => void = () => undefined;
  private readonly lastTimestamp = new Map<number, number>();

  constructor(response: IncomingMessage) {
    this.response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.ended = new Promise((resolve) => {
      this.end = (why) => {
        this.endedBy ??= why;
        resolve(this.endedBy);
        this.wake();
      };
    });
    const isFlv = this.status === 200 && String(this.headers["content-type"]).startsWith("video/x-flv");
    response.on("data", (bytes: Buffer) => (isFlv ? this.receive(bytes) : void (this.body += bytes.toString())));
    response.on("end", () => this.end(response.complete ? "complete" : "aborted"));
    response.on("error", () => this.end("aborted"));
    response.on("close", () => this.end("aborted"));
  }

  async waitUntil(what: string, isEnough: (tags: readonly Media[]) => boolean, timeoutMs = 10_000): Promise<void> {
    const look = async (): Promise<void> => {
      while (!isEnough(this.tags)) {
        if (this.endedBy !== null) throw new Error(`the response ended (${this.endedBy}) before ${what}`);
        await new Promise<void>((resolve) => this.waiters.push(resolve));
      }
    };
    await within(look(), timeoutMs, () => `${what}; the player has ${this.tags.length} tags`);
  }

  async waitForMedia(count: number, timeoutMs?: number): Promise<void> {
    await this.waitUntil(`${count} media tags`, () => this.media.length >= count, timeoutMs);
  }

  resetGap(): void {
    this.longestGapMs = 0;
    this.lastAt = Date.now();
  }

  close(): void {
    this.response.destroy();
  }

  private receive(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    try {
      if (this.flags === null && !this.readHeader()) return;
      while (this.readTag());
    } catch (thrown) {
      this.end(thrown instanceof Error ? thrown.message : String(thrown));
      this.response.destroy();
    }
    this.wake();
  }

  private readHeader(): boolean {
    const b = this.rest;
    if (b.length < 13) return false;
    if (b.toString("latin1", 0, 3) !== "FLV" || b[3] !== 1) throw new Error(`no FLV header: ${b.subarray(0, 13).toString("hex")}`);
    const flags = b.readUInt8(4);
    if ((flags & ~5) !== 0 || b.readUInt32BE(5) !== 9) throw new Error(`a wrong FLV header: ${b.subarray(0, 13).toString("hex")}`);
    if (b.readUInt32BE(9) !== 0) throw new Error("PreviousTagSize0 is not 0");
    this.flags = { hasAudio: (flags & 4) !== 0, hasVideo: (flags & 1) !== 0 };
    this.rest = b.subarray(13);
    return true;
  }

  private readTag(): boolean {
    const b = this.rest;
    if (b.length < 11) return false;
    const type = b.readUInt8(0);
    const size = b.readUIntBE(1, 3);
    if (![8, 9, 18].includes(type)) throw new Error(`a tag of type ${type}`);
    if (b.length < 15 + size) return false;
    const timestamp = b.readUIntBE(4, 3) + b.readUInt8(7) * 0x1000000;
    if (b.readUIntBE(8, 3) !== 0) throw new Error("a tag's stream id is not 0");
    const back = b.readUInt32BE(11 + size);
    if (back !== 11 + size) throw new Error(`PreviousTagSize is ${back} after a tag of ${11 + size} bytes`);
    const last = this.lastTimestamp.get(type) ?? 0;
    if (type !== 18 && timestamp < last) throw new Error(`type ${type} runs backwards: ${timestamp} after ${last}`);
    this.lastTimestamp.set(type, timestamp);
    const tag: Media = { type, timestamp, payload: Buffer.from(b.subarray(11, 11 + size)) };
    this.tags.push(tag);
    if (type !== 18) this.media.push(tag);
    this.rest = b.subarray(15 + size);
    const now = Date.now();
    if (this.lastAt > 0) this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt);
    this.lastAt = now;
    return true;
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}
