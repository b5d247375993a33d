// One proxy of plan b as a whole: its listeners, its view of the servers, the pump, and the acceptors between an accepted socket
// and the pump. Another configuration brings other acceptors, beside which the old ones serve whom they have.
//
//   listeners ─ accept ─▶ two of acceptors.ts:   rtmp/router.ts       balance/tcp-proxy.ts     http/proxy.ts
//                                                     └─ join ─▶ pump/pump.ts ◀─ join ─┘              └─ request by request ─▶ a server
//   all three ─ choose, pick ─▶ balance/places.ts, balance/backends.ts ◀─ backends, leases, taken ─ master
//   pairs that another proxy has moved ─▶ balance/moved-pairs.ts ─ join ─▶ pump/pump.ts
import { createServer, type Server, type Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { Dispersal, type Spread } from "../base/crowd.js";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { systemTimers } from "../base/timers.js";
import { goneBefore, peerAddress } from "../codec/ip-address.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import type { Carried, ProxySetup } from "../ipc/balance.js";
import type { AdoptNote, Carrier } from "../ipc/carried.js";
import type { Listed, ListPage } from "../ipc/lists.js";
import type { Locator, StreamName } from "../ipc/locating.js";
import type { FromChild, Reconfiguration, ServerStats, ToChild, Whom } from "../ipc/messages.js";
import type { Listener } from "../ipc/listener.js";
import { Backends } from "./balance/backends.js";
import { MovedPairs } from "./balance/moved-pairs.js";
import { offerHandles, peerOf, type SocketHandle } from "./pump/handle.js";
import type { Pump } from "./pump/pump.js";
import { createPump } from "./pump/create-pump.js";
import { RtmpPlaces } from "./balance/places.js";
import { Roll } from "./balance/roll.js";
import { acceptOptions } from "./balance/tcp-proxy.js";
import { idleMs, makeAcceptors, routesOf, type Acceptor, type AcceptorParts, type Acceptors } from "./acceptors.js";

/** What the master says to a proxy that runs. */
export type News = Extract<ToChild, { type: "backends" | "leases" | "taken" }>;

const backlog = 1024;
/** How often a proxy that is replaced looks for connections that can be left to another. */
const handOverEveryMs = 50;

/** What a proxy has from its process. */
export interface BalancerParts {
  readonly send: (message: FromChild) => void;
  readonly carrier: Carrier | null;
  /** Who knows the other boxes of the site; null: there are none. */
  readonly locator: Locator | null;
}

/** A running proxy. Close it once; nothing is sent or logged by it afterwards. */
export class Balancer {
  readonly endpoints: { readonly protocol: Listener["protocol"]; readonly endpoint: Endpoint }[] = [];
  /** What it carried at the last look at `stats`. */
  carried: readonly Carried[] = [];
  private setup: ProxySetup;
  private readonly log: Log;
  private readonly backends: Backends;
  private readonly places: RtmpPlaces;
  private readonly pump: Pump;
  private readonly roll = new Roll();
  private readonly parts: AcceptorParts;
  private acceptors: Acceptors;
  /** Those of earlier configurations, until their last connection has left. */
  private readonly retired = new Set<Acceptor>();
  /** Those that other proxies have served. */
  private readonly moved: MovedPairs;
  private readonly listeners: Server[] = [];

  private constructor(setup: ProxySetup, log: Log, pump: Pump, { send, locator }: Pick<BalancerParts, "send" | "locator">) {
    this.setup = setup;
    this.log = log;
    this.pump = pump;
    this.backends = new Backends({ policy: setup.config.dolphin.balance.policy });
    // Only our own servers can fetch a stream from another box.
    const isLocated = ({ vhost }: StreamName): boolean => this.setup.vhosts === null && isSought(this.setup.config, vhost);
    this.places = new RtmpPlaces(this.backends, send, locator === null ? null : { locator, isLocated });
    const isCrowded = (): boolean => this.setup.maxConnections !== null && this.connections * 4 > this.setup.maxConnections * 3;
    this.parts = { backends: this.backends, places: this.places, pump, roll: this.roll, log, isCrowded };
    this.acceptors = makeAcceptors(routesOf(setup.config, setup), this.parts);
    this.moved = new MovedPairs({ ...this.parts, idleMs });
  }

  /** Makes it ready to serve; it hears of servers before it listens. With a carrier, raw connections outlive the process. */
  static async create(setup: ProxySetup, log: Log, { carrier, ...parts }: BalancerParts): Promise<Balancer> {
    return new Balancer(setup, log, await createPump(log, "auto", carrier), parts);
  }

  /** Listens on every address of the setup. Throws CHILD_LISTEN with the address when one cannot be had. */
  async listen(): Promise<void> {
    for (const listener of this.setup.listeners) this.endpoints.push(await this.open(listener));
  }

  /** Takes what the master says of servers and streams. */
  hear(message: News): void {
    switch (message.type) {
      case "backends":
        this.backends.update(message.backends);
        return;
      case "taken":
        this.places.taken(message.id, message.backend);
        return;
      case "leases":
        for (const { key, proxy } of message.ended) this.backends.endLease(key, proxy);
        for (const lease of message.begun) this.backends.setLease(lease);
        this.places.begun(message.begun.map(({ key }) => key));
        return;
    }
  }

  /** Its clients, or the streams that they have named, behind the one of this number. */
  list(what: Listed, after: number): ListPage {
    return this.roll.list(what, after);
  }

  /** Sends clients away; gives how many. */
  kick(whom: Whom): number {
    return this.roll.kick(whom);
  }

  /** Looks at what it carries; the event-loop lag is the process's own and is added by the role. */
  stats(): Omit<ServerStats, "lagMs"> {
    this.carried = this.backends.carried();
    const sum = (field: "bytesIn" | "bytesOut"): number => this.carried.reduce((total, one) => total + one[field], 0);
    return { connections: this.connections, players: 0, publishers: 0, bytesIn: sum("bytesIn"), bytesOut: sum("bytesOut") };
  }

  /**
   * Goes by another configuration for those who come from now on; those who are here go on as they are. Throws CHILD_LISTEN, and
   * changes nothing, when the addresses to listen on are others.
   */
  reconfigure({ config, maxConnections }: Reconfiguration): void {
    const { config: before } = this.setup;
    if (!isDeepStrictEqual(addressesOf(config), addressesOf(before))) {
      throw new DolphinError("CHILD_LISTEN", "a running process cannot change the addresses that it listens on");
    }
    const routes = routesOf(config, this.setup);
    if (!isDeepStrictEqual(routes, routesOf(before, this.setup))) {
      const retiring = Object.values(this.acceptors);
      this.acceptors = makeAcceptors(routes, this.parts);
      for (const acceptor of retiring) void this.retire(acceptor);
    }
    this.backends.policy = config.dolphin.balance.policy;
    this.setup = { ...this.setup, config, maxConnections };
  }

  /** Goes on with a pair that another proxy has served. The descriptors are its own from now on. */
  adopt(fds: readonly number[], note: AdoptNote): void {
    this.moved.adopt(fds, note);
  }

  /** Leaves raw connections to other proxies, those that become raw late too; resolves when no connection is left. */
  async handOver(): Promise<void> {
    while (this.connections > 0) {
      this.pump.letGo();
      await new Promise((resolve) => setTimeout(resolve, handOverEveryMs));
    }
  }

  /** Takes nobody new and carries those who are here; resolves when the last one has left. `spread`: when they are sent away. */
  async drain(reason: string, spread: Spread | null = null): Promise<void> {
    for (const listener of this.listeners) listener.close();
    const { roll } = this;
    const leavers = { left: () => roll.size, sendAway: (count: number) => roll.sendAway(count, reason) };
    const dispersal = spread === null ? null : new Dispersal(spread, systemTimers, leavers);
    await Promise.all(this.all.map((acceptor) => acceptor.drain()));
    dispersal?.close();
  }

  /** Stops listening and ends every connection. Resolves when the listeners are closed. */
  async close(_reason: string): Promise<void> {
    const closed = this.listeners.map((listener) => new Promise((resolve) => listener.close(resolve)));
    for (const acceptor of this.all) acceptor.close();
    this.places.close();
    await Promise.all([...closed, this.pump.close()]);
  }

  private get connections(): number {
    return this.all.reduce((sum, { connections }) => sum + connections, 0);
  }

  private get all(): Omit<Acceptor, "accept">[] {
    return [...Object.values(this.acceptors), ...this.retired, this.moved];
  }

  private async retire(acceptor: Acceptor): Promise<void> {
    this.retired.add(acceptor);
    await acceptor.drain();
    acceptor.close();
    this.retired.delete(acceptor);
  }

  private open({ endpoint, fd, protocol }: Listener): Promise<{ protocol: Listener["protocol"]; endpoint: Endpoint }> {
    const listener = createServer(acceptOptions, (socket) => this.accept(socket, protocol));
    this.listeners.push(listener);
    return new Promise((resolve, reject) => {
      listener.once("error", (cause) => {
        reject(new DolphinError("CHILD_LISTEN", `cannot listen on ${formatEndpoint(endpoint)}: ${messageOf(cause)}`, { cause }));
      });
      listener.once("listening", () => {
        offerHandles(listener, (client) => this.acceptAtOnce(client, protocol));
        listener.on("error", (error) => this.log.error({ event: "listener.failed", code: "CHILD_LISTEN", err: messageOf(error) }));
        resolve({ protocol, endpoint });
      });
      if (fd === null) listener.listen({ ...endpoint, ipv6Only: endpoint.isV6Only ?? false, backlog });
      else listener.listen({ fd, backlog });
    });
  }

  private acceptorOf(protocol: Listener["protocol"]): Acceptor {
    return this.acceptors[protocol === "rtmp" ? protocol : "http"];
  }

  private hasRoom(): boolean {
    const { maxConnections } = this.setup;
    return maxConnections === null || this.connections < maxConnections;
  }

  /** False: it is to be a socket first, and then `accept` has it. */
  private acceptAtOnce(client: SocketHandle, protocol: Listener["protocol"]): boolean {
    const acceptor = this.acceptorOf(protocol);
    if (acceptor.acceptAtOnce === undefined || !this.hasRoom()) return false;
    const peer = peerOf(client);
    return peer !== null && acceptor.acceptAtOnce(client, peer);
  }

  /** At the limit a connection is accepted and closed at once: waiting would only hide it. */
  private accept(socket: Socket, protocol: Listener["protocol"]): void {
    const { maxConnections } = this.setup;
    const peer = peerAddress(socket);
    if (peer !== null && this.hasRoom()) {
      this.acceptorOf(protocol).accept(socket, peer);
      return;
    }
    socket.destroy();
    if (peer === null) {
      this.log.debug({ event: "proxy.closed", reason: goneBefore, endedBy: "client", bytesIn: 0, bytesOut: 0 });
      return;
    }
    const reason = `all ${maxConnections} connections are in use`;
    this.log.warn({ event: "proxy.closed", code: "RTMP_FULL", peer: formatEndpoint(peer), reason, endedBy: "proxy" });
  }
}

/** Whether streams of a vhost may be at other boxes. */
function isSought({ vhosts }: Config, name: string): boolean {
  const cluster = vhosts.find((one) => one.name === name)?.cluster;
  return cluster?.mode === "local" && cluster.isInOriginCluster;
}

function addressesOf({ listen, http }: Config): unknown {
  return { rtmp: listen, http: http?.listen ?? null };
}
