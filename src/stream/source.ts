// A live stream in memory. Packets come in from one publisher (or from an upstream that it is pulled from), get their
// time, pass the start cache, and go to the fan-outs; consumers come and go and never hold a source up.
//
//   publisher ─▶ timeline.ts ─▶ packet.ts ─▶ start-cache.ts ─▶ taps (forward)
//                                                ├▶ fanout.ts, rtmp   : players, a batch each mw_latency
//                                                ├▶ fanout.ts, edge   : our own edges, which pass it on as it comes
//                                                ├▶ fanout.ts, prompt, patient: packagers, a batch each 100 ms, or each second and GOP
//                                                └▶ fanout.ts, flv, ws: HTTP players, and those over WebSocket, a batch each mw_latency;
//                                                              ts, aac, mp3 (remux.ts): where somebody asks for them
//
// A batch becomes bytes in container.ts; where a viewer of another process goes on is found by catch-up.ts.
import { DolphinError } from "../base/errors.js";
import { role } from "../codec/av.js";
import type { Clock } from "../codec/rtmp/clock.js";
import { messageType } from "../codec/rtmp/message.js";
import type { Held } from "../codec/rtmp/slabs.js";
import type { Position } from "../base/position.js";
import { CodecNames } from "./codec-names.js";
import { rtmpContainer } from "./container.js";
import type { Consumer, Seat } from "./fanout.js";
import { Fanouts } from "./fanouts.js";
import { Kept } from "./kept.js";
import { MainTrack } from "./main-track.js";
import { makePacket, packetTypes, roleOf, type Packet, type PacketType } from "./packet.js";
import type { SourceOptions, SourceSettings, Tap } from "./source-settings.js";
import { StartCache } from "./start-cache.js";
import {
  advance,
  copyOf,
  furthest,
  goBehind,
  keepTo,
  makeTimeline,
  present,
  replace,
  resume,
  splice,
  timeAt,
  type Timeline,
} from "./timeline.js";

/** Longest metadata that is kept and passed on. */
export const maxMetadataBytes = 64 << 10;

/** So long after the last consumer has left, or the stream has come from another process, viewers may come who were served elsewhere. */
const longestMoveMs = 30_000;

/** A step back of more than this is another clock's, and no repeat. */
const longestRepeatMs = 60_000;

/** What a source elsewhere needs to go on with the present publisher, as JSON. */
export interface SavedSource {
  readonly timeline: Timeline;
  /** The metadata and decoder configuration, which the publisher does not send again; payloads in base64. */
  readonly headers: readonly { readonly type: PacketType; readonly payload: string }[];
}

/** What the owner of a source is told. */
export interface SourceOwner {
  /** The first consumer came: an edge begins to pull. */
  onWanted(source: Source): void;
  /** The last consumer left. */
  onUnwanted(source: Source): void;
  /** A publisher has sent the first packet, or has left. */
  onLive(source: Source, isLive: boolean): void;
  /** Neither publisher nor consumer is left: forget it. */
  onIdle(source: Source): void;
}

/** One stream. Its owner closes it when it is idle. */
export class Source {
  readonly key: string;
  readonly chunkSize: number;
  private settings: SourceSettings;
  private readonly owner: SourceOwner;
  private readonly timeline: Timeline;
  private readonly cache: StartCache;
  private readonly kept = new Kept();
  readonly fanouts: Fanouts;
  private readonly taps = new Set<(packet: Packet) => void>();
  private publisher: object | null = null;
  /** The number by which the box's own edges know the clock: one that another origin began, or of our own. */
  clockId = 1 + Math.floor(Math.random() * 0xffffffff);
  private mainTrack = new MainTrack();
  /** How far those have seen the stream who come from another process; null: nobody has. */
  private seenElsewhereMs: number | null = null;
  /** Types of which the publisher may still send what was here already. */
  private readonly repeating = new Set<PacketType>();
  private isClosed = false;
  /** Whether the present publisher has sent a packet. */
  isLive = false;
  /** Bytes of media since the source was made, and bytes that players were sent. */
  bytesIn = 0;
  bytesOut = 0;
  /** Since when the present publisher sends (ms since 1970); null: it has not begun, or there is none. */
  liveSinceMs: number | null = null;
  /** Of the present publisher, or of the last one. */
  codecs = new CodecNames();
  /** All consumers of all kinds, and those of them who package the stream, for whom alone nobody pulls it. */
  consumers = 0;
  packagers = 0;
  /** Since when nobody watches who did, here or in the process that had the stream before. */
  private unwatchedAtMs = -Infinity;

  constructor(options: SourceOptions, owner: SourceOwner) {
    this.key = options.key;
    this.chunkSize = options.chunkSize;
    this.settings = options;
    this.owner = owner;
    this.timeline = makeTimeline(options.timeline);
    this.cache = new StartCache(options);
    this.kept.keepFor(options.keepMs);
    this.fanouts = new Fanouts(options, this.cache, (timeMs) => this.goBehind(timeMs));
  }

  /** Takes over changed settings; nobody misses a packet or gets one twice. */
  adopt(settings: SourceSettings): void {
    this.settings = settings;
    this.cache.adopt(settings);
    this.kept.keepFor(settings.keepMs, this.cache.start());
    this.fanouts.adopt(settings);
  }

  /** Whether somebody waits for the packets. */
  get isWatched(): boolean {
    return this.consumers > this.fanouts.count("patient") || this.taps.size > 0;
  }

  /** How many consumers are processes of the box. */
  get ownConsumers(): number {
    return this.fanouts.count("edge") + this.fanouts.count("prompt") + this.fanouts.count("patient");
  }

  get hasPublisher(): boolean {
    return this.publisher !== null;
  }

  /** What the stream has shown, and whether that is all it has. */
  get shown(): Pick<StartCache, "hasAudio" | "hasVideo" | "isSettled"> {
    return this.cache;
  }

  /** How many consumers a fan-out has. */
  count(tap: Tap): number {
    return this.fanouts.count(tap);
  }

  /** How our own edges know the time here. */
  get clock(): Clock {
    return { id: this.clockId, timeMs: furthest(this.timeline) };
  }

  /** How far its viewers have seen it, here or in another process (ms); null: nothing. */
  get seenMs(): number | null {
    return furthest(this.timeline) ?? this.seenElsewhereMs;
  }

  /** Says how far viewers have seen the stream elsewhere: a clock that begins here goes on behind that. */
  noteSeen(timeMs: number): void {
    this.seenElsewhereMs = Math.max(timeMs, this.seenElsewhereMs ?? 0);
    if (this.publisher !== null) this.beginBehindSeen(this.timeline.mode);
  }

  /**
   * Makes `publisher` the one that may push; it is compared by identity. `clockId` says that it gives the times itself, by this clock
   * (0: by ours); what was given by another goes on unless this source has had one to follow, whose viewers come first. Throws
   * RTMP_BUSY while another publishes.
   */
  publish(publisher: object, clockId: number | null = null): void {
    if (this.publisher !== null) throw new DolphinError("RTMP_BUSY", `${this.key} is being published already`);
    this.publisher = publisher;
    this.repeating.clear();
    this.codecs = new CodecNames();
    this.mainTrack = new MainTrack();
    const { timeline } = this.settings;
    splice(this.timeline, clockId === null || timeline === "off" ? timeline : "follow");
    if (clockId === null || clockId === 0 || furthest(this.timeline) !== null) this.beginBehindSeen(timeline);
    else {
      this.clockId = clockId;
      this.cache.keepAll();
    }
    if (clockId === null) return;
    this.expectViewers();
    keepTo(this.timeline);
  }

  /** Writes down what another source needs to go on with the present publisher. */
  save(): SavedSource {
    const headers = this.cache.headers().map(({ type, payload }) => ({ type, payload: payload.toString("base64") }));
    return { timeline: copyOf(this.timeline), headers };
  }

  /** Goes on, behind `publish`, with a publisher whom another source has had. */
  resume({ timeline, headers }: SavedSource): void {
    resume(this.timeline, timeline);
    this.expectViewers();
    for (const { type, payload } of headers) {
      this.emit(makePacket(type, present(this.timeline, type), Buffer.from(payload, "base64")));
    }
  }

  /** Puts a publisher in the place of what has brought the same packets until now, from another source; nobody notices. */
  takeOver(from: object, to: object, { timeline }: SavedSource): void {
    if (this.publisher !== from) throw new DolphinError("RTMP_BUSY", `${this.key} is being published already`);
    this.publisher = to;
    this.repeating.clear();
    replace(this.timeline, timeline, this.settings.timeline);
  }

  /** Ends the publishing of `publisher`; anything else is ignored. Consumers stay for the next one. */
  unpublish(publisher: object): void {
    if (this.publisher !== publisher) return;
    this.flush(); // may drop the last consumer, which must not look idle yet
    this.cache.clear();
    this.goLive(false);
    this.publisher = null;
    this.release();
  }

  /** Says that the stream comes from another process, and its viewers after it. */
  expectViewers(): void {
    this.unwatchedAtMs = Date.now();
  }

  /** Says that what comes next from the publisher begins with what was here already: that is left out. */
  expectRepeats(): void {
    for (const type of packetTypes) this.repeating.add(type);
  }

  /** Takes a message of the publisher's. The payload belongs to the source from now on. */
  push(type: PacketType, timestamp: number, payload: Buffer): void {
    if (payload.length === 0) return; // encoders send them to keep the line open; no container needs them
    if (type === messageType.data && payload.length > maxMetadataBytes) return;
    if (this.repeating.size > 0 && this.isRepeat(makePacket(type, timestamp, payload))) return;
    this.bytesIn += payload.length;
    const is = roleOf(type, payload);
    const time = advance(this.timeline, type, timestamp, is === role.header);
    this.emit(this.onMainTrack(makePacket(type, time, payload, is)));
  }

  /** What one of the box's own edges is told beside the start of the stream: packets of the last moments before; null: none. */
  history(): { readonly count: number; readonly bytes: Buffer } | null {
    const packets = this.cache.history();
    if (packets.length === 0) return null;
    this.fanouts.of("edge").flush(); // what it begins with is made for all who come before the next flush, and would not go with this
    return { count: packets.length, bytes: rtmpContainer(this.chunkSize)(packets) };
  }

  /** Takes a message that was sent before what a newcomer starts with. Nobody is sent it, but it tells where others stand. */
  remember(type: PacketType, timestamp: number, payload: Buffer): void {
    const is = roleOf(type, payload);
    const time = advance(this.timeline, type, timestamp, is === role.header);
    this.cache.remember(this.onMainTrack(makePacket(type, time, payload, is)));
  }

  /** Seats a consumer. It is given what the stream has to start with before this returns. */
  add(tap: Tap, consumer: Consumer): Seat {
    return this.seated(this.fanouts.of(tap).add(consumer));
  }

  /** Whether something is kept for those who package the stream, which may have ended meanwhile. */
  get hasKept(): boolean {
    return !this.kept.isEmpty;
  }

  /** Nothing is kept any more of a stream that has ended. */
  forgetKept(): void {
    if (this.publisher === null) this.kept.clear();
  }

  /**
   * Seats one who packages the stream: behind all that is kept of it, which is given to `begin`, and without what others start with. It
   * is dropped rather than that it misses anything, and comes again.
   */
  addWhole(tap: Tap, consumer: Consumer, begin: (count: number, bytes: Buffer) => void): Seat {
    this.fanouts.of(tap).flush(); // what is pending is kept already
    const packets = this.kept.list();
    const bytes = packets.length === 0 ? Buffer.alloc(0) : rtmpContainer(this.chunkSize)(packets);
    begin(packets.length, bytes);
    return this.seated(this.fanouts.of(tap).addWhole(consumer, bytes.length));
  }

  /** Seats a consumer whom another process has served up to a position. */
  readmit(tap: Tap, consumer: Consumer, from: Position): Seat {
    this.noteSeen(from.timestamp);
    return this.seated(this.fanouts.of(tap).readmit(consumer, from));
  }

  /** Takes a consumer's seat away; again does nothing. */
  remove(tap: Tap, seat: Seat): void {
    if (!this.fanouts.of(tap).remove(seat)) return;
    this.consumers -= 1;
    if (seat.isWhole) this.packagers -= 1;
    if (this.consumers > (seat.isWhole ? 0 : this.packagers)) return;
    this.unwatchedAtMs = Date.now();
    this.owner.onUnwanted(this);
    this.release();
  }

  /** Lets a consumer that has left packets out go on with the next key frame. */
  rejoin(tap: Tap, seat: Seat): void {
    this.fanouts.of(tap).rejoin(seat);
  }

  /** Calls `tap` with every packet from now on, after those that a new player would start with. Returns how to stop. */
  tap(tap: (packet: Packet) => void): () => void {
    for (const packet of this.cache.start()) tap(packet);
    this.taps.add(tap);
    return () => void this.taps.delete(tap);
  }

  /** Sends what is waiting in batches now. */
  flush(): void {
    this.fanouts.each((fanout) => fanout.flush());
  }

  /**
   * Adds the memory of every packet that is still needed to what is held, so that the rest may be used again. False where others
   * have been given packets, who do not tell: then all of it is needed.
   */
  hold(held: Held): boolean {
    if (this.taps.size > 0) return false;
    this.cache.hold(held);
    this.kept.hold(held);
    if (this.consumers > 0) this.fanouts.each((fanout) => fanout.hold(held)); // they have nothing where nobody sits
    return true;
  }

  /** Stops the timers. Consumers are no longer told of the stream's end: it may go on in another process. */
  close(): void {
    this.isClosed = true;
    this.fanouts.each((fanout) => fanout.close());
  }

  /**
   * Whether a packet with its publisher's time was here before. Those of a type that were are over with the latest one, which
   * is known by its bytes where several have its time, or with a newer one.
   */
  private isRepeat(packet: Packet): boolean {
    const { type } = packet;
    if (!this.repeating.has(type)) return false;
    if (packet.isHeader) return this.cache.isInForce(packet);
    const latest = this.cache.latest[type];
    const backMs = latest === null ? -1 : (latest.timestamp - timeAt(this.timeline, type, packet.timestamp)) | 0;
    const isRepeat = backMs >= 0 && backMs <= longestRepeatMs;
    if (!isRepeat || (backMs === 0 && packet.payload.equals(latest!.payload))) this.repeating.delete(type);
    return isRepeat;
  }

  /** Only with a key frame of the first video track can somebody start. */
  private onMainTrack(packet: Packet): Packet {
    return packet.isKeyFrame && !this.mainTrack.starts(packet.payload) ? { ...packet, isKeyFrame: false } : packet;
  }

  /** A clock of this mode that begins here goes on behind what viewers have seen elsewhere. */
  private beginBehindSeen(mode: Timeline["mode"]): void {
    const isOurs = mode === "full" || mode === "zero";
    if (isOurs && this.bytesIn === 0 && this.seenElsewhereMs !== null) goBehind(this.timeline, this.seenElsewhereMs);
  }

  /** Somebody has seen more than there is: the clock is not the one that it was, and goes on behind it. */
  private goBehind(timeMs: number): void {
    const last = furthest(this.timeline) ?? timeMs;
    if (this.timeline.mode !== "off") goBehind(this.timeline, last + ((timeMs - last) | 0));
  }

  private seated(seat: Seat): Seat {
    this.consumers += 1;
    if (seat.isWhole) this.packagers += 1;
    else if (this.consumers - this.packagers === 1) this.owner.onWanted(this);
    return seat;
  }

  private release(): void {
    if (this.publisher === null && this.consumers === 0) this.owner.onIdle(this);
  }

  private goLive(isLive: boolean): void {
    if (this.isLive === isLive) return;
    this.isLive = isLive;
    this.liveSinceMs = isLive ? Date.now() : null;
    if (this.isClosed) return;
    this.fanouts.each((fanout) => fanout.onLive(isLive));
    this.owner.onLive(this, isLive);
  }

  private emit(packet: Packet): void {
    this.codecs.learn(packet);
    if (this.settings.reduceSequenceHeader && this.cache.repeatsHeader(packet)) return;
    if (packet.isKeyFrame) this.cache.keepsHistory = this.consumers > 0 || Date.now() - this.unwatchedAtMs < longestMoveMs;
    this.cache.push(packet);
    this.kept.push(packet);
    if (this.consumers > 0) this.fanouts.push(packet);
    for (const tap of this.taps) tap(packet);
    this.goLive(true);
  }
}
