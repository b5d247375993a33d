// PROGRAM 4 as a whole: what operators, their scripts and their dashboards ask of a box, over HTTP. It serves no stream and owns none: all
// that it knows it asks the master over the box's control socket, a second apart however many ask here, and when it is gone nobody but
// those who were asking notices.
//
//   sockets ─▶ admin.ts ─ http/: limits, who may what ─▶ routes.ts ─┬─▶ api/: SRS's API ──────────────┐
//                                                                  └─▶ metrics/, site/: for others ──┴─▶ box/ ─ control socket ─▶ the master
import { renameSync, rmSync, statSync } from "node:fs";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import { Server as NetServer } from "node:net";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { endIdle } from "../base/sockets/kept-connections.js";
import type { Config } from "../conf/meaning/config.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import { adminDoorOf } from "../ipc/admin-door.js";
import type { Listener } from "../ipc/listener.js";
import { noStats, type AdminSetup, type Reconfiguration, type ServerStats } from "../ipc/messages.js";
import type { AdminContext } from "./box/context.js";
import { ControlClient } from "./box/control-client.js";
import { SrsServers } from "./box/srs-servers.js";
import { BoxView } from "./box/view.js";
import { CertificateFiles } from "./http/certificate.js";
import { createAdminServer, createAdminTlsServer } from "./http/server.js";
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
  private readonly servers: (HttpServer | HttpsServer)[] = [];
  private certificate: CertificateFiles | null = null;
  /** The file of the door, as long as it is this process' own. */
  private door: { readonly path: string; readonly inode: number } | null = null;
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
    this.site = new Site(this.context, `${controlSocket}.history`);
  }

  /** Listens on every address of the setup. Throws CHILD_LISTEN with the address when one cannot be had. */
  static async start(setup: AdminSetup, log: Log): Promise<Admin> {
    const admin = new Admin(setup, log);
    for (const listener of setup.listeners) await admin.listen(listener);
    await admin.openDoor(adminDoorOf(setup.controlSocket));
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
    this.certificate?.close();
    this.leaveDoor();
    // Not node:http's own `close`, which ends connections whose request is on its way.
    const closed = this.servers.map((server) => new Promise((resolve) => NetServer.prototype.close.call(server, resolve)));
    const timers = [
      setTimeout(() => this.servers.forEach(endIdle), firstWordMs),
      setTimeout(() => this.servers.forEach((server) => server.closeAllConnections()), farewellMs),
    ];
    await Promise.all(closed);
    for (const timer of timers) clearTimeout(timer);
    this.srs.close();
  }

  private listen({ protocol, endpoint, fd }: Listener): Promise<void> {
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void answer(this.context, this.site, protocol, request, response);
    const server = protocol === "api-tls" ? this.tlsServer(serve) : createAdminServer(serve);
    const listening = this.opened(server, formatEndpoint(endpoint)).then(() => void this.endpoints.push({ protocol, endpoint }));
    if (fd === null) server.listen({ ...endpoint, ipv6Only: endpoint.isV6Only ?? false, backlog });
    else server.listen({ fd, backlog });
    return listening;
  }

  private tlsServer(serve: (request: IncomingMessage, response: ServerResponse) => void): HttpsServer {
    const { tls } = this.config.api;
    if (tls === null) throw new DolphinError("CHILD_LISTEN", "https of http_api has no certificate");
    const files = new CertificateFiles(tls);
    const server = createAdminTlsServer(files.read(), serve);
    files.watch((found) => {
      if (found instanceof Error) this.context.log.warn({ event: "api.certificate", code: "CHILD_LISTEN", err: found.message }, kept);
      else server.setSecureContext(found);
    });
    this.certificate?.close();
    this.certificate = files;
    return server;
  }

  /** An heir takes the place of the one before in one step: whoever knocks meanwhile finds one of the two. */
  private async openDoor(path: string): Promise<void> {
    const own = `${path}.${process.pid}`;
    rmSync(own, { force: true });
    const server = createAdminServer((request, response) => void answer(this.context, this.site, "door", request, response));
    const listening = this.opened(server, own);
    const mask = process.umask(0o177);
    server.listen({ path: own, exclusive: true, backlog }); // binds before it returns
    process.umask(mask);
    await listening;
    this.door = { path, inode: statSync(own).ino };
    renameSync(own, path);
  }

  private leaveDoor(): void {
    const { door } = this;
    this.door = null;
    if (door !== null && statSync(door.path, { throwIfNoEntry: false })?.ino === door.inode) rmSync(door.path, { force: true });
  }

  /** Throws CHILD_LISTEN with the address where it cannot be had. */
  private opened(server: HttpServer | HttpsServer, address: string): Promise<void> {
    this.servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", (cause) => {
        reject(new DolphinError("CHILD_LISTEN", `cannot listen on ${address}: ${messageOf(cause)}`, { cause }));
      });
      server.once("listening", () => {
        server.on("error", (error) => this.context.log.error({ event: "listener.failed", code: "CHILD_LISTEN", err: messageOf(error) }));
        resolve();
      });
    });
  }
}

const kept = "the certificate that was read before stays in force";
