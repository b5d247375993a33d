// What a connection does while it plays: its seat in the stream, its place among the clients, and the copy of it that lets
// another process go on. The dialogue around it is the session's.
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { ErrorCode } from "../../base/errors.js";
import type { Position } from "../../base/position.js";
import { historyNotice, liveNotices, publishNotices } from "../../codec/rtmp/dialogue.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { Source } from "../../stream/source.js";
import type { Carriage } from "../../ipc/carried.js";
import type { Client } from "../peers/clients.js";
import type { Hub } from "../streams/hub.js";
import { descriptorsOf } from "../peers/shared-read.js";
import type { Caller } from "../peers/caller.js";
import type { SavedConnection } from "../peers/saved-publisher.js";
import type { Manner } from "./excerpt.js";
import { RtmpPlayer } from "./player.js";

/** A viewer's connection as plain data: all that another process must know to go on with it. */
export interface SavedPlayer {
  readonly connection: SavedConnection;
  readonly caller: Caller;
  /** The message stream that it plays on. */
  readonly streamId: number;
  /** The stream as `play` named it, parameters and all. */
  readonly stream: string;
  readonly manner: Manner;
}

/** A play that another process has served up to a position. */
export interface Resumed {
  /** As in `CarriedSession`. */
  readonly token: string;
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
  /** Null: it begins here. */
  readonly resumed: Resumed | null;
  readonly write: (messages: readonly Message[]) => void;
  readonly onDrop: (code: ErrorCode, reason: string) => void;
  /** As in `PlayerOptions`. */
  readonly onPlayed: () => void;
  /** What is kept of it for another process is out of date: it is to be carried again. */
  readonly onStale: () => void;
}

/** One play of one connection. `close` or `letGo` ends it. */
export class Playing {
  private readonly options: PlayingOptions;
  private readonly player: RtmpPlayer;
  private carriage: Carriage | null = null;
  private isAsked = false;
  private isStale = false;
  /** By which it is known while it is carried. */
  private token: string;

  constructor(options: PlayingOptions) {
    this.options = options;
    const { hub, client, resumed, write, streamId } = options;
    this.token = resumed?.token ?? newToken();
    hub.clients.add(client);
    if (!this.isOwnEdge) hub.traffic.players += 1;
    this.player = new RtmpPlayer({
      ...options,
      isOwnEdge: this.isOwnEdge,
      from: resumed?.from ?? null,
      traffic: hub.traffic,
      onHistory: (count) => write([historyNotice(count)]),
      onLive: this.liveTeller(streamId),
      onManner: () => this.becomeStale(),
    });
  }

  /**
   * Has a copy of the connection kept, between two reads, and again what it is where that has changed. The box's own edges come
   * back by themselves. Again does nothing.
   */
  carry(save: () => Omit<SavedPlayer, "manner"> | null): void {
    const { hub, socket, resumed } = this.options;
    const isDue = !this.isAsked || (this.isStale && this.carriage !== null);
    const now = isDue && !this.isOwnEdge && hub.carrier !== null ? save() : null;
    this.isAsked = true;
    this.isStale = false;
    if (now === null || hub.carrier === null) return;
    const { token, player } = this;
    const session = { token, kind: "rtmp", saved: { ...now, manner: player.manner } satisfies SavedPlayer } as const;
    if (this.carriage === null) {
      this.carriage = hub.carrier.carry(() => descriptorsOf(socket), session, resumed?.from ?? null);
      player.mark(this.carriage);
    } else this.carriage.renew(session);
  }

  /** Has no copy kept any more, until it is carried again: the connection has become more than this play. */
  stay(): void {
    this.player.mark(null);
    this.carriage?.over();
    this.carriage = null;
    this.token = newToken();
    this.isAsked = false;
  }

  pause(): void {
    this.player.pause();
    this.becomeStale();
  }

  resume(): void {
    this.player.resume();
    this.becomeStale();
  }

  /** As in `RtmpPlayer`. */
  choose(what: "audio" | "video", isWanted: boolean): void {
    this.player.choose(what, isWanted);
    this.becomeStale();
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

  private becomeStale(): void {
    this.isStale = true;
    this.options.onStale();
  }

  /** How it is told that the stream begins and ends: servers are, for their viewers; null: nobody else is. */
  private liveTeller(streamId: number): ((isLive: boolean) => void) | null {
    const { caller, source, write } = this.options;
    if (this.isOwnEdge) return (isLive) => write(liveNotices(isLive ? source.clock.id : null));
    return caller.isServer ? (isLive) => write(publishNotices(isLive, streamId)) : null;
  }

  private leave(): void {
    const { hub, client } = this.options;
    hub.clients.delete(client);
    if (!this.isOwnEdge) hub.traffic.players -= 1;
    this.player.close();
  }
}

function newToken(): string {
  return `${process.pid}.${randomBytes(6).toString("base64url")}`;
}
