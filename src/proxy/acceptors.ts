// What stands between a proxy's listeners and the pump, made for one configuration: the RTMP router and the HTTP proxy where
// streams live on one server, raw TCP where any server will do. Another configuration makes others; these keep what they have.
import type { Socket } from "node:net";
import { canonicalHost } from "../base/host-name.js";
import type { Log } from "../base/log.js";
import { isForeign, prefaceFor, routingOf, type Config, type Endpoint } from "../conf/meaning/config.js";
import { trustedNetworks } from "../conf/meaning/networks.js";
import type { ProxySetup } from "../ipc/balance.js";
import type { MediaProtocol } from "../ipc/listener.js";
import type { Backends } from "./balance/backends.js";
import { httpDefaults, HttpProxy, type Operators } from "./http/proxy.js";
import type { SocketHandle } from "./pump/handle.js";
import type { Pump } from "./pump/pump.js";
import type { Roll } from "./balance/roll.js";
import type { RtmpPlaces } from "./balance/places.js";
import { RtmpRouter, routeDefaults } from "./rtmp/router.js";
import { TcpProxy } from "./balance/tcp-proxy.js";

/** What takes accepted sockets over. `close` ends those that it has. */
export interface Acceptor {
  readonly connections: number;
  /** `peer` has opened it. */
  accept(socket: Socket, peer: Endpoint): void;
  /** The same before it is a socket of node's; false: it must become one. Absent: all must. */
  acceptAtOnce?(client: SocketHandle, peer: Endpoint): boolean;
  /** It will be given nobody more: resolves when the last one has left. */
  drain(): Promise<void>;
  close(): void;
}

export type Acceptors = Readonly<Record<MediaProtocol, Acceptor>>;

export interface AcceptorParts {
  readonly backends: Backends;
  readonly places: RtmpPlaces;
  readonly pump: Pump;
  readonly roll: Roll;
  readonly log: Log;
  /** Whether few connections are left. */
  readonly isCrowded: () => boolean;
}

/** A pair in which nothing moves in either direction: both ends are gone without a word, or nobody needs it. */
export const idleMs = 3_600_000;

/** What of a configuration acceptors are made of: where this is the same, so would they be. */
export interface Routes {
  readonly routing: "stream" | "connection";
  /** The vhosts that the servers tell apart; all other names are one. */
  readonly vhosts: readonly string[];
  readonly playWaitMs: number;
  readonly flvWaitMs: number;
  readonly trustedProxies: readonly string[];
  readonly prefaces: Readonly<Record<MediaProtocol, ReturnType<typeof prefaceFor>>>;
  readonly isForeign: boolean;
  /** What of HTTP is the admin's; null: nothing, or servers of ours see to it. */
  readonly operators: Operators | null;
}

/** `vhosts`: those that the servers have; null: those of the configuration. */
export function routesOf(config: Config, { vhosts, adminDoor }: Pick<ProxySetup, "vhosts" | "adminDoor">): Routes {
  const { dolphin } = config;
  const { playWaitMs, trustedProxies } = dolphin.balance;
  return {
    routing: routingOf(config),
    vhosts: vhosts ?? config.vhosts.filter(({ enabled }) => enabled).map(({ name }) => name),
    playWaitMs,
    flvWaitMs: dolphin.flvWaitMs,
    trustedProxies,
    prefaces: { rtmp: prefaceFor(dolphin, "rtmp"), http: prefaceFor(dolphin, "http") },
    isForeign: isForeign(dolphin),
    operators: adminDoor === undefined || !isForeign(dolphin) ? null : { door: adminDoor, at: config.api.atHttp },
  };
}

export function makeAcceptors(routes: Routes, { backends, places, pump, roll, log, isCrowded }: AcceptorParts): Acceptors {
  const { routing, playWaitMs, trustedProxies, prefaces } = routes;
  const trusted = trustedProxies.length === 0 ? null : trustedNetworks(trustedProxies);
  if (routing === "connection") {
    const tcpProxy = (service: MediaProtocol): Acceptor =>
      new TcpProxy({ service, preface: prefaces[service], trusted, idleMs, totalMs: null }, backends, pump, roll, log);
    return { rtmp: tcpProxy("rtmp"), http: tcpProxy("http") };
  }
  const vhosts = new Set(routes.vhosts.map(canonicalHost));
  const options = { ...routeDefaults, playWaitMs, idleMs, vhosts, preface: prefaces.rtmp, givesStreams: !routes.isForeign };
  const tellsPort = !routes.isForeign && prefaces.http !== null;
  const httpOptions = {
    ...httpDefaults,
    playWaitMs,
    flvWaitMs: routes.isForeign ? null : routes.flvWaitMs,
    vhosts,
    tellsPort,
    operators: routes.operators,
  };
  return {
    rtmp: new RtmpRouter({ chooser: places, accounts: backends, pump, roll, log, options }, trusted),
    http: new HttpProxy({ chooser: places, servers: backends, roll, log, options: httpOptions, isCrowded, trusted }),
  };
}
