// PROGRAM 5 as a whole: the process that writes streams to disk, as HLS and as recordings, and runs programs for them. It drinks them from
// the server of the box that has them, as an edge does, from their first packet on; nobody else waits for a disk. Its death costs nothing:
// what it had not finished is in the state files and, for some seconds, at the origin. Of several packagers each stream has one.
//
//   origin ─▶ origin/: which streams, and whose ─▶ packager.ts ─▶ origin/intake.ts ─▶ hls/, dvr/: the disk
//   media/: frames, names, files, and what every output is      programs/: ffmpeg and others, as long as a stream lasts
import { isDeepStrictEqual } from "node:util";
import type { Log } from "../base/log.js";
import { DolphinError, messageOf } from "../base/errors.js";
import { packagerArgs, type WatchedChange } from "../codec/rtmp/watch.js";
import type { Config, Endpoint, Vhost } from "../conf/meaning/config.js";
import type { Hooks } from "../hooks/hooks.js";
import type { Listed, ListPage, RecordingReport } from "../ipc/lists.js";
import { noStats, type PackagerSetup, type Reconfiguration, type ServerStats } from "../ipc/messages.js";
import { upnodeArgs } from "../wire/client.js";
import { Claims } from "./origin/claims.js";
import { DvrOutput } from "./dvr/dvr-output.js";
import { finishedIn } from "./dvr/dvr-state.js";
import { StateFiles } from "./media/state-files.js";
import type { StreamName } from "./media/names.js";
import type { Output } from "./media/output.js";
import { Intake } from "./origin/intake.js";
import { Watch } from "./origin/watch.js";
import { isForgotten, isNamed, Orders } from "./orders.js";
import { loadOutputs, type OutputKind } from "./outputs.js";
import { keyOf, newPackage, type Package } from "./package.js";
import { Programs } from "./programs/programs.js";
import { Sharing } from "./origin/sharing.js";

/** What was under way in a stream that does not come back so soon is finished without it. */
const comesBackWithinMs = 10_000;
/** What tells that a stream has ended may overtake its last packets, which come over another connection, by so long. */
const lastPacketsMs = 1_000;
/** How long what is to be told at the end may take; the rest is told by the master. */
const lastWordsMs = 1_000;
/** How often streams that are over and forgotten are let go of. */
const sweepMs = 30_000;
/** How often it is looked what each stream costs. */
const costMs = 2_000;

/** A running packager. `close` ends it. */
export class Packager {
  private readonly options: PackagerSetup;
  private readonly log: Log;
  private readonly states: StateFiles;
  private readonly orders: Orders;
  private readonly claims: Claims;
  private readonly sharing: Sharing;
  private readonly programs: Programs;
  private readonly packages = new Map<string, Package>();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly beganAtMs = Date.now();
  private watches: Watch[] = [];
  private config: Config;
  private isClosed = false;
  private readonly hooks: Hooks;

  private constructor(options: PackagerSetup, log: Log, hooks: Hooks) {
    const { config, name, stateFolder, edgeKey } = options;
    this.hooks = hooks;
    this.options = options;
    this.config = config;
    this.log = log;
    this.states = new StateFiles(stateFolder);
    this.orders = new Orders(this.states);
    this.sharing = new Sharing(() => this.config.dolphin.packagers > 1);
    this.claims = new Claims({
      folder: stateFolder,
      group: edgeKey,
      name,
      cost: () => this.sharing.cost(),
      onAsked: (key, by, cost) => this.asked(key, by, cost),
    });
    this.programs = new Programs({
      config,
      log,
      take: (key) => this.claims.take(key),
      isLive: (stream) => this.packages.get(keyOf(stream))?.isLive === true,
    });
  }

  /** Whatever another packager still has is waited for, one by one: streams are packaged from what is kept of them. */
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

  /** Its programs, or all recordings: those under way here, and what is remembered of finished ones, whoever made them. */
  async list(what: Listed): Promise<ListPage> {
    let rows: readonly unknown[] = [];
    if (what === "programs") rows = this.programs.reports();
    if (what === "recordings") rows = [...(await this.finished()), ...this.dvrs().flatMap(({ current }) => current ?? [])];
    return { rows: rows.map((row) => JSON.stringify(row)).join(","), next: null };
  }

  /** Records a stream from now on, or not, whatever `dvr_apply` says. Resolves to null, or why not; undefined: another one has it. */
  async record(key: string, isOn: boolean): Promise<string | null | undefined> {
    const known = this.packages.get(key);
    if (known === undefined || !known.isLive || known.claim === null) return undefined;
    const vhost = this.vhostOf(known.name);
    if (vhost?.dvr === null || vhost === undefined) return `the vhost ${known.name.vhost} has no dvr { enabled on; }`;
    await this.orders.give(known.name, isOn);
    await this.reload(known, ["dvr"]);
    return null;
  }

  /** Streams whose outputs a change leaves as they are go on; the others end and begin anew. */
  reconfigure({ config }: Reconfiguration): void {
    const before = this.config;
    this.config = config;
    this.hooks.reconfigure(config.dolphin.hooks);
    this.programs.adopt(config);
    for (const known of this.packages.values()) {
      if (known.claim === null) continue;
      const settingsIn = ({ vhosts, dolphin }: Config): unknown => {
        const { hls, dvr } = vhosts.find(({ name }) => name === known.name.vhost) ?? { hls: null, dvr: null };
        return [hls, dvr, dolphin.minFreeBytes];
      };
      if (!isDeepStrictEqual(settingsIn(before), settingsIn(config))) void this.reload(known);
      if (known.isLive) this.programs.start(known.by);
    }
  }

  /** Ends. `isReplaced`: another packager follows, so what is under way is left as it is; else it is finished. */
  async close(reason: string, isReplaced: boolean): Promise<void> {
    this.isClosed = true;
    this.claims.close();
    for (const watch of this.watches) watch.close();
    for (const timer of this.timers) clearInterval(timer);
    const all = [...this.packages.values()];
    for (const { intake } of all) intake?.close();
    const written = Promise.all(all.flatMap(({ outputs }) => outputs.map((output) => output.close(!isReplaced))));
    await Promise.all([written, this.programs.close(reason)]);
    await this.hooks.settle(lastWordsMs, false);
    for (const { claim } of all) claim?.release();
  }

  private async begin(): Promise<void> {
    const { options, log } = this;
    this.programs.begin();
    for (const state of await this.states.all(isForgotten)) if (isNamed(state)) this.know(state);
    if (this.isClosed) return;
    const args = { ...upnodeArgs(options.name, options.edgeKey), ...packagerArgs(false) };
    this.watches = options.origins.map((origin) => {
      const follower = { onNews: (change: WatchedChange) => this.changed(change, origin), onLost: () => this.lost(origin) };
      return new Watch(origin, args, follower, log);
    });
    this.timers.push(setTimeout(() => this.finishAbsent(), comesBackWithinMs));
    this.timers.push(setInterval(() => this.sweep(), sweepMs));
    this.timers.push(setInterval(() => this.sharing.measure(costMs / 1000), costMs));
  }

  private changed({ live, ended, isAll }: WatchedChange, origin: Endpoint): void {
    if (isAll) this.awaitAll(origin);
    const over = new Set(ended.map(([vhost, app, stream]) => keyOf({ vhost, app, stream })));
    const seen = live.map((by): Package => {
      const [vhost, app, stream] = by;
      const known = this.know({ vhost, app, stream });
      const isLive = !over.has(keyOf(known.name));
      known.servers[isLive ? "add" : "delete"](origin);
      const isElsewhere = !isLive && known.isLive && known.origin !== origin;
      return isElsewhere ? known : Object.assign(known, { by, origin, isLive, isTold: true });
    });
    // All are known before anything is begun: what is made of what shows only then.
    for (const known of seen) if (known.claim !== null) this.start(known);
    for (const key of over) {
      const known = this.packages.get(key);
      if (known === undefined || seen.includes(known)) continue;
      known.servers.delete(origin);
      if (known.origin === origin) this.ending(known);
    }
  }

  private lost(origin: Endpoint): void {
    for (const known of this.packages.values()) if (known.servers.delete(origin) && known.origin === origin) this.movesOn(known);
  }

  /** It goes on at another server that has it; false: none has. */
  private movesOn(known: Package): boolean {
    const { servers, intake } = known;
    const other = intake !== null && servers.has(intake.endpoint) ? intake.endpoint : [...servers][0];
    if (other === undefined) return false;
    known.origin = other;
    if (intake !== null && intake.endpoint !== other) this.left(known, intake.endpoint);
    return true;
  }

  private ending(known: Package): void {
    const { intake } = known;
    if (this.movesOn(known)) return;
    if (intake === null) return this.over(known);
    [known.isLive, known.isEnding] = [false, true];
    this.timers.push(setTimeout(() => void (known.intake === intake && !known.isLive && this.over(known)), lastPacketsMs));
  }

  /** A server was found (again), and tells of all that it has: what is not among that for long is over. */
  private awaitAll(origin: Endpoint): void {
    const here = [...this.packages.values()].filter((one) => one.origin === origin && one.isLive);
    for (const known of here) known.isTold = false;
    this.timers.push(
      setTimeout(() => {
        for (const known of here) if (!known.isTold && known.isLive && !this.movesOn(known)) this.over(known);
      }, comesBackWithinMs),
    );
  }

  /** A stream that is known from now on; it is ours as soon as no other packager has it. */
  private know(name: StreamName): Package {
    const found = this.packages.get(keyOf(name));
    if (found !== undefined) return found;
    const known = newPackage(name);
    this.packages.set(keyOf(name), known);
    void this.hold(known);
    return known;
  }

  private async hold(known: Package): Promise<void> {
    const claim = await this.claims.take(`stream ${keyOf(known.name)}`);
    if (claim === null) return;
    this.sharing.add(keyOf(known.name), () => known.takenBytes);
    known.outputs = await this.outputsOf(known.name);
    known.claim = claim;
    if (this.isClosed) {
      await Promise.all(known.outputs.map((output) => output.close(false)));
      claim.release();
    } else if (known.origin !== null) this.start(known);
    else if (known.outputs.every(({ isIdle }) => isIdle)) this.forget(known);
    else if (Date.now() - this.beganAtMs > comesBackWithinMs) this.each(known, (output) => output.end());
  }

  /** Takes in a stream that is ours, and runs what is to run while it is published. */
  private start(known: Package): void {
    const { name, origin, by } = known;
    if (this.isClosed) return;
    if (known.isLive) this.programs.start(by);
    if (origin === null || known.intake !== null || known.outputs.length === 0) return;
    // Of one that has ended nothing may be kept any more: then nothing comes.
    if (!known.isLive) this.timers.push(setTimeout(() => void (known.isLive || this.over(known)), comesBackWithinMs));
    const log = this.log.child({ ...name });
    const isPatient = (this.vhostOf(name)?.hls?.partMs ?? null) === null;
    known.intake = new Intake({
      endpoint: origin,
      request: { ...name, params: "" },
      args: { ...upnodeArgs(this.options.name, this.options.edgeKey), ...packagerArgs(isPatient) },
      begin: (clockId, kept) => {
        log.info({ event: "package.started", kept: kept.length });
        this.each(known, (output) => output.begin(clockId, kept));
      },
      push: (packet) => {
        known.takenBytes += packet.payload.length;
        this.each(known, (output) => output.push(packet));
      },
      end: () => this.left(known, origin),
    });
  }

  /** It has ended at one server; perhaps it goes on at another. */
  private left(known: Package, at: Endpoint): void {
    if (!known.isLive || (known.origin === at && !known.isEnding)) {
      this.over(known);
      return;
    }
    known.isEnding = false;
    known.intake?.close();
    known.intake = null;
    this.each(known, (output) => output.end());
    this.start(known);
  }

  /** The publisher has left. */
  private over(known: Package): void {
    const { intake, name } = known;
    [known.isLive, known.isEnding] = [false, false];
    void this.programs.end(name, "the stream has ended");
    if (known.claim !== null) known.origin = null; // else what is kept of it is still to be taken in
    if (intake === null) return;
    known.intake = null;
    intake.close();
    this.each(known, (output) => output.end());
    this.log.info({ event: "package.ended", ...name });
  }

  /** Ends the outputs of a stream, or those that are meant, and begins them anew as they are to be now. */
  private async reload(known: Package, kinds: readonly OutputKind[] = ["hls", "dvr"]): Promise<void> {
    const { intake } = known;
    intake?.close();
    known.intake = null;
    const isMeant = (output: Output): boolean => kinds.includes(output instanceof DvrOutput ? "dvr" : "hls");
    const [old, others] = [known.outputs.filter(isMeant), known.outputs.filter((output) => !isMeant(output))];
    known.outputs = [];
    // Those that go on are begun again by what is kept, in which they find their place.
    await Promise.all(old.map((output) => output.close(true)));
    known.outputs = [...others, ...(await this.outputsOf(known.name, kinds))];
    this.start(known);
  }

  /** Another packager has the stream from now on, which goes on where this one stands. */
  private async giveAway(known: Package): Promise<void> {
    const { name, claim, outputs, intake } = known;
    this.packages.delete(keyOf(name));
    this.sharing.remove(keyOf(name));
    intake?.close();
    this.log.info({ event: "package.handed-over", ...name }, "another packager has less to do");
    await Promise.all(outputs.map((output) => output.close(false)));
    const { by, origin, servers, isLive } = known;
    claim?.release();
    Object.assign(this.know(name), { by, origin, servers, isLive, isTold: true });
  }

  private asked(key: string, by: string, cost: number): void {
    const known = this.packages.get(key.replace(/^stream /, ""));
    if (known === undefined || known.claim === null || known.intake === null || this.programs.has(known.name)) return;
    if (this.sharing.isFor(keyOf(known.name), by, cost)) void this.giveAway(known);
  }

  /** Whatever goes wrong in one output costs that one. */
  private each(known: Package, run: (output: Output) => void): void {
    for (const output of known.outputs) {
      try {
        run(output);
      } catch (thrown) {
        known.outputs = known.outputs.filter((one) => one !== output);
        const code = thrown instanceof DolphinError ? thrown.code : "INTERNAL";
        this.log.error({ event: "package.failed", code, ...known.name, err: thrown }, messageOf(thrown));
        void output.close(false);
      }
    }
  }

  private async outputsOf(name: StreamName, kinds: readonly OutputKind[] = ["hls", "dvr"]): Promise<Output[]> {
    const vhost = this.vhostOf(name);
    if (vhost === undefined) return [];
    const { states, hooks, log, config } = this;
    const { identity } = this.options;
    const { minFreeBytes } = config.dolphin;
    const order = await this.orders.of(name);
    try {
      return await loadOutputs({
        name,
        vhost,
        isRecorded: vhost.dvr !== null && (order ?? DvrOutput.isWanted(vhost.dvr, name)),
        kinds,
        minFreeBytes,
        states,
        hooks,
        identity,
        log: log.child({ ...name }),
        // As they are when something is told: other URLs are told from the next file on.
        vhostNow: () => this.vhostOf(name) ?? vhost,
        by: () => this.packages.get(keyOf(name))?.by ?? [name.vhost, name.app, name.stream, "", "", "", ""],
      });
    } catch (thrown) {
      const code = thrown instanceof DolphinError ? thrown.code : "INTERNAL";
      log.warn({ event: "package.refused", code, ...name }, messageOf(thrown));
      return [];
    }
  }

  private vhostOf({ vhost }: StreamName): Vhost | undefined {
    return this.config.vhosts.find(({ name }) => name === vhost);
  }

  private dvrs(): DvrOutput[] {
    return [...this.packages.values()].flatMap(({ outputs }) => outputs.filter((one) => one instanceof DvrOutput));
  }

  private async finished(): Promise<RecordingReport[]> {
    return (await this.states.all(() => false)).flatMap(finishedIn);
  }

  /** Streams that were under way when the packager before this one ended, and have not come back. */
  private finishAbsent(): void {
    for (const known of this.packages.values()) {
      if (known.claim !== null && known.intake === null) this.each(known, (output) => output.end());
    }
  }

  /** What is over and done with is anybody's again. */
  private sweep(): void {
    for (const known of this.packages.values()) {
      const { isLive, intake, outputs, claim } = known;
      if (claim === null || isLive || intake !== null || !outputs.every(({ isIdle }) => isIdle)) continue;
      this.forget(known);
    }
  }

  private forget({ name, claim }: Package): void {
    this.packages.delete(keyOf(name));
    this.sharing.remove(keyOf(name));
    claim?.release();
  }
}
