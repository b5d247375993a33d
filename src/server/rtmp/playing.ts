// What a connection does while it plays: its seat in the stream, its place among the clients, and the copy of it that lets
// another process go on. The dialogue around it is the session's.
import type { Socket } from "node:net";
import type { ErrorCode } from "../../base/errors.js";
import type { Position } from "../../base/position.js";
import { randomId } from "../../base/random-id.js";
import { differing } from "../../codec/differing.js";
import { historyNotice, liveNotices, publishNotices } from "../../codec/rtmp/dialogue.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { Source } from "../../stream/source.js";
import type { Carriage } from "../../ipc/carried.js";
import type { Due } from "../../ipc/dues.js";
import type { Client } from "../peers/clients.js";
import type { Hub } from "../streams/hub.js";
import { descriptorsOf } from "../../wire/shared-read.js";
import { saveCaller, type Caller, type SavedCaller } from "../peers/caller.js";
import type { SavedConnection } from "../peers/saved-publisher.js";
import { plainManner, type Manner } from "./excerpt.js";
import { RtmpPlayer, type PlayerOwner } from "./player.js";

/** A viewer's connection as plain data: all that another process must know to go on with it. */
export interface SavedPlayer {
  readonly connection: SavedConnection;
  readonly caller: SavedCaller;
  /** The message stream that it plays on. */
  readonly streamId: number;
  /** The stream as `play` named it, parameters and all. */
  readonly stream: string;
  /** Where that is not the plain one. */
  readonly manner: Partial<Manner>;
}

/** A play that another process has served up to a position. */
export interface Resumed {
  /** As in `CarriedSession`. */
  readonly token: string;
  readonly dues: readonly Due[];
  /** As in `PlayerOptions`. */
  readonly from: Position | null;
}

export interface PlayingOptions {
  readonly hub: Hub;
  readonly socket: Socket;
  readonly source: Source;
  readonly client: Client;
  readonly caller: Caller;
  readonly streamId: number;
  /** How it wants the stream to begin with. */
  readonly manner: Manner;
  /** What is due when it is over, and when its connection is. */
  readonly dues: readonly Due[];
  /** Null: it begins here. */
  readonly resumed: Resumed | null;
  readonly owner: PlayingOwner;
}

/** Whom a play tells what becomes of it. */
export interface PlayingOwner extends Pick<PlayerOwner, "onDrop"> {
  say(messages: readonly Message[]): void;
  /** The player has had as much as it wanted. */
  onPlayed(playing: Playing): void;
  /** What is kept of it for another process is out of date: it is to be carried again. */
  onStale(): void;
}

/** One play of one connection. `close` or `letGo` ends it. */
export class Playing implements PlayerOwner {
  private readonly options: PlayingOptions;
  private readonly player: RtmpPlayer;
  private carriage: Carriage | null = null;
  private isAsked = false;
  private isStale = false;
  /** By which another process has carried it; null: none has, or it is carried under it here. */
  private token: string | null;

  constructor(options: PlayingOptions) {
    this.options = options;
    const { hub, client, resumed, socket, source, streamId, manner } = options;
    this.token = resumed?.token ?? null;
    hub.clients.add(client);
    if (!this.isOwnEdge) hub.traffic.players += 1;
    const isNew = !this.isOwnEdge && resumed === null;
    if (isNew) hub.traffic.tally.plays += 1;
    const from = resumed?.from ?? null;
    const { isOwnEdge } = this;
    const { isPackager, isPatient } = options.caller;
    const sinceMs = isNew ? (client.report()?.sinceMs ?? null) : null;
    this.player = new RtmpPlayer({
      socket,
      source,
      streamId,
      manner,
      isOwnEdge,
      isPackager,
      isPatient,
      traffic: hub.traffic,
      from,
      sinceMs,
      owner: this,
    });
  }

  onDrop(code: ErrorCode, reason: string): void {
    this.options.owner.onDrop(code, reason);
  }

  onHistory(count: number): void {
    this.options.owner.say([historyNotice(count)]);
  }

  /** Servers are told that the stream begins and ends, for their viewers, and nobody else is. */
  onLive(isLive: boolean): void {
    const { caller, source, streamId, owner } = this.options;
    if (this.isOwnEdge) owner.say(liveNotices(isLive ? source.clock.id : null));
    else if (caller.isServer) owner.say(publishNotices(isLive, streamId));
  }

  onPlayed(): void {
    this.options.owner.onPlayed(this);
  }

  onManner(): void {
    this.isStale = true;
    this.options.owner.onStale();
  }

  /**
   * Has a copy of the connection kept, between two reads, and again what it is where that has changed. The box's own edges come
   * back by themselves. Again does nothing.
   */
  carry(save: () => Pick<SavedPlayer, "connection" | "stream"> | null): void {
    const { hub, socket, caller, streamId, resumed, dues } = this.options;
    const { carrier } = hub;
    const isDue = !this.isAsked || (this.isStale && this.carriage !== null);
    this.isAsked = true;
    this.isStale = false;
    if (!isDue || this.isOwnEdge || carrier === null) return;
    const isGiven = this.token !== null && carrier.isGiven(this.token);
    const now = isGiven ? null : save();
    if (now === null && !isGiven) return;
    const manner = differing(this.player.manner, plainManner);
    const saved: SavedPlayer | null = now && { ...now, caller: saveCaller(caller), streamId, manner };
    if (this.carriage !== null) {
      this.carriage.renew(saved);
      return;
    }
    const token = this.token ?? `${process.pid}.${randomId()}`;
    this.token = null;
    this.carriage = carrier.carry(() => descriptorsOf(socket), { token, dues, kind: "rtmp", saved }, resumed?.from ?? null);
    this.player.mark(this.carriage);
  }

  /** Has no copy kept any more, until it is carried again: the connection has become more than this play. */
  stay(): void {
    this.player.mark(null);
    this.carriage?.over();
    this.carriage = null;
    this.isAsked = false;
  }

  pause(): void {
    this.player.pause();
    this.onManner();
  }

  resume(): void {
    this.player.resume();
    this.onManner();
  }

  /** As in `RtmpPlayer`. */
  choose(what: "audio" | "video", isWanted: boolean): void {
    this.player.choose(what, isWanted);
    this.onManner();
  }

  close(): void {
    this.leave();
    this.carriage?.over();
  }

  /** Leaves the connection to another process; false where that cannot be, now or ever. Nothing may be written to it afterwards. */
  letGo(): boolean {
    if (this.carriage?.isKept !== true || this.options.socket.writableLength > 0) return false;
    this.leave();
    this.carriage.letGo();
    return true;
  }

  private get isOwnEdge(): boolean {
    return this.options.caller.edgeName !== null;
  }

  private leave(): void {
    const { hub, client } = this.options;
    hub.clients.delete(client);
    if (!this.isOwnEdge) hub.traffic.players -= 1;
    this.player.close();
  }
}
