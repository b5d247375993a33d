// PROGRAM 5 as a whole: the process that writes streams to disk, as HLS and as recordings. It drinks them from the server of the box that
// has them, as an edge does, from their first packet on; nobody else waits for a disk. Its death costs nothing: what it had not finished
// is in the state files and, for some seconds, at the origin.
//
//   origin ─▶ origin/watch.ts: which streams ─▶ packager.ts ─▶ origin/intake.ts ─▶ hls/hls-output.ts, dvr/dvr-output.ts ─▶ the disk
//   media/: frames, names, files, and what every output is
import { isDeepStrictEqual } from "node:util";
import type { Log } from "../base/log.js";
import { DolphinError, messageOf } from "../base/errors.js";
import { packagerArgs, type WatchedChange, type WatchedStream } from "../codec/rtmp/watch.js";
import type { Config, Endpoint, Vhost } from "../conf/meaning/config.js";
import type { Hooks } from "../hooks/hooks.js";
import { noStats, type PackagerSetup, type Reconfiguration, type ServerStats } from "../ipc/messages.js";
import { upnodeArgs } from "../wire/client.js";
import { DvrOutput, type FinishedRecording } from "./dvr/dvr-output.js";
import { HlsOutput, type FinishedSegment } from "./hls/hls-output.js";
import { StateFiles } from "./media/state-files.js";
import { takeTurn, type Turn } from "./media/turn.js";
import type { StreamName } from "./media/names.js";
import type { Output } from "./media/output.js";
import { Intake } from "./origin/intake.js";
import { Watch } from "./origin/watch.js";
import { Teller } from "./teller.js";

/** What was under way in a stream that does not come back so soon is finished without it. */
const comesBackWithinMs = 10_000;
/** How long what is to be told at the end may take; the rest is told by the master. */
const lastWordsMs = 1_000;
/** How long the number of a stream is remembered of which there is nothing else. */
const rememberedMs = 30 * 24 * 3_600_000;
/** How often streams that are over and forgotten are let go of. */
const sweepMs = 30_000;

interface Packaged {
  readonly name: StreamName;
  /** Who publishes it, or has. */
  by: WatchedStream;
  outputs: Output[];
  intake: Intake | null;
  isLive: boolean;
}

/** A running packager. `close` ends it. */
export class Packager {
  private readonly options: PackagerSetup;
  private readonly log: Log;
  private readonly states: StateFiles;
  private readonly packages = new Map<string, Packaged>();
  private readonly timers: NodeJS.Timeout[] = [];
  private turn: Turn | null = null;
  private watches: Watch[] = [];
  private config: Config;
  private isClosed = false;

  private readonly hooks: Hooks;

  private constructor(options: PackagerSetup, log: Log, hooks: Hooks) {
    this.hooks = hooks;
    this.options = options;
    this.config = options.config;
    this.log = log;
    this.states = new StateFiles(options.stateFolder);
  }

  /** Begins when the packager before this one has ended, which it does not wait for: streams are packaged from what is kept of them. */
  static start(options: PackagerSetup, log: Log, hooks: Hooks): Packager {
    const packager = new Packager(options, log, hooks);
    void packager.begin();
    return packager;
  }

  readonly endpoints = [];

  stats(): Omit<ServerStats, "lagMs"> {
    const hooks = this.hooks.snapshot();
    return hooks.length === 0 ? noStats : { ...noStats, hooks }; // it has no clients, and what it takes in is no traffic of the box
  }

  /** Streams whose outputs a change leaves as they are go on; the others end and begin anew. */
  reconfigure({ config }: Reconfiguration): void {
    const before = this.config;
    this.config = config;
    this.hooks.reconfigure(config.dolphin.hooks);
    for (const [key, packaged] of this.packages) {
      const of = ({ vhosts }: Config): Vhost | undefined => vhosts.find(({ name }) => name === packaged.name.vhost);
      const [was, is] = [of(before), of(config)];
      if (isDeepStrictEqual([was?.hls, was?.dvr], [is?.hls, is?.dvr])) continue;
      const { intake, by, outputs } = packaged;
      intake?.close();
      packaged.intake = null;
      this.packages.delete(key);
      const closed = Promise.all(outputs.map((output) => output.close(true)));
      if (intake !== null) void closed.then(() => this.begun(by, intake.endpoint));
    }
  }

  /** Ends. `isReplaced`: another packager follows, so what is under way is left as it is; else it is finished. */
  async close(_reason: string, isReplaced: boolean): Promise<void> {
    this.isClosed = true;
    for (const watch of this.watches) watch.close();
    for (const timer of this.timers) clearInterval(timer);
    for (const { intake } of this.packages.values()) intake?.close();
    await Promise.all([...this.packages.values()].flatMap(({ outputs }) => outputs.map((output) => output.close(!isReplaced))));
    await this.hooks.settle(lastWordsMs, false);
    this.turn?.release();
  }

  private async begin(): Promise<void> {
    const { options, log } = this;
    this.turn = await takeTurn(options.stateFolder, () => this.isClosed);
    if (this.isClosed) {
      this.turn?.release();
      return;
    }
    for (const state of await this.states.all(isForgotten)) if (isNamed(state)) await this.open(state);
    const args = { ...upnodeArgs(options.name, options.edgeKey), ...packagerArgs() };
    this.watches = options.origins.map((origin) => new Watch(origin, args, (change) => this.changed(change, origin), log));
    this.timers.push(setTimeout(() => this.finishAbsent(), comesBackWithinMs));
    this.timers.push(setInterval(() => this.sweep(), sweepMs));
  }

  private changed({ live, ended }: WatchedChange, origin: Endpoint): void {
    for (const by of live) void this.begun(by, origin);
    for (const [vhost, app, stream] of ended) {
      const packaged = this.packages.get(keyOf({ vhost, app, stream }));
      if (packaged !== undefined) this.over(packaged);
    }
  }

  private async begun(by: WatchedStream, origin: Endpoint): Promise<void> {
    const [vhost, app, stream] = by;
    const packaged = await this.open({ vhost, app, stream });
    if (packaged === null || packaged.intake !== null || this.isClosed) return;
    packaged.by = by;
    const { options } = this;
    const log = this.log.child({ vhost, app, stream });
    packaged.isLive = true;
    packaged.intake = new Intake({
      endpoint: origin,
      request: { vhost, app, stream, params: "" },
      args: { ...upnodeArgs(options.name, options.edgeKey), ...packagerArgs() },
      begin: (clockId, kept) => {
        log.info({ event: "package.started", kept: kept.length });
        packaged.isLive = true;
        this.each(packaged, (output) => output.begin(clockId, kept));
      },
      push: (packet) => this.each(packaged, (output) => output.push(packet)),
      end: () => this.over(packaged),
    });
  }

  /** The publisher has left. */
  private over(packaged: Packaged): void {
    const { intake, name } = packaged;
    if (intake === null) return;
    packaged.intake = null;
    packaged.isLive = false;
    intake.close();
    this.each(packaged, (output) => output.end());
    this.log.info({ event: "package.ended", ...name });
  }

  /** Whatever goes wrong in one output costs that one. */
  private each(packaged: Packaged, run: (output: Output) => void): void {
    for (const output of packaged.outputs) {
      try {
        run(output);
      } catch (thrown) {
        packaged.outputs = packaged.outputs.filter((one) => one !== output);
        const code = thrown instanceof DolphinError ? thrown.code : "INTERNAL";
        this.log.error({ event: "package.failed", code, ...packaged.name, err: thrown }, messageOf(thrown));
        void output.close(false);
      }
    }
  }

  private readonly opening = new Map<string, Promise<Packaged | null>>();

  private open(name: StreamName): Promise<Packaged | null> {
    const key = keyOf(name);
    const known = this.packages.get(key);
    if (known !== undefined) return Promise.resolve(known);
    const opening = this.opening.get(key) ?? this.load(name).finally(() => this.opening.delete(key));
    this.opening.set(key, opening);
    return opening;
  }

  private async load({ vhost: vhostName, app, stream }: StreamName): Promise<Packaged | null> {
    const name = { vhost: vhostName, app, stream };
    const vhost = this.config.vhosts.find((one) => one.name === vhostName);
    if (vhost === undefined) return null;
    const by: WatchedStream = [vhostName, app, stream, "", "", "", ""];
    const packaged: Packaged = { name, by, outputs: [], intake: null, isLive: false };
    try {
      packaged.outputs = await this.outputsOf(
        vhost,
        name,
        () => new Teller(this.hooks, this.options.identity, this.vhostOf(vhost), packaged.by),
      );
    } catch (thrown) {
      const code = thrown instanceof DolphinError ? thrown.code : "INTERNAL";
      this.log.warn({ event: "package.refused", code, ...name }, messageOf(thrown));
      return null;
    }
    if (packaged.outputs.length === 0) return null;
    this.packages.set(keyOf(name), packaged);
    return packaged;
  }

  private async outputsOf({ hls, dvr }: Vhost, name: StreamName, teller: () => Teller): Promise<Output[]> {
    const { states } = this;
    const { vhost, app, stream } = name;
    const log = this.log.child({ vhost, app, stream });
    const outputs: Output[] = [];
    if (hls !== null) {
      const onSegment = (segment: FinishedSegment): void => {
        const { path, sequence, durationMs, sizeBytes } = segment;
        log.debug({ event: "hls.segment", file: path, seq: sequence, durMs: durationMs, bytesOut: sizeBytes });
        teller().segment(segment);
      };
      outputs.push(await HlsOutput.load({ name, settings: hls, states, log, onSegment }));
    }
    if (dvr !== null && DvrOutput.isWanted(dvr, name)) {
      const onFile = (file: FinishedRecording): void => {
        log.info({ event: "dvr.finished", file: file.path, durMs: file.durationMs, bytesOut: file.sizeBytes });
        teller().recording(file);
      };
      outputs.push(await DvrOutput.load({ name, settings: dvr, states, log, onFile }));
    }
    return outputs;
  }

  /** As the configuration has it now: other URLs are told from the next file on. */
  private vhostOf(known: Vhost): Vhost {
    return this.config.vhosts.find(({ name }) => name === known.name) ?? known;
  }

  /** Streams that were under way when the packager before this one ended, and have not come back. */
  private finishAbsent(): void {
    for (const packaged of this.packages.values()) if (!packaged.isLive) this.each(packaged, (output) => output.end());
  }

  private sweep(): void {
    for (const [key, { isLive, intake, outputs }] of this.packages) {
      if (!isLive && intake === null && outputs.every(({ isIdle }) => isIdle)) this.packages.delete(key);
    }
  }
}

function keyOf({ vhost, app, stream }: StreamName): string {
  return `${vhost}/${app}/${stream}`;
}

/** Nothing is under way in it, and nobody has published the stream for long: only its number would be remembered. */
function isForgotten(state: unknown, ageMs: number): boolean {
  if (!isNamed(state)) return true;
  const { segments = [], file = null } = state as { readonly segments?: readonly unknown[]; readonly file?: unknown };
  return segments.length === 0 && file === null && ageMs > rememberedMs;
}

function isNamed(state: unknown): state is StreamName {
  return typeof state === "object" && state !== null && "vhost" in state && "app" in state && "stream" in state;
}
