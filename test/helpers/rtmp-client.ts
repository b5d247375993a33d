// Players and publishers of the tests: an independent client over rtmp-connection.ts. A player collects what it gets; a
// publisher sends messages of any kind in the order of any of the usual encoders.
import { encodeAmf, type Amf } from "./amf0.js";
import type { RtmpMessage } from "./rtmp-chunks.js";
import { parseRtmpUrl, RtmpConnection, type ConnectOptions } from "./rtmp-connection.js";
import { within } from "./wait.js";

/** A message of media or data without its place on the wire. */
export interface Media {
  /** 8 audio, 9 video, 18 data. */
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Buffer;
}

export interface PublisherOptions extends ConnectOptions {
  /** The order of commands: of ffmpeg and OBS, of Flash, of Haivision's encoders. */
  readonly order?: "fmle" | "flash" | "haivision";
}

const csidOf: Readonly<Record<number, number>> = { 8: 4, 9: 6, 18: 5, 22: 7 };

/** Plays a stream until closed. Resolves once Play.Start came, whether or not anybody publishes. */
export async function player(url: string, options: ConnectOptions = {}): Promise<RtmpPlayer> {
  const target = parseRtmpUrl(url);
  const connection = await RtmpConnection.open(target, options);
  const viewer = new RtmpPlayer(connection);
  try {
    const created = await connection.call("createStream", []);
    viewer.streamId = Number(created.values[1]);
    connection.command("play", [target.stream, -2000], { streamId: viewer.streamId });
    await connection.waitForStatus("NetStream.Play.Start");
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
  return viewer;
}

export class RtmpPlayer {
  readonly connection: RtmpConnection;
  /** Everything that it was sent, data too. */
  readonly messages: Media[] = [];
  /** Of that, audio and video. */
  readonly media: Media[] = [];
  streamId = 1;
  /** The longest silence in ms between two media messages since the first, or since `resetGap`. */
  longestGapMs = 0;
  private lastAt = 0;
  private waiters: (() => void)[] = [];

  constructor(connection: RtmpConnection) {
    this.connection = connection;
    connection.onMessage = (message) => this.receive(message);
    void connection.ended.then(() => this.wake());
  }

  /** Resolves once with what ended its connection. */
  get ended(): Promise<string> {
    return this.connection.ended;
  }

  /** Waits until the messages so far fulfil the condition. */
  async waitUntil(what: string, isEnough: (messages: readonly Media[]) => boolean, timeoutMs = 10_000): Promise<void> {
    const look = async (): Promise<void> => {
      while (!isEnough(this.messages)) {
        const { endedBy } = this.connection;
        if (endedBy !== null) throw new Error(`the player ended (${endedBy}) before ${what}`);
        await new Promise<void>((resolve) => this.waiters.push(resolve));
      }
    };
    await within(look(), timeoutMs, () => `${what}; the player has ${this.messages.length} messages`);
  }

  async waitForMedia(count: number, timeoutMs?: number): Promise<void> {
    await this.waitUntil(`${count} media messages`, () => this.media.length >= count, timeoutMs);
  }

  resetGap(): void {
    this.longestGapMs = 0;
    this.lastAt = Date.now();
  }

  close(): void {
    this.connection.close();
  }

  private receive(message: RtmpMessage): void {
    const { type, timestamp, payload } = message;
    if (![8, 9, 15, 18, 22].includes(type)) return;
    this.messages.push({ type, timestamp, payload });
    if (type === 8 || type === 9) this.media.push({ type, timestamp, payload });
    const now = Date.now();
    if (this.lastAt > 0) this.longestGapMs = Math.max(this.longestGapMs, now - this.lastAt);
    this.lastAt = now;
    this.wake();
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}

/** Publishes a stream. Resolves once the server said Publish.Start; throws with what it said instead. */
export async function publisher(url: string, options: PublisherOptions = {}): Promise<RtmpPublisher> {
  const target = parseRtmpUrl(url);
  const connection = await RtmpConnection.open(target, options);
  const source = new RtmpPublisher(connection, target.stream);
  try {
    await source.publish(options.order ?? "fmle");
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
  return source;
}

export class RtmpPublisher {
  readonly connection: RtmpConnection;
  streamId = 1;
  /** The longest time in ms between two steps of `sendEvery`: more than was asked for where the machine was busy. */
  longestPauseMs = 0;
  /** While it is set, `sendEvery` sends nothing, and then goes on with the next step. */
  isHeld = false;
  /** What was sent last. */
  last: Media | null = null;
  private readonly stream: string;

  constructor(connection: RtmpConnection, stream: string) {
    this.connection = connection;
    this.stream = stream;
  }

  /** The dialogue from createStream on; may be used again after `unpublish`. */
  async publish(order: "fmle" | "flash" | "haivision"): Promise<void> {
    const { connection, stream } = this;
    const seen = connection.commands.length;
    if (order === "fmle") {
      connection.command("releaseStream", [stream]);
      connection.command("FCPublish", [stream]);
    }
    const created = await connection.call("createStream", []);
    this.streamId = Number(created.values[1]);
    if (order === "haivision") connection.command("FCPublish", [stream]);
    connection.command("publish", [stream, "live"], { streamId: this.streamId });
    const answer = await connection.waitForCommand("the answer to publish", (command) => {
      return command.name === "onStatus" && connection.commands.indexOf(command) >= seen;
    });
    const text = JSON.stringify(answer.values[1]);
    if (!text.includes("NetStream.Publish.Start")) throw new Error(`publish was refused: ${text}`);
  }

  send(media: Media): void {
    this.last = media;
    const { type, timestamp, payload } = media;
    this.connection.send({ type, timestamp, payload, streamId: this.streamId, csid: csidOf[type] ?? 5 });
  }

  metadata(values: Readonly<Record<string, Amf>>): void {
    this.send({ type: 18, timestamp: 0, payload: encodeAmf("@setDataFrame", "onMetaData", values) });
  }

  /** Several messages in one of type 22, each with its own header and back pointer. */
  aggregate(messages: readonly Media[]): void {
    this.send({ type: 22, timestamp: messages[0]?.timestamp ?? 0, payload: encodeAggregate(messages, this.streamId) });
  }

  /** Sends in real time: `frame(i)` every `everyMs`, until the returned function is called or the connection ends. */
  sendEvery(frame: (index: number) => readonly Media[], everyMs: number): () => void {
    let index = 0;
    let lastAt = Date.now();
    const timer = setInterval(() => {
      const now = Date.now();
      this.longestPauseMs = Math.max(this.longestPauseMs, now - lastAt);
      lastAt = now;
      if (this.connection.endedBy !== null) clearInterval(timer);
      else if (!this.isHeld) for (const media of frame(index++)) this.send(media);
    }, everyMs);
    return () => clearInterval(timer);
  }

  /** Leaves the stream as FMLE does; the connection stays. */
  unpublish(): void {
    this.connection.command("FCUnpublish", [this.stream]);
    this.connection.command("deleteStream", [this.streamId]);
  }

  close(): void {
    this.connection.close();
  }
}

/** The body of an aggregate message: FLV tags without the file around them. */
export function encodeAggregate(messages: readonly Media[], streamId: number): Buffer {
  return Buffer.concat(
    messages.flatMap(({ type, timestamp, payload }) => {
      const head = Buffer.alloc(11);
      head[0] = type;
      head.writeUIntBE(payload.length, 1, 3);
      head.writeUIntBE(timestamp & 0xffffff, 4, 3);
      head[7] = timestamp >>> 24;
      head.writeUIntBE(streamId, 8, 3);
      const back = Buffer.alloc(4);
      back.writeUInt32BE(payload.length + 11);
      return [head, payload, back];
    }),
  );
}
