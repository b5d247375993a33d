// What a new viewer needs before the next live packet makes sense: metadata, decoder configuration, and the packets since
// the last key frame (the GOP cache). Kept per source, bounded in packets and in bytes.
import { messageType } from "../codec/rtmp/message.js";
import type { Held } from "../codec/rtmp/slabs.js";
import { Headers } from "./headers.js";
import { at, isFrame, packetTypes, type Packet, type PacketType } from "./packet.js";
import { PacketList } from "./packet-list.js";
import { largestOffsetMs } from "./timeline.js";

/** The GOP cache is given up above this: a stream without key frames must not fill the memory. */
export const maxGopBytes = 16 << 20;
/** What a packet takes beside its payload, roughly: tiny ones must not fill the memory either. */
const packetOverheadBytes = 256;
/** So many audio packets without video in between mean that the stream is audio alone. */
const pureAudioPackets = 115;

/** How far back a stream is known to those who go on for another process. */
export const historyMs = 2000;

const maxHistoryPackets = 1000;

/** How long the first frame of a track may be behind that of another, once both are announced. */
export const announcedWaitMs = 500;

/** How long a stream that another process has begun is kept whole: its viewers' processes find the way here one by one. */
export const keepAllMs = 5000;

export interface StartCacheOptions {
  readonly gopCache: boolean;
  /** Most packets that are kept since the last key frame; 0: no limit but {@link maxGopBytes}. */
  readonly gopCacheMaxFrames: number;
}

/** The cache of one source. `clear` empties it when the publisher leaves. */
export class StartCache {
  private options: StartCacheOptions;
  private readonly known = new Headers();
  private gop = new PacketList();
  /** The end of the GOP before: what somebody who was served by another process may not have got yet. */
  private before = new PacketList();
  /** All packets of a stream that another process has begun, and how many came before the GOP; null: they are not kept, or no longer. */
  private all: { readonly packets: PacketList; beforeGop: number; readonly untilMs: number } | null = null;
  private audioSinceVideo = 0;
  /** The packet of audio or video that was pushed last; null before the first. */
  last: Packet | null = null;
  /** The last packet of each type, but for headers. */
  readonly latest: Record<PacketType, Packet | null> = { 8: null, 9: null, 18: null };
  /** Whether somebody may come who was served by another process. */
  keepsHistory = true;
  /** Whether the stream has shown audio, and video, so far: a frame of it, for what is announced may never come. */
  hasAudio = false;
  hasVideo = false;
  /** When the first of both came. */
  private shownSinceMs = 0;

  constructor(options: StartCacheOptions) {
    this.options = options;
  }

  /** Takes over changed options: what is no longer cached is forgotten, and what is cached anew begins with the next key frame. */
  adopt(options: StartCacheOptions): void {
    this.options = options;
    if (!options.gopCache) this.dropGop();
  }

  /** Takes the next packet of the stream. */
  push(packet: Packet): void {
    if (packet.type !== messageType.data) this.last = packet;
    if (this.all !== null) this.pushToAll(packet, this.all);
    if (packet.isHeader) {
      this.known.put(packet);
      return;
    }
    this.latest[packet.type] = packet;
    if (packet.type === messageType.data) return;
    if (!(packet.type === messageType.video ? this.hasVideo : this.hasAudio)) this.show(packet);
    if (this.options.gopCache) this.pushMedia(packet);
  }

  /** Whether it is known what the stream has: a frame of every track that is announced, or of one while the other is late. */
  get isSettled(): boolean {
    if (!this.hasAudio && !this.hasVideo) return false;
    const isAwaited =
      (!this.hasAudio && this.known.announces(messageType.audio)) || (!this.hasVideo && this.known.announces(messageType.video));
    return !isAwaited || Date.now() - this.shownSinceMs >= announcedWaitMs;
  }

  /** From here on all packets are kept as history, key frame or not, for {@link keepAllMs}. */
  keepAll(): void {
    this.all = { packets: new PacketList(), beforeGop: 0, untilMs: Date.now() + keepAllMs };
  }

  /** Whether a packet repeats the decoder configuration that is already known. */
  repeatsHeader(packet: Packet): boolean {
    return packet.isHeader && packet.type !== messageType.data && this.isInForce(packet);
  }

  /** Whether a header is the last one of its kind and track. */
  isInForce(header: Packet): boolean {
    return this.known.isInForce(header);
  }

  /**
   * Metadata and decoder configurations, each at the time of its type's packet that will follow it: the first of these, or a later one.
   * A track that has been silent for long has none.
   */
  headers(packets: readonly Packet[] = []): Packet[] {
    const first = packets[0] ?? this.last;
    const timeOf = (type: PacketType): number => {
      const own = packets.find((packet) => packet.type === type) ?? this.latest[type] ?? first;
      const isNear = Math.abs(((first?.timestamp ?? 0) - (own?.timestamp ?? 0)) | 0) <= largestOffsetMs;
      return (isNear ? own : first)?.timestamp ?? 0;
    };
    return this.known.list().map((packet) => at(packet, timeOf(packet.type)));
  }

  /** Those since the last key frame; empty without a GOP cache. */
  get packets(): readonly Packet[] {
    return this.gop.list();
  }

  /** All that a new viewer is given at once. Empty when nothing has been published. */
  start(): Packet[] {
    const { packets } = this;
    return [...this.headers(packets), ...packets];
  }

  /** Takes a packet that was sent before what a newcomer is given, elsewhere. */
  remember(packet: Packet): void {
    this.before.push(packet);
    this.before.dropWhile(() => this.before.length > maxHistoryPackets);
  }

  /** What came in the last moments before what a newcomer is given. */
  history(): readonly Packet[] {
    const { all, gop, before } = this;
    if (all !== null) return gop.length === 0 ? all.packets.list() : all.packets.list().slice(0, all.beforeGop);
    return gop.length === 0 ? [] : before.list();
  }

  /** Adds the memory of all that is kept. */
  hold(held: Held): void {
    this.gop.hold(held);
    this.before.hold(held);
    for (const type of packetTypes) if (this.latest[type] !== null) held.add(this.latest[type].payload);
    this.all?.packets.hold(held);
  }

  clear(): void {
    this.before.clear();
    this.all = null;
    this.known.clear();
    for (const type of packetTypes) this.latest[type] = null;
    this.hasAudio = false;
    this.hasVideo = false;
    this.dropGop();
  }

  private show(packet: Packet): void {
    if (!isFrame(packet)) return;
    if (!this.hasAudio && !this.hasVideo) this.shownSinceMs = Date.now();
    if (packet.type === messageType.video) this.hasVideo = true;
    else this.hasAudio = true;
  }

  private pushToAll(packet: Packet, all: NonNullable<typeof this.all>): void {
    all.packets.push(packet);
    if (sizeOf(all.packets) > maxGopBytes || Date.now() > all.untilMs) this.all = null;
  }

  private pushMedia(packet: Packet): void {
    if (packet.isKeyFrame) {
      // What was told of the time before the first one stays.
      if (this.gop.length > 0) this.turnGopIntoHistory();
      this.dropGop();
      if (this.all !== null) this.all.beforeGop = this.all.packets.length - 1;
    } else if (this.gop.length === 0) return; // nothing can be decoded before the first key frame
    this.audioSinceVideo = packet.type === messageType.audio ? this.audioSinceVideo + 1 : 0;
    this.gop.push(packet);
    const most = this.options.gopCacheMaxFrames;
    const isTooLarge = sizeOf(this.gop) > maxGopBytes || (most > 0 && this.gop.length > most);
    if (isTooLarge || this.audioSinceVideo > pureAudioPackets) this.dropGop();
  }

  private turnGopIntoHistory(): void {
    const { gop, before, latest } = this;
    before.clear();
    if (!this.keepsHistory) return;
    [this.gop, this.before] = [before, gop];
    gop.dropWhile((type, timestamp) => (((latest[type]?.timestamp ?? timestamp) - timestamp) | 0) > historyMs);
  }

  private dropGop(): void {
    this.gop.clear();
    this.audioSinceVideo = 0;
  }
}

function sizeOf({ bytes, length }: PacketList): number {
  return bytes + length * packetOverheadBytes;
}
