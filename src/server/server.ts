// PROGRAM 3 as a whole: listeners, streams and relays of one server process, whether it is the origin, an edge or
// stand-alone. The one file that knows all parts of `server/`.
import { createServer, type Server as NetServer } from "node:net";
import type { Log } from "../base/log.js";
import type { Endpoint } from "../conf/config.js";
import type { Listener, ServerSetup, ServerStats, StreamReport } from "../ipc/messages.js";

/** An address that is being served, with the port that the system chose where 0 was asked for. */
export interface BoundEndpoint {
  readonly protocol: "rtmp" | "http";
  readonly endpoint: Endpoint;
}

/** A running server. Close it once; nothing is emitted or logged by it afterwards. */
export class Server {
  private readonly listeners: NetServer[] = [];
  readonly endpoints: BoundEndpoint[] = [];

  private constructor() {}

  /** Listens on every address of the setup. Throws CHILD_LISTEN with the address when one cannot be had. */
  static async start(setup: ServerSetup, log: Log): Promise<Server> {
    const server = new Server();
    for (const listener of setup.listeners) server.endpoints.push(await server.listen(listener));
    log.debug({ event: "server.started" });
    return server;
  }

  /** What the heartbeat reports; the event-loop lag is the process's own and is added by the role. */
  stats(): Omit<ServerStats, "lagMs"> {
    return { connections: 0, players: 0, publishers: 0, bytesIn: 0, bytesOut: 0 };
  }

  streams(): StreamReport[] {
    return [];
  }

  async close(_reason: string): Promise<void> {
    for (const listener of this.listeners) listener.close();
  }

  private listen(listener: Listener): Promise<BoundEndpoint> {
    const { endpoint, fd, protocol } = listener;
    const net = createServer((socket) => socket.destroy());
    this.listeners.push(net);
    return new Promise((resolve, reject) => {
      net.once("error", reject);
      net.once("listening", () => {
        const address = net.address();
        const port = typeof address === "object" && address !== null ? address.port : endpoint.port;
        resolve({ protocol, endpoint: { host: endpoint.host, port } });
      });
      if (fd === null) net.listen({ host: endpoint.host, port: endpoint.port, backlog: 1024 });
      else net.listen({ fd, backlog: 1024 });
    });
  }
}
