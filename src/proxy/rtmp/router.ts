// Routing of RTMP by stream: what a proxy does with each accepted connection when streams live on certain servers. Who the
// client is → the route → one closed line. The listener, the chooser, the accounts and the pump are the caller's. Connections
// for which any server will do are tcp-proxy.ts's.
//
//   router.ts ─▶ route.ts ─ until publish or play names the stream ─▶ front.ts, which answers as a server does
//                   ├────── a server is chosen ────────────────────▶ greet.ts, which shakes hands with it
//                   ├────── client and server meet ────────────────▶ crossing.ts ─ bytes ─▶ seam.ts ─ headers ─▶ rewrite.ts
//                   └────── all bytes are raw ─────────────────────▶ the pump
import type { Socket } from "node:net";
import { Crowd } from "../../base/crowd.js";
import { asDolphinError } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { TrustedNetworks } from "../../conf/meaning/networks.js";
import { clientAddress } from "../balance/client-address.js";
import { patienceMs } from "../balance/patience.js";
import { RtmpRoute, type RouteOptions, type RouteParts } from "./route.js";

/** The limits of a route where nobody asks for others. */
export const routeDefaults: RouteOptions = {
  nameTimeoutMs: 10_000,
  greetTimeoutMs: 2_000,
  patienceMs,
  maxTries: 3,
  playWaitMs: 15_000,
  idleMs: null,
  totalMs: null,
  vhosts: new Set(),
  preface: null,
  givesStreams: true,
};

/** Routes each accepted connection. `close` ends those that it has. */
export class RtmpRouter {
  private readonly parts: RouteParts;
  private readonly trusted: TrustedNetworks | null;
  private readonly routes = new Crowd<{ close(reason: string): void }>();
  private lastConn = 0;
  private isClosed = false;

  /** `trusted`: peers whose word on the client's address counts; null: nobody's. */
  constructor(parts: RouteParts, trusted: TrustedNetworks | null = null) {
    this.parts = parts;
    this.trusted = trusted;
  }

  get connections(): number {
    return this.routes.size;
  }

  /** Takes an accepted socket over: paused, with `allowHalfOpen` and `noDelay` (`acceptOptions` of tcp-proxy.ts). */
  accept(socket: Socket, peer: Endpoint): void {
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    void this.serve(socket, peer, ++this.lastConn);
  }

  /** Resolves when it has no connection. */
  drain(): Promise<void> {
    return this.routes.gone();
  }

  close(reason = "the proxy stops"): void {
    this.isClosed = true;
    for (const route of this.routes) route.close(reason);
  }

  private async serve(socket: Socket, from: Endpoint, conn: number): Promise<void> {
    const peer = formatEndpoint(from);
    const waiting = { close: () => void socket.destroy() };
    const leave = (): void => undefined; // `clientAddress`, or the first read, finds it gone
    socket.on("error", leave);
    this.routes.add(waiting);
    try {
      const address = await clientAddress(socket, from, this.trusted);
      if (address === null || this.isClosed) {
        socket.destroy();
        const [endedBy, reason] = this.isClosed ? ["proxy", "the proxy stops"] : ["client", "the client left"];
        this.parts.log.debug({ event: "proxy.closed", conn, peer, reason, endedBy, bytesIn: 0, bytesOut: 0 });
        return;
      }
      socket.off("error", leave);
      const onEnd = (): void => this.routes.delete(route);
      const route = new RtmpRoute({ socket, conn, ...address, onEnd }, this.parts);
      this.routes.add(route);
    } catch (thrown) {
      const { message, code } = asDolphinError(thrown);
      socket.destroy();
      this.parts.log.warn({ event: "proxy.closed", conn, peer, reason: message, code, endedBy: "proxy", bytesIn: 0, bytesOut: 0 });
    } finally {
      this.routes.delete(waiting);
    }
  }
}
