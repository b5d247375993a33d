// One proxy of plan b as a whole: its listeners, its view of the servers, the pump, and what stands between an accepted socket and
// the pump. Where streams live on one server the RTMP router and the HTTP proxy read as much as they need to know;
// elsewhere bytes are moved unread.
//
//   master ─ backends, leases ─► Backends ◄─ pick ─ RtmpRouter / HttpProxy / TcpProxy ◄─ accept ─ listeners
import { createServer, type Server, type Socket } from "node:net";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { formatEndpoint } from "../conf/endpoint.js";
import { isForeign, prefaceFor, type Endpoint } from "../conf/config.js";
import { trustedNetworks, type TrustedNetworks } from "../conf/networks.js";
import type { Carried, ProxySetup } from "../ipc/balance.js";
import type { FromChild, Listener, ServerStats, ToChild } from "../ipc/messages.js";
import { Backends } from "../proxy/backends.js";
import { httpDefaults, HttpProxy } from "../proxy/http-proxy.js";
import { createPump, type Pump } from "../proxy/pump.js";
import { RtmpPlaces } from "../proxy/rtmp-places.js";
import { RtmpRouter, routeDefaults } from "../proxy/rtmp-router.js";
import { acceptOptions, TcpProxy } from "../proxy/tcp-proxy.js";

/** What takes accepted sockets over. */
export interface Acceptor {
  readonly connections: number;
  accept(socket: Socket): void;
  close(): void;
}

/** What the master says to a proxy that runs. */
export type News = Extract<ToChild, { type: "backends" | "leases" | "taken" }>;

const backlog = 1024;
/** A pair in which nothing moves in either direction: both ends are gone without a word, or nobody needs it. */
const idleMs = 3_600_000;

/** A running proxy. Close it once; nothing is sent or logged by it afterwards. */
export class Balancer {
  readonly endpoints: { readonly protocol: Listener["protocol"]; readonly endpoint: Endpoint }[] = [];
  /** What it carried at the last look at `stats`. */
  carried: readonly Carried[] = [];
  private readonly setup: ProxySetup;
  private readonly log: Log;
  private readonly backends: Backends;
  private readonly places: RtmpPlaces;
  private readonly pump: Pump;
  private readonly acceptors: Readonly<Record<Listener["protocol"], Acceptor>>;
  private readonly listeners: Server[] = [];

  private constructor(setup: ProxySetup, log: Log, pump: Pump, send: (message: FromChild) => void) {
    this.setup = setup;
    this.log = log;
    this.pump = pump;
    this.backends = new Backends({ policy: setup.config.dolphin.balance.policy });
    this.places = new RtmpPlaces(this.backends, send);
    const byStream = setup.routing === "stream";
    this.acceptors = {
      rtmp: byStream ? this.rtmpRouter() : this.tcpProxy("rtmp"),
      http: byStream ? this.httpProxy() : this.tcpProxy("http"),
    };
  }

  /** Makes it ready to serve; it hears of servers before it listens. */
  static async create(setup: ProxySetup, log: Log, send: (message: FromChild) => void): Promise<Balancer> {
    return new Balancer(setup, log, await createPump(log), send);
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

  /** Looks at what it carries; the event-loop lag is the process's own and is added by the role. */
  stats(): Omit<ServerStats, "lagMs"> {
    this.carried = this.backends.carried();
    const sum = (field: "bytesIn" | "bytesOut"): number => this.carried.reduce((total, one) => total + one[field], 0);
    return { connections: this.connections, players: 0, publishers: 0, bytesIn: sum("bytesIn"), bytesOut: sum("bytesOut") };
  }

  /** Stops listening and ends every connection. Resolves when the listeners are closed. */
  async close(_reason: string): Promise<void> {
    const closed = this.listeners.map((listener) => new Promise((resolve) => listener.close(resolve)));
    for (const acceptor of Object.values(this.acceptors)) acceptor.close();
    this.places.close();
    await Promise.all([...closed, this.pump.close()]);
  }

  private get connections(): number {
    return this.acceptors.rtmp.connections + this.acceptors.http.connections;
  }

  private httpProxy(): Acceptor {
    const { dolphin } = this.setup.config;
    const { playWaitMs } = dolphin.balance;
    const tellsPort = !isForeign(dolphin) && prefaceFor(dolphin, "http") !== null;
    const options = { ...httpDefaults, playWaitMs, vhosts: new Set(this.setup.vhosts), tellsPort };
    return new HttpProxy({ chooser: this.places, servers: this.backends, log: this.log, options, trusted: this.trusted() });
  }

  private rtmpRouter(): Acceptor {
    const { dolphin } = this.setup.config;
    const { playWaitMs } = dolphin.balance;
    const options = { ...routeDefaults, playWaitMs, idleMs, vhosts: new Set(this.setup.vhosts), preface: prefaceFor(dolphin, "rtmp") };
    return new RtmpRouter({ chooser: this.places, accounts: this.backends, pump: this.pump, log: this.log, options }, this.trusted());
  }

  private tcpProxy(service: Listener["protocol"]): Acceptor {
    const preface = prefaceFor(this.setup.config.dolphin, service);
    const options = { service, preface, trusted: this.trusted(), idleMs, totalMs: null };
    return new TcpProxy(options, this.backends, this.pump, this.log);
  }

  private trusted(): TrustedNetworks | null {
    const { trustedProxies } = this.setup.config.dolphin.balance;
    return trustedProxies.length === 0 ? null : trustedNetworks(trustedProxies);
  }

  private open({ endpoint, fd, protocol }: Listener): Promise<{ protocol: Listener["protocol"]; endpoint: Endpoint }> {
    const listener = createServer(acceptOptions, (socket) => this.accept(socket, protocol));
    this.listeners.push(listener);
    return new Promise((resolve, reject) => {
      listener.once("error", (cause) => {
        reject(new DolphinError("CHILD_LISTEN", `cannot listen on ${formatEndpoint(endpoint)}: ${messageOf(cause)}`, { cause }));
      });
      listener.once("listening", () => {
        listener.on("error", (error) => this.log.error({ event: "listener.failed", code: "CHILD_LISTEN", err: messageOf(error) }));
        resolve({ protocol, endpoint });
      });
      if (fd === null) listener.listen({ host: endpoint.host, port: endpoint.port, backlog });
      else listener.listen({ fd, backlog });
    });
  }

  /** At the limit a connection is accepted and closed at once: waiting would only hide it. */
  private accept(socket: Socket, protocol: Listener["protocol"]): void {
    const { maxConnections } = this.setup;
    if (maxConnections === null || this.connections < maxConnections) return this.acceptors[protocol].accept(socket);
    this.log.warn({ event: "proxy.closed", code: "RTMP_FULL", reason: `all ${maxConnections} connections are in use`, endedBy: "proxy" });
    socket.destroy();
    return undefined;
  }
}
