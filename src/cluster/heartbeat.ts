// Tells a URL again and again that this box is there, as SRS's `heartbeat` does: a monitor of the site, or an srs-proxy, which then sends
// this box streams as one of its origins. What it answers is nothing to us.
//
//   begin ─▶ POST { ip, server, service, pid, rtmp, http, api } ─▶ interval ─▶ POST … ─▶ close
import { networkInterfaces } from "node:os";
import type { Log } from "../base/log.js";
import type { Config } from "../conf/meaning/config.js";
import { Backend } from "../hooks/backend.js";
import type { Identity } from "../ipc/identity.js";

const timeoutMs = 5_000;

export interface HeartbeatParts {
  readonly log: Log;
  readonly identity: Identity;
  config(): Config;
}

/** The beat of one box. `close` ends it. */
export class Heartbeat {
  private readonly parts: HeartbeatParts;
  private timer: NodeJS.Timeout | null = null;
  private backend: { readonly url: string; readonly to: Backend } | null = null;
  private isFailing = false;

  constructor(parts: HeartbeatParts) {
    this.parts = parts;
  }

  /** The box serves: it is told now, and from now on. What the configuration says is looked at each time. */
  begin(): void {
    const { heartbeat } = this.parts.config();
    if (heartbeat !== null) void this.beat(heartbeat.url);
    this.timer = setTimeout(() => this.begin(), heartbeat?.intervalMs ?? timeoutMs).unref();
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async beat(url: string): Promise<void> {
    const settings = { timeoutMs, connections: 1, keepsAlive: false };
    if (this.backend?.url !== url) this.backend = { url, to: new Backend(url, () => settings) };
    const text = JSON.stringify(beatOf(this.parts.config(), this.parts.identity));
    const common = { isWanted: () => true, onStart: () => undefined, readsBytes: 0, timeoutMs };
    const answer = await this.backend.to.call({ method: "POST", text, headers: {}, ...common });
    const why = "failure" in answer ? answer.failure : answer.status >= 400 ? `answers ${answer.status}` : null;
    const { log } = this.parts;
    if (why !== null && !this.isFailing) log.warn({ event: "heartbeat.lost", code: "RELAY_CONNECT", upstream: url }, `${url} ${why}`);
    if (why === null && this.isFailing) log.info({ event: "heartbeat.back", upstream: url });
    this.isFailing = why !== null;
  }
}

/** What is told, in the words of SRS: ports are bare numbers, for an srs-proxy cannot read more. */
function beatOf({ heartbeat, listen, http, api }: Config, { serverId, serviceId }: Identity, address = ownAddress()): object {
  const portsOf = (endpoints: readonly { readonly port: number }[]): string[] => endpoints.map(({ port }) => String(port));
  return {
    device_id: heartbeat?.deviceId ?? "",
    ip: address,
    server: serverId,
    service: serviceId,
    pid: String(process.pid),
    ...(heartbeat?.tellsPorts === true ? { rtmp: portsOf(listen), http: portsOf(http?.listen ?? []), api: portsOf(api.listen) } : {}),
  };
}

/** The address by which others reach this machine: SRS_DEVICE_IP, as in a pod, else the first that is none of its own alone. */
function ownAddress(): string {
  const given = process.env["SRS_DEVICE_IP"];
  if (given !== undefined && given !== "") return given;
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.1";
}
