// HLS of two servers as one: a node beside each. This file puts a node together: what the server beside it writes (intake.ts), what the
// peer has (peer.ts), what is served of each stream (stream.ts), what is remembered (store.ts, states.ts), and who asks (desks.ts).
//
//      server A ─ on_hls ─▶ node a ◀── reports, segments ──▶ node b ◀─ on_hls ─ server B
//                              ▼                                ▼
//                           viewers    the same list, the     viewers
//                                      same bytes
import type { Server } from "node:http";
import { join } from "node:path";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { callerDesk, peerDesk, viewerDesk } from "./desks.js";
import type { Link } from "./election.js";
import type { EndHook, SegmentHook } from "./hook.js";
import { maxBackupCallers, maxBackupViewers, serveAt, type ListenAt } from "./http.js";
import { Intake } from "./intake.js";
import { segmentUri } from "./names.js";
import type { BackupNode, ToldList } from "./node.js";
import { Peer } from "./peer.js";
import type { Report } from "./report.js";
import type { Segment } from "./roll.js";
import { States } from "./states.js";
import { Store } from "./store.js";
import { Stream, type StreamReport, type StreamState } from "./stream.js";

export interface BackupSettings {
  /** The name of this node. */
  readonly node: string;
  /** The folder below which the server beside it writes. */
  readonly root: string;
  /** What is remembered, and the segments. */
  readonly folder: string;
  readonly peer: URL;
  readonly token: string;
  /** For viewers; for the peer; for hooks, probes and metrics. */
  readonly listen: ListenAt;
  readonly peerListen: ListenAt;
  readonly hooks: ListenAt;
  readonly windowMs: number;
  readonly leaseMs: number;
  readonly diskBytes: number;
  readonly memoryBytes: number;
}

/** Streams of one node; what is asked of further ones is refused. */
export const maxBackupStreams = 1000;
const lookMs = 250;
const sweepMs = 2000;
/** How long a stream that nobody publishes is served and remembered. */
const forgottenMs = 24 * 3_600_000;

/** Of one stream: what is told to players, and the writing of its state. */
interface Served {
  readonly stream: Stream;
  /** The list as players get it. */
  list: ToldList | null;
  /** What the peer may know of it: no more than is written down. */
  report: StreamReport;
  reportedMs: number;
  isSaving: boolean;
  isChanged: boolean;
}

/** A node. `close` ends it. */
export class Backup implements BackupNode {
  readonly settings: BackupSettings;
  readonly streams = new Map<string, Served>();
  readonly peer: Peer;
  readonly store: Store;
  /** Counted for metrics. */
  switches = 0;
  refusedSegments = 0;
  failedWrites = 0;
  private readonly states: States;
  private readonly intake: Intake;
  private readonly log: Log;
  private servers: Server[] = [];
  private readonly timers: NodeJS.Timeout[] = [];
  /** What the disk takes none of. */
  private readonly unwritten = new Set<"segments" | "lists">();
  private isClosed = false;

  private constructor(settings: BackupSettings, log: Log, states: States, store: Store, found: readonly StreamState[]) {
    this.settings = settings;
    this.log = log;
    this.states = states;
    this.store = store;
    const { node: me, peer: url, token, leaseMs, root } = settings;
    this.peer = new Peer({
      url,
      token,
      me,
      leaseMs,
      nowMs: steadyMs,
      paths: () => this.streams.keys(),
      reportOf: (path) => this.reportOf(path),
      onSegment: (segment, bytes) => this.copied(segment, bytes),
      onForget: () => this.streams.forEach(({ stream }) => stream.forgetPeer()),
      onLink: (link, why) => this.tellLink(link, why),
    });
    this.intake = new Intake({
      root,
      me,
      store,
      lastOf: (path) => this.streams.get(path)?.stream.lastOwn ?? null,
      onSegment: (path, segment) => {
        const stream = this.streamOf(path);
        stream?.add(segment);
        stream?.look(this.peer.link, steadyMs());
      },
      onRefused: ({ path }, { code, message }) => {
        this.refusedSegments += 1;
        this.log.warn({ event: "segment.refused", code, stream: path }, message);
      },
    });
    for (const state of found.slice(0, maxBackupStreams)) this.open(state.path, state);
  }

  /** Reads what is remembered and listens. Rejects with what keeps it from serving. */
  static async start(settings: BackupSettings, log: Log): Promise<Backup> {
    const states = new States(join(settings.folder, "streams"));
    const folder = join(settings.folder, "segments");
    let backup: Backup | null = null;
    try {
      const found = await states.all();
      const known = new Set(found.flatMap(({ roll, own, expiring }) => [...roll.entries, ...own, ...expiring].map(({ id }) => id)));
      const { memoryBytes, diskBytes } = settings;
      const onError = (error: unknown): void => backup?.diskFailed("segments", error);
      const onWritten = (): void => backup?.diskRecovered("segments");
      const store = await Store.open({ folder, memoryBytes, diskBytes, onError, onWritten }, (id) => known.has(id));
      backup = new Backup(settings, log, states, store, found);
    } catch (cause) {
      throw new DolphinError("BACKUP_WRITE", `cannot use ${settings.folder}: ${messageOf(cause)}`, { cause });
    }
    await backup.listen();
    return backup;
  }

  private async listen(): Promise<void> {
    const { listen, peerListen, hooks } = this.settings;
    try {
      this.servers.push(await serveAt(listen, maxBackupViewers, viewerDesk(this)));
      this.servers.push(await serveAt(peerListen, maxBackupCallers, peerDesk(this)));
      this.servers.push(await serveAt(hooks, maxBackupCallers, callerDesk(this)));
    } catch (thrown) {
      await this.close();
      throw thrown;
    }
    this.timers.push(
      setInterval(() => this.look(), lookMs),
      setInterval(() => void this.sweep(), sweepMs),
    );
    this.peer.look();
  }

  /** Takes what a server's hook tells. */
  tell(hook: SegmentHook | EndHook): void {
    if (hook.kind === "segment") this.intake.take(hook, steadyMs());
    else
      for (const { stream } of this.streams.values()) {
        if (stream.lastOwn?.publish !== hook.publish) continue;
        stream.end(hook.publish);
        stream.look(this.peer.link, steadyMs());
      }
  }

  /** Takes what the peer tells; gives the answer, or why it is refused. */
  hear(report: Report): { readonly receipt: string } | string {
    const answer = this.peer.hear(report);
    if (typeof answer === "string" || !answer.isNew) return answer;
    for (const one of report.streams) {
      const stream = this.streamOf(one.path);
      stream?.hear(one, steadyMs());
      stream?.look(this.peer.link, steadyMs());
    }
    return answer;
  }

  /** The bytes of a segment that a list of this node has or had; null: there are none. */
  async bytesOf(path: string, id: string): Promise<Buffer | null> {
    const served = this.streams.get(path);
    if (served === undefined || !served.stream.ids().includes(id)) return null;
    const segment = served.stream.roll.entries.find((entry) => entry.id === id);
    return (await this.store.read(id)) ?? (segment === undefined ? null : this.peer.fetch(segment));
  }

  /** Ends it: what is under way is written down first. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const timer of this.timers) clearInterval(timer);
    this.peer.close();
    const closed = this.servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const server of this.servers) server.closeAllConnections();
    await Promise.all(closed);
    await Promise.all([...this.streams.values()].map(({ stream }) => this.states.save(stream.saved).catch(() => undefined)));
  }

  private look(): void {
    this.peer.look();
    const nowMs = steadyMs();
    for (const { stream } of this.streams.values()) stream.look(this.peer.link, nowMs);
  }

  private async sweep(): Promise<void> {
    const nowMs = steadyMs();
    for (const [path, { stream }] of this.streams) {
      if (!stream.isForgotten(nowMs, forgottenMs)) continue;
      this.streams.delete(path);
      await this.states.forget(path).catch(() => undefined);
    }
    const inUse = new Set([...this.streams.values()].flatMap(({ stream }) => stream.ids()));
    await this.store.sweep((id) => inUse.has(id));
  }

  /** A stream, made where it is new; null: there are too many. */
  private streamOf(path: string): Stream | null {
    const served = this.streams.get(path);
    if (served !== undefined) return served.stream;
    if (this.streams.size >= maxBackupStreams) {
      const refusal = `${path} is not served: there are ${maxBackupStreams} streams already`;
      this.log.warn({ event: "stream.refused", code: "BACKUP_SEGMENT", stream: path }, refusal);
      return null;
    }
    return this.open(path, null);
  }

  private open(path: string, state: StreamState | null): Stream {
    const { node: me, windowMs, leaseMs } = this.settings;
    const options = {
      path,
      me,
      windowMs,
      leaseMs,
      hasBytes: (id: string): boolean => this.store.has(id),
      fetch: (segment: Segment): void => this.peer.want(segment),
      onChange: (): void => void this.save(path),
      onSwitch: ({ lead, term, first }: Stream["roll"], isAnew: boolean): void => {
        this.switches += 1;
        const how = isAnew ? `, with a new list from number ${first} on` : "";
        this.log.info({ event: "stream.switched", stream: path, backend: lead, term }, `${lead} leads ${path}${how}`);
      },
    };
    const stream = new Stream(options, state, steadyMs());
    const text = stream.list((id) => segmentUri(path, id));
    const list = text === null ? null : { text, changedMs: Date.now() };
    const nowMs = steadyMs();
    this.streams.set(path, { stream, list, report: stream.report(nowMs), reportedMs: nowMs, isSaving: false, isChanged: false });
    this.peer.touch(path);
    return stream;
  }

  /** Writes down what has changed, then tells players and the peer; what changes meanwhile follows. */
  private async save(path: string): Promise<void> {
    const served = this.streams.get(path);
    if (served === undefined || this.isClosed) return;
    served.isChanged = true;
    if (served.isSaving) return;
    served.isSaving = true;
    while (served.isChanged && !this.isClosed) {
      served.isChanged = false;
      const { stream } = served;
      const text = stream.list((id) => segmentUri(path, id));
      const reportedMs = steadyMs();
      const report = stream.report(reportedMs);
      await this.states.save(stream.saved).then(
        () => this.diskRecovered("lists"),
        (thrown: unknown) => this.diskFailed("lists", thrown),
      );
      if (text !== null && text !== served.list?.text) served.list = { text, changedMs: Date.now() };
      Object.assign(served, { report, reportedMs });
      this.peer.touch(path);
    }
    served.isSaving = false;
  }

  private reportOf(path: string): StreamReport | null {
    const served = this.streams.get(path);
    if (served === undefined) return null;
    const { stream, report, reportedMs } = served;
    const nowMs = steadyMs();
    return { ...report, isLive: stream.report(nowMs).isLive, ageMs: report.ageMs + nowMs - reportedMs };
  }

  private async copied({ id }: Segment, bytes: Buffer): Promise<void> {
    await this.store.put(id, bytes);
    for (const { stream } of this.streams.values()) if (stream.ids().includes(id)) stream.look(this.peer.link, steadyMs());
  }

  /** A disk that takes nothing is told once, and again when it has recovered. */
  private diskFailed(what: "segments" | "lists", thrown: unknown): void {
    this.failedWrites += 1;
    const isTold = this.unwritten.size > 0;
    this.unwritten.add(what);
    if (isTold) return;
    const message = `${this.settings.folder}: ${messageOf(thrown)}; segments are served from memory, what is told is not remembered`;
    this.log.error({ event: "disk.failed", code: "BACKUP_WRITE" }, message);
  }

  private diskRecovered(what: "segments" | "lists"): void {
    if (!this.unwritten.delete(what) || this.unwritten.size > 0) return;
    this.log.info({ event: "disk.recovered" }, `${this.settings.folder} can be written again`);
  }

  private tellLink(link: Link, why: string): void {
    const upstream = this.settings.peer.href;
    if (link === "linked") this.log.info({ event: "peer.linked", upstream }, `the peer ${upstream} is there`);
    else if (link === "alone")
      this.log.warn({ event: "peer.lost", code: "BACKUP_PEER", upstream }, `the peer ${upstream} is away: ${why}; this node goes on alone`);
    else this.log.warn({ event: "peer.joining", code: "BACKUP_PEER", upstream }, `${why}: the peer is heard before this node goes on`);
  }
}

/** Milliseconds since 1970 by a clock that goes on evenly whatever is done to the system's. */
function steadyMs(): number {
  return performance.timeOrigin + performance.now();
}
