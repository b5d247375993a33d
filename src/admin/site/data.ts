// What the console shows, as JSON: put together here from what the admin knows, searched and sorted and cut here too, so that a box with
// ten thousand viewers sends a page of fifty. Its shapes are in shapes.ts; who may ask is decided before.
import { hostname, totalmem, availableParallelism } from "node:os";
import type { Config } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { BoxFacts } from "../../ipc/box.js";
import type { BoxClient } from "../../ipc/lists.js";
import type { StreamStatus } from "../../ipc/streams.js";
import type { AdminContext } from "../box/context.js";
import { keyOf } from "../box/view.js";
import { pathsOf } from "./addresses.js";
import { healthOf } from "./health.js";
import { maskedConfig } from "./masked.js";
import { pageOf, type Columns } from "./paging.js";
import { totalsOf, type Sampler } from "./sampler.js";
import type { ClientRow, Explained, Overview, ProcessRow, Relays, StreamRow } from "./shapes.js";

/** Streams whose frames are remembered from one look to the next. */
const maxFrameLooks = 2_000;

interface FrameLook {
  readonly atMs: number;
  readonly frames: number;
  readonly fps: number | null;
}

/** The answers of one admin. */
export class SiteData {
  private readonly context: AdminContext;
  private readonly sampler: Sampler;
  private readonly frames = new Map<string, FrameLook>();

  constructor(context: AdminContext, sampler: Sampler) {
    this.context = context;
    this.sampler = sampler;
  }

  /** The answer to `/console/data/NAME`; undefined: there is none of that name. */
  async answer(name: string, query: URLSearchParams): Promise<unknown> {
    switch (name) {
      case "overview":
        return this.overview();
      case "history":
        return this.sampler.history.since(Number(query.get("since") ?? 0) || 0);
      case "streams":
        return pageOf(await this.context.view.streams(), streamColumns, query, (stream) => this.streamRow(stream));
      case "stream":
        return this.stream(query.get("key") ?? "");
      case "explain":
        return this.explained(query.get("key") ?? "");
      case "clients":
        return pageOf(await this.context.view.clients(), clientColumns, query, (client) => this.clientRow(client));
      case "relays":
        return this.relays();
      case "config":
        return maskedConfig(this.context.config());
      default:
        return undefined;
    }
  }

  private async overview(): Promise<Overview> {
    const { view } = this.context;
    const config = this.context.config();
    const [facts, streams] = await Promise.all([view.facts(), view.streams()]);
    const usage = await this.sampler.usages(facts);
    const processes = facts.processes.map((process): ProcessRow => {
      const used = process.pid === null ? undefined : usage.get(process.pid);
      const isWorker = process.duty === "edge" || process.duty === "server" || process.duty === "proxy";
      const maxMemoryBytes = isWorker ? config.dolphin.workers.maxMemoryBytes : null;
      return { ...process, cpu: used?.cpu ?? null, memoryBytes: used?.memoryBytes ?? null, maxMemoryBytes };
    });
    const totals = { ...totalsOf(facts, usage), ...this.sampler.rates };
    const { maxConnections } = config;
    return {
      version: facts.version,
      plan: facts.plan,
      serverId: facts.serverId,
      host: hostname(),
      upSeconds: facts.upSeconds,
      health: healthOf({ processes, connections: totals.connections, maxConnections, relaysDown: relaysDown(facts) }),
      totals,
      streams: streams.filter(({ state }) => state !== "wait").length,
      maxConnections,
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      carried: facts.carried,
      processes,
      ports: portsOf(config),
    };
  }

  private async stream(key: string): Promise<StreamRow | null> {
    const found = (await this.context.view.streams()).find((one) => keyOf(one) === key);
    return found === undefined ? null : this.streamRow(found);
  }

  private async explained(key: string): Promise<Explained> {
    const { body, status } = await this.context.control.ask(`/explain/${encodeURIComponent(key)}`);
    const told = body as { readonly why?: string; readonly decision?: string | null; readonly error?: string } & Partial<Explained>;
    if (status !== 200) return { why: told.error ?? String(status), processes: [] };
    const { why = "", decision = null } = told;
    const processes = told.processes?.map(({ name, how }) => ({ name, how })) ?? (decision === null ? [] : [{ name: decision, how: "→" }]);
    return { why, processes };
  }

  private streamRow(status: StreamStatus): StreamRow {
    const { vhost, app, stream, state, source, publisherId, players, playersOf, pulledBy, videoDetails, audioDetails } = status;
    const key = keyOf(status);
    const rates = this.context.view.rates("stream", key, { recv: status.bytesIn, send: status.bytesOut }, status.sinceMs);
    return {
      key,
      vhost,
      app,
      stream,
      state,
      process: source?.process ?? null,
      from: source?.peer ?? null,
      publisherId,
      players,
      playersOf,
      pulledBy,
      video: status.video,
      profile: videoDetails?.profile ?? "",
      width: videoDetails?.width ?? 0,
      height: videoDetails?.height ?? 0,
      fps: this.fpsOf(key, status),
      keyFrameMs: status.keyFrameMs,
      audio: status.audio,
      sampleRate: audioDetails?.sampleRate ?? 0,
      channels: audioDetails?.channels ?? 0,
      kbpsIn: rates.recv,
      kbpsOut: rates.send,
      sinceMs: status.sinceMs,
      paths: pathsOf(status, this.context.config()),
    };
  }

  /** Since the look before, if that is a while ago; the first time, over the life of the stream. */
  private fpsOf(key: string, { videoFrames, sinceMs, state }: StreamStatus): number | null {
    if (state === "wait" || sinceMs === null || videoFrames === 0) return null;
    const nowMs = Date.now();
    const before = this.frames.get(key);
    if (before !== undefined && nowMs - before.atMs < 2_000) return before.fps;
    const isSame = before !== undefined && before.atMs > sinceMs && videoFrames >= before.frames && nowMs - before.atMs < 60_000;
    const from = isSame ? before : { atMs: sinceMs, frames: 0 };
    const fps = Math.round(((videoFrames - from.frames) * 10_000) / Math.max(1, nowMs - from.atMs)) / 10;
    if (this.frames.size >= maxFrameLooks) this.frames.clear();
    this.frames.set(key, { atMs: nowMs, frames: videoFrames, fps });
    return fps;
  }

  private clientRow(client: BoxClient): ClientRow {
    const { id, type, ip, process, sinceMs, bytesIn, bytesOut, pageUrl } = client;
    const { recv, send } = this.context.view.rates("client", id, { recv: bytesIn, send: bytesOut }, sinceMs);
    return {
      id,
      key: keyOf(client),
      type,
      ip,
      process,
      sinceMs,
      kbps: Math.max(recv, send),
      bytes: Math.max(bytesIn, bytesOut),
      page: pageUrl,
    };
  }

  private async relays(): Promise<Relays> {
    const { view, control } = this.context;
    const config = this.context.config();
    const facts = await view.facts();
    const streams = (await view.streams()).filter(({ state }) => state !== "wait");
    const vhosts = config.vhosts.filter(({ enabled }) => enabled);
    const upstreams = vhosts.flatMap(({ name, cluster }) => {
      if (cluster.mode !== "remote") return [];
      return cluster.origins.map((origin) => {
        const server = formatEndpoint(origin);
        const count = streams.filter(({ vhost, source }) => vhost === name && source?.peer === server).length;
        return { vhost: name, server, streams: count, ...failuresOf(facts, server) };
      });
    });
    const forwards = vhosts.flatMap(({ name, forward }) => {
      if (!forward.enabled) return [];
      const count = streams.filter(({ vhost, state }) => vhost === name && state === "publish").length;
      return forward.destinations.map((destination) => {
        const server = formatEndpoint(destination);
        const found = failuresOf(facts, server);
        return { vhost: name, server, streams: count, failures: found.failures, code: found.code };
      });
    });
    const servers = facts.plan === "b" ? serversIn((await control.ask("/status")).body) : [];
    const hooks = facts.hooks.map(({ action, url, calls, failures, refusals, dropped, latencySumMs }) => {
      return { url, on: action, calls, failures, refusals, dropped, meanMs: calls > 0 ? latencySumMs / calls : null };
    });
    return { upstreams, forwards, servers, hooks };
  }
}

const streamColumns: Columns<StreamStatus> = {
  sort: {
    key: keyOf,
    players: ({ players }) => players,
    since: ({ sinceMs }) => sinceMs ?? 0,
    state: ({ state }) => state,
    video: ({ video }) => video,
  },
  search: (stream) => [keyOf(stream), stream.source?.peer ?? "", stream.source?.process ?? "", stream.video, stream.audio],
};

const clientColumns: Columns<BoxClient> = {
  sort: {
    key: keyOf,
    ip: ({ ip }) => ip,
    type: ({ type }) => type,
    process: ({ process }) => process,
    since: ({ sinceMs }) => sinceMs,
    bytes: ({ bytesIn, bytesOut }) => Math.max(bytesIn, bytesOut),
  },
  search: (client) => [client.id, keyOf(client), client.ip, client.type, client.process, client.pageUrl],
};

/** Of all processes, now. */
function relaysDown({ counts }: BoxFacts): number {
  const all = counts.flatMap(({ presents }) => presents.flatMap(({ pulls, pushes, forwards }) => [pulls, pushes, forwards]));
  return all.reduce((sum, { down }) => sum + down, 0);
}

/** What all processes have found of a server, since the start. */
function failuresOf({ counts }: BoxFacts, server: string): { readonly failures: number; readonly code: string } {
  const codes = new Map<string, number>();
  for (const [key, count] of counts.flatMap(({ tally }) => Object.entries(tally.upstreamFailures))) {
    const [upstream, code = ""] = key.split(" ");
    if (upstream === server) codes.set(code, (codes.get(code) ?? 0) + count);
  }
  const [most = ["", 0]] = [...codes].toSorted(([, one], [, other]) => other - one);
  return { failures: [...codes.values()].reduce((sum, count) => sum + count, 0), code: most[0] };
}

function portsOf({ listen, http }: Config): Overview["ports"] {
  return { rtmp: listen[0]?.port ?? null, http: http?.listen[0]?.port ?? null };
}

/** Of the master's status, as far as it is what this version knows. */
function serversIn(status: unknown): Relays["servers"] {
  const { balance } = status as { readonly balance?: { readonly servers: readonly BalancedServer[] } };
  return (balance?.servers ?? []).map(({ name, rtmp, isUp, isDraining, connections, weight }) => {
    return { name, address: formatEndpoint(rtmp), isUp, isDraining: isDraining === true, connections, weight };
  });
}

interface BalancedServer {
  readonly name: string;
  readonly rtmp: BoxEndpoint;
  readonly isUp: boolean;
  readonly isDraining?: boolean;
  readonly connections: number;
  readonly weight: number;
}

type BoxEndpoint = Config["listen"][number];
