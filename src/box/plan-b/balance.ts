// Plan b while it runs: the pool of servers, what is asked of it, and what the supervisor, the proxies and the vault tell it.
import type { Log } from "../../base/log.js";
import type { Timers } from "../../base/timers.js";
import { prefaceFor, routingOf, type Config, type Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { unpack, type PackedSession, type SavedPair } from "../../ipc/carried.js";
import type { ForeignServer } from "../../ipc/box.js";
import type { FromChild } from "../../ipc/messages.js";
import { Guests } from "../../master/backends/guests.js";
import { Pool } from "../../master/backends/pool.js";
import { writeFiles } from "../../master/backends/process-spawner.js";
import type { Software } from "../../master/backends/software.js";
import type { BalanceStatus, Explanation } from "../../master/control/status.js";
import type { ProcessSpec } from "../../master/processes/plan.js";
import type { Change, Supervisor } from "../../master/processes/supervisor.js";
import { writtenKey } from "../../proxy/balance/chooser.js";
import { explainStream } from "./explain.js";
import type { PlanB } from "./plan-b.js";

export interface BalanceParts {
  readonly planB: PlanB;
  /** All processes of the box. */
  readonly specs: readonly ProcessSpec[];
  readonly supervisor: Supervisor;
  readonly timers: Timers;
  readonly log: Log;
}

/** How the connections of a box are spread over its servers. Close it once. */
export class Balance {
  private readonly parts: BalanceParts;
  private readonly pool: Pool;
  private readonly guests: Guests;
  private config: Config;

  constructor(config: Config, parts: BalanceParts) {
    this.config = config;
    this.parts = parts;
    const { specs, supervisor, timers, log } = parts;
    this.pool = new Pool({
      specs,
      maxServerConnections: config.dolphin.balance.maxServerConnections,
      timers,
      log,
      epochMs: () => Date.now(),
      supervisor,
    });
    this.guests = new Guests({
      timers,
      came: (guest) => {
        log.info({ event: "guest.came", backend: guest.name, upstream: formatEndpoint(guest.rtmp) }, "a server has registered");
        this.pool.guestCame(guest);
      },
      left: (name) => {
        log.warn({ event: "guest.left", code: "API_SERVER_SILENT", backend: name }, "a registered server is silent, or was started anew");
        this.pool.guestLeft(name);
      },
    });
  }

  /** A server of another machine says that it is there. Null, or why it is not taken. */
  register(body: unknown): string | null {
    if (prefaceFor(this.config.dolphin, "rtmp") !== null && this.config.dolphin.balance.sendProxy === "auto")
      return "the proxies tell servers by a PROXY header who the client is, which others may not read: write send_proxy off";
    return this.guests.register(body);
  }

  /** Another configuration is in force. An srs reads its file, or its copy of it, again, as it does by itself on this signal. */
  adopt(config: Config, specs: readonly ProcessSpec[]): void {
    this.config = config;
    const { planB, supervisor } = this.parts;
    this.pool.adopt(specs, config.dolphin.balance.maxServerConnections);
    if (planB.software.kind !== "srs") return;
    for (const { name, backend } of specs) {
      if (backend === undefined || backend.program === null) continue;
      writeFiles(backend.program);
      supervisor.signal(name, "SIGHUP");
    }
  }

  changed(change: Change): void {
    this.pool.changed(change);
  }

  heard(spec: ProcessSpec, message: FromChild): void {
    this.pool.heard(spec, message);
  }

  /** As the vault's options of these names. */
  left(proxy: string, { token, kind, text }: PackedSession): void {
    if (kind !== "pair") return;
    const { lease } = unpack(text) as SavedPair;
    if (lease !== null) this.pool.connectionLeft(proxy, token, lease.id);
  }

  settled({ token }: PackedSession, proxy: string | null): void {
    this.pool.connectionSettled(token, proxy);
  }

  /** Gives a server no more connections, or again. Null, or why that cannot be. */
  drain(server: string, isDraining: boolean): string | null {
    const names = this.pool.backends().map(({ name }) => name);
    if (!this.pool.drain(server, isDraining)) return `there is no server ${server}, only ${names.join(", ")}`;
    const event = isDraining ? "server.drained" : "server.undrained";
    this.parts.log.info({ event, child: server }, `${server} gets ${isDraining ? "no more connections" : "connections again"}`);
    return null;
  }

  /** The server that has a stream, if `asker` is another of them. */
  sibling(key: string, asker: string): Endpoint | null {
    const servers = this.pool.backends();
    const has = this.pool.listLeases().find((one) => one.key === key)?.backend;
    if (has === asker || !servers.some(({ name }) => name === asker)) return null;
    return servers.find(({ name }) => name === has)?.rtmp ?? null;
  }

  explain(text: string): Explanation {
    const { policy } = this.config.dolphin.balance;
    const vhosts = this.parts.planB.vhosts ?? this.config.vhosts.filter(({ enabled }) => enabled).map(({ name }) => name);
    const key = writtenKey(text, new Set(vhosts));
    const lease = this.pool.listLeases().find((one) => one.key === key) ?? null;
    return explainStream({ key, policy, routing: routingOf(this.config), lease, servers: this.pool.backends(), nowMs: Date.now() });
  }

  /** Servers that are another program; null: they are ours. */
  foreign(): readonly ForeignServer[] | null {
    if (this.parts.planB.software.kind === "builtin") return null;
    return this.pool.backends().map(({ name, api }) => ({ name, api: api?.endpoint ?? null }));
  }

  status(): BalanceStatus {
    const { policy } = this.config.dolphin.balance;
    const [servers, carried, leases] = [this.pool.backends(), this.pool.carried(), this.pool.listLeases()];
    return { policy, routing: routingOf(this.config), software: nameOf(this.parts.planB.software), servers, carried, leases };
  }

  /** Stops asking the servers. */
  close(): void {
    this.guests.close();
    this.pool.close();
  }
}

function nameOf(software: Software): string {
  if (software.kind === "builtin") return software.kind;
  return software.kind === "srs" ? `srs ${software.version}` : software.argv.join(" ");
}
