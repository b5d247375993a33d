// What the console shows, as JSON: put together here from what the admin knows, searched and sorted and cut here too, so that a box with
// ten thousand viewers sends a page of fifty. Its shapes are in shapes.ts; who may ask is decided before.
import { hostname, totalmem, availableParallelism } from "node:os";
import type { Config } from "../../conf/meaning/config.js";
import type { BoxClient, ProgramReport, RecordingReport } from "../../ipc/lists.js";
import type { StreamStatus } from "../../ipc/streams.js";
import type { AdminContext } from "../box/context.js";
import { keyOf } from "../box/view.js";
import { pathsOf } from "./addresses.js";
import { healthOf } from "./health.js";
import { maskedConfig } from "../box/masked.js";
import { pageOf, type Columns } from "./paging.js";
import { lostIn, relaysOf, serversOf } from "./relays.js";
import { totalsOf, type Sampler } from "./sampler.js";
import type { ClientRow, Explained, Overview, ProcessRow, ProgramRow, RecordingRow, StreamDetail, StreamRow } from "./shapes.js";

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
      case "recordings":
        return pageOf(await this.context.view.recordings(), recordingColumns, query, (one): RecordingRow => ({ ...one, key: keyOf(one) }));
      case "programs":
        return pageOf((await this.programs()).map(programRow), programColumns, query, (row) => row);
      case "relays": {
        const { view } = this.context;
        return relaysOf(await view.facts(), this.context.config(), await view.streams());
      }
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
      health: healthOf({
        ...facts,
        processes,
        connections: totals.connections,
        maxConnections,
        lost: lostIn(facts),
        servers: serversOf(facts),
        programs: (await this.programs()).map(programRow),
      }),
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

  private async stream(key: string): Promise<StreamDetail | null> {
    const { view } = this.context;
    const found = (await view.streams()).find((one) => keyOf(one) === key);
    if (found === undefined) return null;
    const mayRecord = this.context.config().vhosts.some(({ name, dvr }) => name === found.vhost && dvr !== null);
    const isOn = (one: RecordingReport): boolean => one.state === "recording" && keyOf(one) === key;
    return { ...this.streamRow(found), isRecorded: mayRecord ? (await view.recordings()).some(isOn) : null };
  }

  /** Nobody is asked where the configuration has none. */
  private async programs(): Promise<readonly ProgramReport[]> {
    const { vhosts } = this.context.config();
    const hasAny = vhosts.some(({ ingests, transcodes, exec }) => ingests.length + transcodes.length + exec.length > 0);
    return hasAny ? this.context.view.programs() : [];
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
}

function programRow({ argv, ...program }: ProgramReport): ProgramRow {
  const { vhost, app, stream } = program;
  return { ...program, key: app === "" ? vhost : keyOf({ vhost, app, stream }), command: argv.join(" ") };
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

const recordingColumns: Columns<RecordingReport> = {
  sort: {
    key: keyOf,
    since: ({ startedAtMs }) => startedAtMs,
    duration: ({ durationMs }) => durationMs,
    size: ({ sizeBytes }) => sizeBytes,
    state: ({ state }) => state,
  },
  search: (recording) => [keyOf(recording), recording.path, recording.state],
};

const programColumns: Columns<ProgramRow> = {
  sort: {
    key: ({ key }) => key,
    name: ({ kind, name }) => `${kind} ${name}`,
    state: ({ pid }) => (pid === null ? 0 : 1),
    restarts: ({ restarts }) => restarts,
  },
  search: ({ key, kind, name, output, lastEnd, lastLine }) => [key, kind, name, output, lastEnd, lastLine],
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

function portsOf({ listen, http }: Config): Overview["ports"] {
  return { rtmp: listen[0]?.port ?? null, http: http?.listen[0]?.port ?? null };
}
