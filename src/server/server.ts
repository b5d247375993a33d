// PROGRAM 2 as a whole: listeners and connections of one server process, whether it is the origin, an edge or
// stand-alone. The one file that knows all parts of `server/`; streams and relays are the hub's.
//
//   sockets ─▶ server.ts ─┬─▶ rtmp/session.ts ─┬─ publish, source ─▶ streams/hub.ts ─┬─▶ stream/source.ts ─ batches ─▶ players
//                         └─▶ http/server.ts ──┘                                     └─▶ relay/: pulls, pushes, forwards
//   peers/: what connections have in common, whatever they speak
import { Server as HttpServer } from "node:http";
import { createServer as createNetServer, Server as NetServer, type Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { Crowd, Dispersal, type Spread } from "../base/crowd.js";
import { asDolphinError, DolphinError, messageOf } from "../base/errors.js";
import { endKept } from "../base/sockets/kept-connections.js";
import type { Log } from "../base/log.js";
import { systemTimers } from "../base/timers.js";
import { randomId } from "../base/random-id.js";
import { goneBefore } from "../codec/ip-address.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import type { AdoptNote, Carrier } from "../ipc/carried.js";
import type { BoxEvent } from "../ipc/events.js";
import type { Listed, ListPage } from "../ipc/lists.js";
import type { Locator } from "../ipc/locating.js";
import type { Reconfiguration, ServerSetup, ServerStats, StreamReport, Whom } from "../ipc/messages.js";
import type { Listener, Protocol } from "../ipc/listener.js";
import type { MirroredOrigin } from "../ipc/succession.js";
import { countEnd } from "../ipc/tally.js";
import { Hooks, type HooksOptions } from "../hooks/hooks.js";
import { createHttpServer, keepAliveMs, resumeFlv, type SavedFlv } from "./http/server.js";
import { loadSystemCopies, type CopyToSystem } from "./hls/system-copy.js";
import { Stored } from "./http/stored.js";
import type { Mover, SavedConnection, SavedPublisher } from "./peers/saved-publisher.js";
import type { SavedPlayer } from "./rtmp/playing.js";
import { useDirectWrites } from "../wire/direct-write.js";
import { endSoon } from "../wire/farewell.js";
import { loadDirectRead, MergedReads, type DirectRead } from "./peers/merged-read.js";
import { Hub, type HubParts } from "./streams/hub.js";
import { kick, leaversOf, listPage } from "./streams/listing.js";
import { presentOf } from "./streams/live-stream.js";
import { Refusals } from "./streams/refusals.js";
import { clientOf, meetPeer, nameClient, peerOf } from "./peers/peer.js";
import { RtmpSession } from "./rtmp/session.js";
import { adoptedSocket, withSharedRead, type Take } from "../wire/shared-read.js";

/** An address that is being served, with the port that the system chose where 0 was asked for. */
export interface BoundEndpoint {
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
}

const backlog = 1024;
/** How long what is due at the end of the process may take; what has not been told by then the master tells. */
export const lastWordsMs = 2_000;
/** Viewers that are left to another process are tried so often: what has been written to them must be with the system first. */
const handOverEveryMs = 50;
/** So many go together. */
const leaveTogether = 200;
/** Who watches finds what he has not got yet where its publisher is. */
const viewersFirstMs = 3000;
/** Paused until its reads are shared; a player that vanished without a word is found by keep-alive probes. */
const rtmpSocketOptions = { noDelay: true, pauseOnConnect: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs };

/** What a server asks of the system itself, where that can be. */
interface SystemCalls {
  readonly direct: DirectRead | null;
  readonly copyToSystem: CopyToSystem | null;
}

/** What a server has from its process. */
export interface ServerParts {
  /** What keeps copies of connections; null: they end with the process. */
  readonly carrier?: Carrier | null;
  readonly hooks?: Hooks;
  /** Who knows the other servers of the site; null: there are none. */
  readonly locator?: Locator | null;
  /** Takes what operators follow. */
  readonly tell?: (event: BoxEvent) => void;
}

/** The hooks of a server process; `tell` takes what the master must know of them. */
export function hooksOf({ identity, config }: Pick<ServerSetup, "identity" | "config">, log: Log, tell: HooksOptions["tell"]): Hooks {
  return new Hooks({ identity, settings: config.dolphin.hooks, log, tell });
}

/** A running server. Close it once; nothing is emitted or logged by it afterwards. */
export class Server {
  readonly endpoints: BoundEndpoint[] = [];
  private readonly log: Log;
  private readonly hub: Hub;
  private readonly listeners: NetServer[] = [];
  private readonly sessions = new Set<RtmpSession>();
  private readonly sockets = new Crowd<Socket>();
  private readonly refusals: Refusals;
  private readonly stored: Stored;

  private constructor(setup: ServerSetup, log: Log, { direct, copyToSystem, ...parts }: Omit<HubParts, "mergedReads"> & SystemCalls) {
    this.log = log;
    this.hub = new Hub(setup, log, { ...parts, mergedReads: new MergedReads(direct) });
    this.refusals = new Refusals(this.hub);
    this.stored = new Stored(this.hub, log, copyToSystem);
  }

  /** Listens on every address of the setup. Throws CHILD_LISTEN with the address when one cannot be had. */
  static async start(setup: ServerSetup, log: Log, { carrier = null, locator = null, hooks, tell }: ServerParts = {}): Promise<Server> {
    await useDirectWrites();
    const system = { direct: await loadDirectRead(), copyToSystem: await loadSystemCopies() };
    const server = new Server(setup, log, { carrier, locator, hooks: hooks ?? hooksOf(setup, log, () => undefined), ...system });
    if (tell !== undefined) server.hub.tell = tell;
    try {
      for (const listener of setup.listeners) server.endpoints.push(await server.listen(listener));
    } catch (error) {
      await server.close("it could not start");
      throw error;
    }
    return server;
  }

  /** What the heartbeat reports; the event-loop lag is the process's own and is added by the role. */
  stats(): Omit<ServerStats, "lagMs"> {
    const hooks = this.hub.hooks.snapshot();
    const { flvPlayers, wsPlayers, ...traffic } = this.hub.traffic;
    const stats = { ...traffic, present: { flvPlayers, wsPlayers, ...presentOf(this.hub) } };
    return hooks.length === 0 ? stats : { ...stats, hooks };
  }

  /** The streams that this process knows. */
  streams(): StreamReport[] {
    return this.hub.reports(0, Infinity).map(({ report }) => report);
  }

  /** Whether somebody publishes the stream of this key (`vhost/app/stream`) to this process. */
  has(key: string): boolean {
    return this.hub.has(key);
  }

  /** Its clients or its streams behind the one of this number; the first ones behind 0. */
  list(what: Listed, after: number): ListPage {
    return listPage(this.hub, what, after);
  }

  /** Sends clients away. Gives how many. */
  kick(whom: Whom): number {
    this.stored.sessions.kick(whom);
    return kick(this.hub.clients, whom);
  }

  /**
   * Goes by another configuration from now on; connections that the change does not concern go on as they are. Throws
   * CHILD_LISTEN, and changes nothing, when the addresses to listen on are others.
   */
  reconfigure(change: Reconfiguration): void {
    if (!isDeepStrictEqual(addressesOf(change.config), addressesOf(this.hub.setup.config))) {
      throw new DolphinError("CHILD_LISTEN", "a running process cannot change the addresses that it listens on");
    }
    this.hub.reconfigure(change);
  }

  /**
   * Takes nobody new and serves those who are here; resolves when the last one has left. Who has no stream is sent away after
   * some seconds, with the reason; `spread` says when the others are, one after the other (null: never). A listening socket that another process shares stays open there, with all that waits in it.
   */
  async drain(reason: string, spread: Spread | null = null): Promise<void> {
    this.hub.drainReason = reason;
    const dispersal = spread === null ? null : new Dispersal(spread, systemTimers, leaversOf(this.hub.clients, reason));
    // Not node:http's own `close`, which would no longer end requests that never come.
    for (const listener of this.listeners) NetServer.prototype.close.call(listener);
    for (const listener of this.listeners) if (listener instanceof HttpServer) endKept(listener, () => this.stored.again.endIdle());
    for (const session of this.sessions) session.drain(reason);
    await this.sockets.gone();
    dispersal?.close();
  }

  /**
   * Lets publishers go on in another process from now on: who asks to publish before being answered, who publishes here between
   * two reads. Those who cannot go, as one whose media is passed on from here, stay.
   */
  movePublishers(mover: Mover): void {
    this.hub.mover = mover;
    for (const session of this.sessions) session.move(mover);
  }

  /**
   * Goes on with a publisher whom another process has let go. The descriptor is the server's from now on. With as many publishers
   * as the whole box may have connections, it is refused (RTMP_FULL). `ended` is called when the publisher has left.
   */
  adoptPublisher(saved: SavedPublisher, fd: number, ended: () => void = () => undefined): void {
    this.adoptSession(fd, saved.connection, ended).goOn(saved);
  }

  /** Follows the streams of the process whose place this one takes, until `endMirror`. Resolves when they flow, or have not within a moment. */
  mirror(origin: MirroredOrigin): Promise<void> {
    return this.hub.mirror(origin);
  }

  endMirror(): void {
    this.hub.endMirror();
  }

  /** So many play streams in other processes. */
  playersElsewhere(counts: readonly (readonly [stream: string, players: number])[]): void {
    this.hub.hooks.hear(counts);
  }

  /** Whether a sitting goes on that this process has asked about. */
  hearSitting(id: number, goesOn: boolean): void {
    this.hub.hooks.sittings.hear(id, goesOn);
  }

  /** A publisher that was moved has ended: its place is free. */
  publisherOver(): void {
    this.hub.movedAway = Math.max(0, this.hub.movedAway - 1);
  }

  /** Goes on with a viewer whom another process has served. The descriptor is the server's from now on. */
  adopt([fd = -1]: readonly number[], { session, from }: AdoptNote): void {
    if (session.kind === "rtmp") {
      const saved = session.saved as SavedPlayer;
      this.adoptSession(fd, saved.connection).goOnPlaying(saved, { token: session.token, dues: session.dues ?? [], from });
      return;
    }
    const saved = session.saved as SavedFlv;
    let hear = (_bytes: Buffer): void => undefined;
    const socket = adoptedSocket(fd, (bytes) => {
      hear(bytes);
      return true;
    });
    socket.on("error", () => undefined); // a reset is the end of this viewer alone, and `close` tells of it
    nameClient(socket, saved.peer);
    this.count(socket);
    try {
      hear = resumeFlv(this.hub, this.log, socket, saved, { token: session.token, dues: session.dues ?? [], from });
    } catch (thrown) {
      const { code, message } = asDolphinError(thrown);
      this.log.warn({ event: "flv.closed", code, peer: peerOf(socket), reason: message });
      socket.destroy();
    }
  }

  /**
   * Leaves its connections to other processes, those who come late too: viewers, and when they have gone, or some seconds later,
   * publishers. Resolves when no connection is left.
   */
  async handOver(mover: Mover): Promise<void> {
    const publishersGoAtMs = Date.now() + viewersFirstMs;
    while (this.sockets.size > 0) {
      await this.leaveViewers();
      // Own edges are no players: one that follows the streams here stays until they end.
      const haveViewersGone = this.hub.traffic.players === 0 || Date.now() > publishersGoAtMs;
      if (this.hub.mover === null && haveViewersGone) this.movePublishers(mover);
      await new Promise((resolve) => setTimeout(resolve, handOverEveryMs));
    }
  }

  /** Some at a time: those go over already while the next ones are let go. */
  private async leaveViewers(): Promise<void> {
    let count = 0;
    for (const client of this.hub.clients) {
      if (client.does !== "play" || !client.letGo()) continue;
      count += 1;
      if (count % leaveTogether === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** Stops listening and ends every connection. Resolves when the listeners are closed, and what is due has been told or takes too long. */
  async close(reason: string): Promise<void> {
    const closed = this.listeners.map((listener) => new Promise((resolve) => listener.close(resolve)));
    this.stored.close();
    this.hub.close(); // first: that publishers are closed is not the end of their streams
    for (const session of this.sessions) session.close(reason);
    for (const socket of this.sockets) endSoon(socket);
    await Promise.all([...closed, this.sockets.gone()]);
    await this.hub.hooks.settle(lastWordsMs, false);
  }

  private listen({ endpoint, fd, protocol }: Listener): Promise<BoundEndpoint> {
    const accept = (accepted: Socket): Socket | null => this.accept(accepted, protocol);
    const listener =
      protocol === "rtmp" ? createNetServer(rtmpSocketOptions, accept) : createHttpServer(this.hub, this.log, this.stored, accept);
    this.listeners.push(listener);
    return new Promise((resolve, reject) => {
      listener.once("error", (cause) => {
        reject(new DolphinError("CHILD_LISTEN", `cannot listen on ${formatEndpoint(endpoint)}: ${messageOf(cause)}`, { cause }));
      });
      listener.once("listening", () => {
        const address = listener.address();
        const port = typeof address === "object" && address !== null ? address.port : endpoint.port;
        listener.on("error", (error) => this.log.error({ event: "listener.failed", code: "CHILD_LISTEN", err: messageOf(error) }));
        resolve({ protocol, endpoint: { host: endpoint.host, port } });
      });
      const { isV6Only = false } = endpoint;
      // A port that the system chooses is this process's alone, and not shared by the cluster module.
      if (fd === null) listener.listen({ ...endpoint, ipv6Only: isV6Only, backlog, exclusive: endpoint.port === 0 });
      else listener.listen({ fd, backlog });
    });
  }

  /**
   * Takes an accepted connection; gives the socket with which HTTP is to go on, null where nothing is left to do. At the limit it is closed
   * at once, as SRS does: waiting would only hide it.
   */
  private accept(accepted: Socket, protocol: Listener["protocol"]): Socket | null {
    const { traffic, setup } = this.hub;
    if (!meetPeer(accepted)) {
      accepted.destroy();
      this.log.debug({ event: `${protocol}.closed`, reason: goneBefore });
      return null;
    }
    if (setup.maxConnections !== null && traffic.connections + this.hub.movedAway >= setup.maxConnections) {
      this.log.warn(
        { event: `${protocol}.closed`, code: "RTMP_FULL", peer: peerOf(accepted) },
        `all ${setup.maxConnections} connections are in use`,
      );
      this.refusals.count(protocol, setup.maxConnections);
      countEnd(traffic.tally, "RTMP_FULL");
      accepted.destroy();
      return null;
    }
    const client = clientOf(accepted);
    traffic.tally.accepted += 1;
    if (protocol === "rtmp") {
      this.openSession((take) => withSharedRead(accepted, take), { client, conn: randomId() });
      return null;
    }
    const socket = this.stored.again.take(accepted);
    nameClient(socket, client);
    this.count(socket);
    return socket;
  }

  private adoptSession(fd: number, saved: SavedConnection, ended: () => void = () => undefined): RtmpSession {
    return this.openSession((take) => {
      const socket = adoptedSocket(fd, take); // its options are the connection's, and have come along
      socket.once("close", ended);
      return socket;
    }, saved);
  }

  private openSession(open: (take: Take) => Socket, { client, conn }: Pick<SavedConnection, "client" | "conn">): RtmpSession {
    const socket = open((bytes) => session.read(bytes));
    nameClient(socket, client);
    const session: RtmpSession = new RtmpSession({
      socket,
      conn,
      hub: this.hub,
      log: this.log,
      onEnd: () => void this.sessions.delete(session),
    });
    this.sessions.add(session);
    this.count(socket);
    socket.resume();
    return session;
  }

  private count(socket: Socket): void {
    const { traffic } = this.hub;
    traffic.connections += 1;
    this.sockets.add(socket);
    socket.on("close", () => {
      traffic.connections -= 1;
      this.sockets.delete(socket);
    });
  }
}

function addressesOf({ listen, http }: Config): unknown {
  return { rtmp: listen, http: http?.listen ?? null };
}
