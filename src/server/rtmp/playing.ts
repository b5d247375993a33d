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
import { RtmpPlayer } from "./player.js";

/** A viewer's connection as plain data: all that another process must know to go on with it. */
export interface SavedPlayer {
  readonly connection: SavedConnection;
  readonly caller: Caller;
  /** The stream as `play` named it, parameters and all. */
  readonly stream: string;
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
  /** Null: it begins here. */
  readonly resumed: Resumed | null;
  readonly write: (messages: readonly Message[]) => void;
  readonly onDrop: (code: ErrorCode, reason: string) => void;
}

/** One play of one connection. `close` or `letGo` ends it. */
export class Playing {
  private readonly options: PlayingOptions;
  private readonly player: RtmpPlayer;
  private carriage: Carriage | null = null;
  private isAsked = false;

  constructor(options: PlayingOptions) {
    this.options = options;
    const { hub, client, resumed, write } = options;
    hub.clients.add(client);
    if (!this.isOwnEdge) hub.traffic.players += 1;
    this.player = new RtmpPlayer({
      ...options,
      isOwnEdge: this.isOwnEdge,
      from: resumed?.from ?? null,
      traffic: hub.traffic,
      onHistory: (count) => write([historyNotice(count)]),
      onLive: this.liveTeller(),
    });
  }

  /** Has a copy of the connection kept, between two reads. The box's own edges come back by themselves. Again does nothing. */
  carry(save: () => SavedPlayer | null): void {
    const { hub, socket, resumed } = this.options;
    if (this.isAsked || this.isOwnEdge || hub.carrier === null) return;
    this.isAsked = true;
    const saved = save();
    if (saved === null) return;
    const token = resumed?.token ?? `${process.pid}.${randomBytes(6).toString("base64url")}`;
    this.carriage = hub.carrier.carry(() => descriptorsOf(socket), { token, kind: "rtmp", saved }, resumed?.from ?? null);
    if (this.carriage !== null) this.player.mark(this.carriage);
  }

  pause(): void {
    this.player.pause();
  }

  resume(): void {
    this.player.resume();
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

  /** How it is told that the stream begins and ends: servers are, for their viewers; null: nobody else is. */
  private liveTeller(): ((isLive: boolean) => void) | null {
    const { caller, source, write } = this.options;
    if (this.isOwnEdge) return (isLive) => write(liveNotices(isLive ? source.clock.id : null));
    return caller.isServer ? (isLive) => write(publishNotices(isLive)) : null;
  }

  private leave(): void {
    const { hub, client } = this.options;
    hub.clients.delete(client);
    if (!this.isOwnEdge) hub.traffic.players -= 1;
    this.player.close();
  }
}
