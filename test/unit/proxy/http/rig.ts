// What tests of the HTTP proxy share: a proxy on a port of its own, servers that do as they are told, and requests.
import {
  createServer as createHttpServer,
  request as httpRequest,
  type Agent,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import { createServer, type Socket } from "node:net";
import type { ApiServer } from "../../../../src/proxy/http/api.js";
import { peerAddress } from "../../../../src/codec/ip-address.js";
import { HttpProxy, httpDefaults, type HttpProxyOptions } from "../../../../src/proxy/http/proxy.js";
import { trustedNetworks } from "../../../../src/conf/meaning/networks.js";
import type { Target } from "../../../../src/proxy/balance/chooser.js";
import { acceptOptions } from "../../../../src/proxy/balance/tcp-proxy.js";
import { Roll } from "../../../../src/proxy/balance/roll.js";
import type { Cleanup, LogLine } from "../../../helpers/dolphin.js";
import { CountingAccounts, ListChooser, memoryLog, target } from "../rtmp/rig.js";

/** Takes turns. */
class TurningServers extends CountingAccounts {
  private readonly targets: readonly Target[];
  private turn = 0;
  /** What an API is known of. */
  apis: readonly ApiServer[] = [];

  constructor(targets: readonly Target[]) {
    super();
    this.targets = targets;
  }

  list(): readonly ApiServer[] {
    return this.apis;
  }

  canPick(tried: ReadonlySet<string>): boolean {
    return this.targets.some(({ name }) => !tried.has(name));
  }

  pick(_ask: object, tried: ReadonlySet<string>): Target | null {
    const free = this.targets.filter(({ name }) => !tried.has(name));
    return free[this.turn++ % Math.max(1, free.length)] ?? null;
  }
}

export interface HttpRig {
  readonly port: number;
  readonly proxy: HttpProxy;
  readonly chooser: ListChooser;
  readonly servers: TurningServers;
  readonly lines: LogLine[];
}

export async function startProxy(t: Cleanup, targets: readonly Target[], options: Partial<HttpProxyOptions> = {}): Promise<HttpRig> {
  const { log, lines } = memoryLog();
  const [chooser, servers] = [new ListChooser(targets), new TurningServers(targets)];
  const trusted = trustedNetworks(["127.0.0.1/32"]);
  const proxy = new HttpProxy({
    chooser,
    servers,
    roll: new Roll(),
    log,
    trusted,
    isCrowded: () => false,
    options: { ...httpDefaults, ...options },
  });
  const listener = createServer(acceptOptions, (socket: Socket) => proxy.accept(socket, peerAddress(socket)!));
  const port = await listen(listener);
  t.after(() => {
    listener.close();
    proxy.close();
  });
  return { port, proxy, chooser, servers, lines };
}

/** An HTTP server by name; `connections` are those that were opened to it. */
export async function startBackend(t: Cleanup, name: string, answer: RequestListener): Promise<{ target: Target; sockets: Set<Socket> }> {
  const server = createHttpServer(answer);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  const port = await listen(server);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { target: target(name, port), sockets };
}

/** A port that accepts and says nothing. */
export async function startSilent(t: Cleanup, name: string): Promise<Target> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).resume();
  });
  const port = await listen(server);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return target(name, port);
}

function listen(server: { listen(port: number, host: string, done: () => void): unknown; address(): unknown }): Promise<number> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)));
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Ask {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
}

/** One request and its whole answer. */
export async function ask(port: number, { path = "/", method = "GET", headers = {}, body, agent }: Ask = {}): Promise<Answer> {
  const answer = await begin(port, {
    path,
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(agent === undefined ? {} : { agent }),
  });
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts).toString() };
}

/** One request up to the head of its answer. */
export function begin(port: number, { path = "/", method = "GET", headers = {}, body, agent }: Ask = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: agent ?? false }, resolve);
    request.on("error", reject);
    request.end(body);
  });
}
