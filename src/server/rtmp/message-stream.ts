// What is said on one message stream of a connection, which plays or publishes one stream at a time; what belongs to the connection
// itself is the session's.
//
//   idle ─publish─▶ publishing ─FCUnpublish, publish(false), closeStream─▶ idle …
//                   or, to the end of the read, moving: it goes on in another process (saved-publisher.ts)
//        ─play────▶ (asking) ─▶ playing ─────closeStream, play(false)───▶ idle …       asking: whether the site's backend lets it (entry.ts)
//                     └─play─▶ playing something else
import { asDolphinError, DolphinError, type ErrorCode } from "../../base/errors.js";
import type { AmfValue } from "../../codec/rtmp/amf0.js";
import type { Clock } from "../../codec/rtmp/clock.js";
import {
  playFailed,
  playPaused,
  playSought,
  playStarted,
  playStopped,
  publishRefused,
  publishStarted,
  publishStopped,
  refusal,
} from "../../codec/rtmp/dialogue.js";
import { controlMessage, messageType, type Message } from "../../codec/rtmp/message.js";
import type { Admission } from "../../hooks/hooks.js";
import type { SavedSource } from "../../stream/source.js";
import type { Asked } from "../peers/caller.js";
import type { Client } from "../peers/clients.js";
import { peerOf } from "../peers/peer.js";
import { namesOf, type StreamNames } from "./connection.js";
import { sendOn } from "./elsewhere.js";
import { Entry, type EntryOwner } from "./entry.js";
import { lasting, plainManner, type Manner } from "./excerpt.js";
import { Playing, type PlayingOwner, type Resumed, type SavedPlayer } from "./playing.js";
import { Publishing } from "./publishing.js";
import { askedFor } from "./request.js";
import { announce } from "./showing.js";

/** What a stream has from its session, and asks it. */
export interface StreamOwner extends EntryOwner {
  /** Takes what the socket has read, and tells whether to go on reading. */
  read(bytes: Buffer): boolean;
  /** Whether another stream of the connection plays or publishes. */
  hasOther(stream: MessageStream): boolean;
  /** Whether media may be sent to it in chunks of this size, which is one for all that it plays. */
  mayCutAt(chunkSize: number, stream: MessageStream): boolean;
  /** It is about to play or to publish. */
  onBusy(stream: MessageStream): void;
  /** It does neither any more. */
  onIdle(): void;
  /** What is kept of the connection for another process is out of date. */
  onStale(): void;
  letGo(): boolean;
  close(reason: string, code?: ErrorCode): void;
}

type State =
  | { readonly at: "idle" }
  | { readonly at: "asking"; readonly asked: Asked }
  | { readonly at: "playing"; readonly asked: Asked; readonly playing: Playing }
  | { readonly at: "moving"; readonly asked: Asked }
  | { readonly at: "publishing"; readonly asked: Asked; readonly publishing: Publishing };

/** One message stream. `end` makes it idle. */
export class MessageStream implements PlayingOwner {
  readonly id: number;
  readonly entry: Entry;
  private readonly owner: StreamOwner;
  private state: State = { at: "idle" };
  /** Which tracks its player wants, from one play to the next. */
  private manner: Manner = plainManner;
  /** Whether its publisher has been told to start. */
  private isStarted = false;

  constructor(id: number, owner: StreamOwner) {
    this.id = id;
    this.owner = owner;
    this.entry = new Entry(owner);
  }

  get does(): State["at"] {
    return this.state.at;
  }

  /** What was asked for; null: it is idle. */
  get asked(): Asked | null {
    return this.state.at === "idle" ? null : this.state.asked;
  }

  /** The same for lines of the log. */
  get names(): StreamNames | null {
    return this.asked === null ? null : namesOf(this.asked);
  }

  /** Takes media; outside of publishing it goes nowhere. */
  media(message: Message): void {
    if (this.state.at === "publishing") this.state.publishing.push(message);
  }

  /** Begins to publish; `mayMove`: another process may be the one to answer. */
  publish(name: AmfValue, mayMove: boolean): void {
    if (name === false) {
      if (this.state.at !== "publishing") return;
      this.end();
      this.say([publishStopped(this.id)]);
      return;
    }
    if (this.state.at !== "idle") {
      this.declinePublish(name);
      return;
    }
    this.attempt("publish", () => {
      const asked = this.ask("publish", name, true);
      if (mayMove) this.become({ at: "moving", asked });
      else this.publishAs(asked, null);
    });
  }

  /** Publishes here what could not move. */
  publishHere(): void {
    const { state } = this;
    if (state.at !== "moving") return;
    this.state = { at: "idle" };
    this.attempt("publish", () => this.publishAs(state.asked, null));
  }

  /** Goes on with what another process has saved of a publisher; null: it has still to be answered. */
  goOnPublishing(name: string, saved: SavedSource | null, admission: Admission): void {
    this.attempt("publish", () => {
      const asked = this.ask("publish", name);
      this.entry.resume(admission);
      if (this.owner.caller.edgeName === null) this.owner.hub.admit();
      this.publishAs(asked, saved);
    });
  }

  /** Begins to play, or plays something else; `durationMs`: how much of it, null for all. */
  play(name: AmfValue, durationMs: number | null): void {
    if (this.state.at === "publishing" || this.state.at === "moving") {
      this.say([playFailed(new DolphinError("RTMP_STATE", this.busySentence()), this.id)]);
      return;
    }
    const wasPlaying = this.state.at !== "idle";
    if (wasPlaying) this.leave();
    if (name === false) {
      if (!wasPlaying) return;
      this.say(playStopped(this.id));
      this.owner.onIdle();
      return;
    }
    this.attempt("play", () => {
      const asked = this.ask("play", name, true);
      this.become({ at: "asking", asked });
      this.entry.ask("play", asked, {
        now: () => this.seat(asked, lasting(this.manner, durationMs), null),
        later: () => this.attempt("play", () => this.seatLate(this.ask("play", name), durationMs)),
        refused: (reason) => this.refuse("play", reason),
        ...(this.owner.hasOther(this) ? {} : { elsewhere: (server) => sendOn(this.owner, this.id, asked, server) }),
      });
    });
  }

  /** Goes on with a viewer whom another process has served up to a position. */
  goOnPlaying({ stream, manner: saved }: SavedPlayer, resumed: Resumed): void {
    const manner = { ...plainManner, ...saved };
    this.manner = { ...manner, isPaused: false, durationMs: null, sinceMs: null };
    this.attempt("play", () => {
      this.entry.resumePlay(resumed.dues);
      this.seat(this.ask("play", stream), manner, resumed);
    });
  }

  pause(isPaused: boolean): void {
    if (this.state.at !== "playing") return;
    const { playing } = this.state;
    if (isPaused) playing.pause();
    this.say(playPaused(isPaused, this.id));
    if (!isPaused) playing.resume();
  }

  /** Whether its player wants a track, now or when it will play. */
  receive(what: "audio" | "video", isWanted: boolean): void {
    this.manner = what === "audio" ? { ...this.manner, hasAudio: isWanted } : { ...this.manner, video: isWanted ? "all" : "none" };
    if (this.state.at !== "playing") return;
    this.state.playing.choose(what, isWanted);
    if (isWanted) this.say(playSought(this.id));
  }

  /** A live stream has one place, which is now. */
  seek(): void {
    if (this.state.at === "playing") this.say(playSought(this.id));
  }

  /** Has a copy kept of its viewer's connection, so that it outlives this process. */
  carry(): void {
    if (this.state.at !== "playing") return;
    const { asked, playing } = this.state;
    playing.carry(() => {
      const connection = this.owner.connection.save(false);
      return connection === null ? null : { connection, stream: asked.name };
    });
  }

  /** Has none kept any more: the connection does something else beside. */
  stay(): void {
    if (this.state.at === "playing") this.state.playing.stay();
  }

  /** Leaves its viewer to another process; false where that cannot be, now or ever. */
  letGo(): boolean {
    if (this.state.at !== "playing" || !this.state.playing.letGo()) return false;
    this.entry.release();
    this.state = { at: "idle" };
    return true;
  }

  /** What is known of its publisher, as data: what was published so far, null where it is still to be answered; undefined: it cannot go. */
  save(): SavedSource | null | undefined {
    if (this.state.at === "moving") return null;
    return this.state.at === "publishing" ? (this.state.publishing.save() ?? undefined) : undefined;
  }

  /** Its publisher has gone on in another process. */
  movedAway(): void {
    if (this.state.at === "publishing") this.state.publishing.close();
    this.entry.release();
    this.state = { at: "idle" };
  }

  /** Whether its publisher's socket is to be read on after a read of so many bytes. */
  readsOn(bytes: number): boolean {
    return this.state.at !== "publishing" || this.state.publishing.readsOn(bytes);
  }

  say(messages: readonly Message[]): void {
    this.owner.connection.write(messages);
  }

  onDrop(code: ErrorCode, reason: string): void {
    this.owner.close(reason, code);
  }

  onPlayed(playing: Playing): void {
    if (this.state.at !== "playing" || this.state.playing !== playing) return;
    this.say(playStopped(this.id));
    this.end();
  }

  onStale(): void {
    this.owner.onStale();
  }

  /** Ends what it does. */
  end(): void {
    if (this.state.at === "idle") return;
    this.leave();
    this.owner.onIdle();
  }

  /** The same when the connection ends with it. */
  leave(): void {
    const { state } = this;
    if (state.at === "playing") {
      state.playing.close();
      this.owner.connection.isForgiving = false;
    } else if (state.at === "publishing") {
      state.publishing.close();
      if (state.publishing.hasBegun) {
        this.tell({ event: "publish.ended" });
        announce(this.owner, state.asked, "publish.ended");
      }
    }
    this.entry.end();
    this.state = { at: "idle" };
  }

  private become(state: Exclude<State, { at: "idle" }>): void {
    this.owner.onBusy(this);
    this.owner.connection.deadline.clear();
    this.state = state;
  }

  /** A line of ordinary life, under the stream's name. */
  private tell(line: object): void {
    const { connection } = this.owner;
    if (this.asked !== null && this.owner.hasOther(this)) connection.concern(this.names);
    connection.tell(line);
  }

  /** Runs what may be refused. The peer is told; the connection ends with it, unless there is more to it. */
  private attempt(what: Client["does"], run: () => void): void {
    try {
      run();
    } catch (thrown) {
      const error = asDolphinError(thrown);
      this.entry.end();
      if (this.state.at === "asking") this.state = { at: "idle" };
      this.say([refusal(what, error, this.id)]);
      if (error.code === "INTERNAL" || !this.owner.hasOther(this)) throw thrown;
      this.owner.onIdle();
    }
  }

  /** Its client must leave, or may not begin. */
  refuse(what: Client["does"], reason: DolphinError): void {
    this.say([refusal(what, reason, this.id)]);
    if (this.owner.hasOther(this)) this.end();
    else this.owner.close(reason.message, reason.code);
  }

  /** What is asked for again is answered again; anything else has to wait or to go elsewhere. */
  private declinePublish(name: AmfValue): void {
    const { state } = this;
    if (state.at === "publishing" && state.asked.name === name) {
      if (this.isStarted) this.say(publishStarted(this.owner.caller.isFmle, this.id));
      return;
    }
    this.say([publishRefused(new DolphinError("RTMP_STATE", this.busySentence()), this.id)]);
  }

  private busySentence(): string {
    const does = this.state.at === "playing" || this.state.at === "asking" ? "plays" : "publishes";
    return `this message stream ${does} already: end that first, or ask for another stream`;
  }

  private ask(does: Client["does"], name: AmfValue, isNew = false): Asked {
    return askedFor(this.owner, { does, name, streamId: this.id, isNew, stream: this });
  }

  /** Publishes; what another process has saved of it was answered there. */
  private publishAs(asked: Asked, saved: SavedSource | null): void {
    const { hub, caller, connection } = this.owner;
    this.isStarted = saved !== null;
    const publishing = new Publishing({
      hub,
      connection,
      take: (bytes) => this.owner.read(bytes),
      isAlone: () => !this.owner.hasOther(this),
      saved,
      entry: this.entry,
      asked,
      peer: caller.edgeName ?? peerOf(connection.socket),
      tcUrl: caller.tcUrl,
      isOwnEdge: caller.edgeName !== null,
      clockId: caller.clockId,
      onStarted: (clock) => this.published(asked, saved !== null, clock),
      onRefused: (reason) => this.refuse("publish", reason),
      onSilent: (reason, code) => this.owner.close(reason, code),
    });
    this.become({ at: "publishing", asked, publishing });
  }

  /** Media may come; what another process has said already is not said again. */
  private published(asked: Asked, isResumed: boolean, clock: Clock | null): void {
    const { connection, caller } = this.owner;
    this.isStarted = true;
    if (!isResumed) this.say(publishStarted(caller.isFmle, this.id, caller.clockId === null ? null : clock));
    connection.doing = "publishing";
    const event = isResumed ? "publish.resumed" : "publish.started";
    this.tell({ event });
    announce(this.owner, asked, event);
  }

  /** Its player may play. The configuration may have changed while that was asked. */
  private seatLate(asked: Asked, durationMs: number | null): void {
    this.seat(asked, lasting(this.manner, durationMs), null);
    this.owner.onStale();
  }

  private seat(asked: Asked, manner: Manner, resumed: Resumed | null): void {
    const { hub, connection, caller } = this.owner;
    this.checkCut(asked.vhost.chunkSize);
    const source = hub.source(asked.vhost, asked.request, caller.seenMs);
    this.checkCut(source.chunkSize); // one that was there before the configuration changed
    if (source.chunkSize !== caller.chunkSize) {
      caller.chunkSize = source.chunkSize;
      this.say([controlMessage(messageType.setChunkSize, source.chunkSize)]);
    }
    if (resumed === null) this.say(playStarted(this.id));
    if (resumed === null) connection.tell({ event: "play.started" });
    else connection.whisper({ event: "play.resumed" }); // thousands come at once, and are told in one line
    const playing = new Playing({
      hub,
      socket: connection.socket,
      source,
      client: asked.client,
      caller,
      streamId: this.id,
      manner,
      dues: [this.entry.due, this.owner.closing.due].filter((due) => due !== null),
      resumed,
      owner: this,
    });
    this.become({ at: "playing", asked, playing });
    connection.doing = "playing";
  }

  private checkCut(chunkSize: number): void {
    if (this.owner.mayCutAt(chunkSize, this)) return;
    throw new DolphinError("RTMP_STATE", "the connection plays a stream with another chunk size: ask on a connection of its own");
  }
}
