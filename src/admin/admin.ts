// PROGRAM 4 as a whole: what operators, their scripts and their dashboards ask of a box, over HTTP. It serves no stream and owns none: all
// that it knows it asks the master over the box's control socket, a second apart however many ask here, and when it is gone nobody but
// those who were asking notices.
//
//   sockets ─▶ admin.ts ─ http/: limits, who may what ─▶ routes.ts ─┬─▶ api/: SRS's API ──────────────┐
//                                                                  └─▶ metrics/, site/: for others ──┴─▶ box/ ─ control socket ─▶ the master
import type { Server as HttpServer } from "node:http";
import { Server as NetServer } from "node:net";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Config } from "../conf/meaning/config.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import type { Listener } from "../ipc/listener.js";
import { noStats, type AdminSetup, type Reconfiguration, type ServerStats } from "../ipc/messages.js";
import type { AdminContext } from "./box/context.js";
import { ControlClient } from "./box/control-client.js";
import { SrsServers } from "./box/srs-servers.js";
import { BoxView } from "./box/view.js";
import { createAdminServer } from "./http/server.js";
import { answer } from "./routes.js";
import { Site } from "./site/site.js";

const backlog = 1024;
/** How long a connection that was accepted may take to ask when the process leaves. */
const firstWordMs = 1000;
/** How long an answer that is under way may take to be read when the process leaves. */
const farewellMs = 3000;

/** A running admin. Close it once. */
export class Admin {
  readonly endpoints: Pick<Listener, "protocol" | "endpoint">[] = [];
  private readonly servers: HttpServer[] = [];
  private readonly context: AdminContext;
  private readonly site: Site;
  private readonly srs: SrsServers;
  private config: Config;

  private constructor({ config, controlSocket }: AdminSetup, log: Log) {
    this.config = config;
    const control = new ControlClient(controlSocket);
    this.srs = new SrsServers({ log, auth: () => this.config.api.auth });
    this.context = {
      log,
      control,
      view: new BoxView(control, this.srs),
      config: () => this.config,
    };
    this.site = new Site(this.context);
  }

  /** Listens on every address of the setup. Throws CHILD_LISTEN with the address when one cannot be had. */
  static async start(setup: AdminSetup, log: Log): Promise<Admin> {
    const admin = new Admin(setup, log);
    for (const listener of setup.listeners) await admin.listen(listener);
    return admin;
  }

  stats(): Omit<ServerStats, "lagMs"> {
    return noStats;
  }

  reconfigure({ config }: Reconfiguration): void {
    this.config = config;
  }

  /** Takes nothing new, and resolves when what was asked is answered. */
  async drain(): Promise<void> {
    await this.close();
  }

  /** The same: whoever has connected may still ask, for a moment, and an answer that nobody reads is cut. */
  async close(): Promise<void> {
    this.site.close();
    // Not node:http's own `close`, which ends connections whose request is on its way.
    const closed = this.servers.map((server) => new Promise((resolve) => NetServer.prototype.close.call(server, resolve)));
    const timers = [
      setTimeout(() => this.servers.forEach((server) => server.closeIdleConnections()), firstWordMs),
      setTimeout(() => this.servers.forEach((server) => server.closeAllConnections()), farewellMs),
    ];
    await Promise.all(closed);
    for (const timer of timers) clearTimeout(timer);
    this.srs.close();
  }

  private listen({ protocol, endpoint, fd }: Listener): Promise<void> {
    const server = createAdminServer((request, response) => void answer(this.context, this.site, protocol, request, response));
    this.servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", (cause) => {
        reject(new DolphinError("CHILD_LISTEN", `cannot listen on ${formatEndpoint(endpoint)}: ${messageOf(cause)}`, { cause }));
      });
      server.once("listening", () => {
        server.on("error", (error) => this.context.log.error({ event: "listener.failed", code: "CHILD_LISTEN", err: messageOf(error) }));
        this.endpoints.push({ protocol, endpoint });
        resolve();
      });
      if (fd === null) server.listen({ ...endpoint, ipv6Only: endpoint.isV6Only ?? false, backlog });
      else server.listen({ fd, backlog });
    });
  }
}
