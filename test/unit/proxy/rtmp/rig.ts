// What tests of the router share: a router on a port of its own, servers by name, its log lines, and a chooser that does as
// it is told.
import { nobody } from "../../../../src/ipc/identity.js";
import { createServer, type Socket } from "node:net";
import { pino } from "pino";
import { peerAddress } from "../../../../src/codec/ip-address.js";
import type { Log } from "../../../../src/base/log.js";
import { loadConfig } from "../../../../src/conf/load.js";
import { PlainPump } from "../../../../src/proxy/pump/plain-pump.js";
import type { Accounts, Choice, Chooser, Question, Target } from "../../../../src/proxy/balance/chooser.js";
import { RtmpRouter, routeDefaults } from "../../../../src/proxy/rtmp/router.js";
import type { RouteOptions } from "../../../../src/proxy/rtmp/route.js";
import { acceptOptions } from "../../../../src/proxy/balance/tcp-proxy.js";
import { Server } from "../../../../src/server/server.js";
import { Roll } from "../../../../src/proxy/balance/roll.js";
import type { Cleanup, LogLine } from "../../../helpers/dolphin.js";
import { eventually } from "../../../helpers/wait.js";

export function memoryLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const formatters = { level: (level: string) => ({ level }) };
  return { log: pino({ level: "debug", formatters }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) }), lines };
}

/** A server on loopback. */
export function target(name: string, port: number): Target {
  return { name, rtmp: { host: "127.0.0.1", port }, http: { host: "127.0.0.1", port } };
}

/** Sends streams where they are published, and all others to the first server that was not tried. */
export class ListChooser implements Chooser {
  readonly questions: Question[] = [];
  readonly leases = new Map<string, string>();
  readonly targets: Target[];
  /** How often it was asked whether there is another server: once for each turn that one has taken. */
  looks = 0;

  constructor(targets: readonly Target[]) {
    this.targets = [...targets];
  }

  isPublished(key: string): boolean {
    return this.leases.has(key);
  }

  choose(question: Question): Choice | null {
    this.questions.push(question);
    const { what, key, tried } = question;
    const free = this.targets.filter(({ name }) => !tried.has(name));
    const chosen = free.find(({ name }) => name === this.leases.get(key)) ?? free[0];
    if (chosen === undefined) return null;
    const takes = what === "publish" && !this.leases.has(key);
    if (takes) this.leases.set(key, chosen.name);
    const hasOther = (): boolean => {
      this.looks++;
      return free.length > 1;
    };
    return { target: chosen, lease: null, hasOther, release: () => void (takes && this.leases.delete(key)) };
  }
}

/** Counts like Backends, and shows it. */
export class CountingAccounts implements Accounts {
  readonly open = new Map<string, number>();
  readonly bytes: { name: string; bytesIn: number; bytesOut: number }[] = [];

  opened(name: string): void {
    this.open.set(name, (this.open.get(name) ?? 0) + 1);
  }

  follow(): void {
    // tests look at the final counts
  }

  closed(name: string, bytesIn: number, bytesOut: number): void {
    this.open.set(name, (this.open.get(name) ?? 0) - 1);
    this.bytes.push({ name, bytesIn, bytesOut });
  }

  get total(): number {
    return Array.from(this.open.values()).reduce((sum, count) => sum + count, 0);
  }
}

export interface Rig {
  readonly port: number;
  readonly router: RtmpRouter;
  readonly chooser: ListChooser;
  readonly accounts: CountingAccounts;
  readonly lines: LogLine[];
  url(stream: string): string;
  /** The closed lines, when there are so many. */
  closedLines(count: number): Promise<LogLine[]>;
}

/** A router in front of these servers until the end of the test. */
export async function startRouter(t: Cleanup, targets: readonly Target[], options: Partial<RouteOptions> = {}): Promise<Rig> {
  const { log, lines } = memoryLog();
  const chooser = new ListChooser(targets);
  const accounts = new CountingAccounts();
  const pump = new PlainPump();
  const router = new RtmpRouter({ chooser, accounts, pump, roll: new Roll(), log, options: { ...routeDefaults, ...options } });
  const listener = createServer(acceptOptions, (socket: Socket) => router.accept(socket, peerAddress(socket)!));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  t.after(() => {
    listener.close();
    router.close();
    return pump.close();
  });
  const closed = (): LogLine[] => lines.filter(({ event }) => event === "proxy.closed");
  return {
    port,
    router,
    chooser,
    accounts,
    lines,
    url: (stream) => `rtmp://127.0.0.1:${port}/live/${stream}`,
    closedLines: async (count) => {
      await eventually(() => closed().length >= count, {
        timeoutMs: 3000,
        everyMs: 5,
        what: `${count} closed lines in ${JSON.stringify(lines)}`,
      });
      return closed();
    },
  };
}

const conf = `
listen 1935;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ {
    min_latency on;
    http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }
}
`;

/** Our own server on free ports until the end of the test. */
export async function startOwnServer(t: Cleanup, name = "server-1"): Promise<{ target: Target; server: Server }> {
  const { config, problems } = loadConfig({ file: "test.conf", text: conf });
  if (config === null) throw new Error(JSON.stringify(problems));
  const endpoint = { host: "127.0.0.1", port: 0 };
  const listeners = (["rtmp", "http"] as const).map((protocol) => ({ protocol, endpoint, fd: null }));
  const setup = { name, config, listeners, isEdge: false, edgeKey: "", maxConnections: null, publishersMove: false, identity: nobody };
  const server = await Server.start(setup, memoryLog().log);
  t.after(() => server.close("the test is over"));
  const [rtmp, http] = server.endpoints;
  return { target: { name, rtmp: rtmp!.endpoint, http: http!.endpoint }, server };
}
