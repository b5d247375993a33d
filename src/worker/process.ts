// What every child of the master does alike, whatever it serves: it says hello, is told what to be, serves, tells once a
// second how it fares, does what it is asked, and leaves when asked, on SIGTERM, or when the master is gone. The entries,
// roles/server.ts and roles/proxy.ts, say only what differs; they have taken the signals before this is loaded.
//
//   signals.ts        before all else: no signal ends the process by itself
//   process.ts        master ─ configure, drain, stop … ─▶ the server or the balancer ─ ready, done ─▶ master
//   heart.ts          its numbers, once a second ─▶ master
//   carrier.ts        its connections ─ copies ─▶ the master's vault ─ those of other processes ─▶ they go on here
//   locating.ts       streams that it has not ─▶ master ─▶ where they are; with claiming.ts: may somebody publish?
//   mover.ts          its publishers ─▶ another process
//   parent-death.ts   when the master is gone, the kernel ends this process
import { closeSync } from "node:fs";
import type { Spread } from "../base/crowd.js";
import { messageOf } from "../base/errors.js";
import { createLog, reopenLog, setLogLevel, type Log } from "../base/log.js";
import type { Carried, ProxySetup } from "../ipc/balance.js";
import { channelToMaster, type Channel } from "../ipc/channel.js";
import type {
  AdminSetup,
  FromChild,
  PackagerSetup,
  Reconfiguration,
  ServerSetup,
  ServerStats,
  StreamReport,
  ToChild,
  Whom,
} from "../ipc/messages.js";
import type { Listed, ListPage } from "../ipc/lists.js";
import type { Listener } from "../ipc/listener.js";
import type { Locator } from "../ipc/locating.js";
import type { MirroredOrigin } from "../ipc/succession.js";
import type { News } from "../proxy/balancer.js";
import type { AdoptNote, Carrier } from "../ipc/carried.js";
import type { Mover } from "../server/peers/saved-publisher.js";
import { ChildCarrier, linkVariable } from "./carrier.js";
import { collectAlone } from "./collector.js";
import { logCrashes } from "../base/crash.js";
import { exitCodeOf, exitCodes } from "../base/exit-codes.js";
import { Heart } from "./heart.js";
import { ChildLocator } from "./locating.js";
import { dieWithParent } from "./parent-death.js";

/** What a child runs: a server or a balancer. */
interface Service {
  readonly endpoints: readonly Pick<Listener, "protocol" | "endpoint">[];
  /** What a proxy carried at the last look at `stats`. */
  readonly carried?: readonly Carried[];
  stats(): Omit<ServerStats, "lagMs">;
  streams?(): readonly StreamReport[];
  /** Its clients or its streams behind the one of this number. */
  list?(what: Listed, after: number): ListPage | Promise<ListPage>;
  /** Has a stream recorded, or not. Resolves to null, or why not; undefined: it is not here. */
  record?(stream: string, isOn: boolean): Promise<string | null | undefined>;
  /** Sends clients away; gives how many. */
  kick?(whom: Whom): number;
  /** Whether somebody publishes a stream to it. */
  has?(key: string): boolean;
  /** Goes by another configuration while it serves. Throws, and changes nothing, where it cannot. */
  reconfigure?(change: Reconfiguration): void;
  /** Goes on with a connection that another process has served; the descriptors are its own from now on. */
  adopt?(fds: readonly number[], note: AdoptNote): void;
  /** The same with a publisher. */
  adoptPublisher?(saved: unknown, fd: number): void;
  /** A publisher that was moved has ended. */
  publisherOver?(): void;
  /** So many play streams in other processes. */
  playersElsewhere?(counts: readonly (readonly [stream: string, players: number])[]): void;
  /** Whether a sitting goes on that it has asked about. */
  hearSitting?(id: number, goesOn: boolean): void;
  /** Follows the streams of a server whose place this one takes, until `endMirror`. */
  mirror?(origin: MirroredOrigin): Promise<void>;
  endMirror?(): void;
  /** Lets publishers go on in another process from now on. */
  movePublishers?(mover: Mover): void;
  /** Leaves its connections to other processes, publishers by this mover; resolves when that is done as far as it can be. */
  handOver?(mover: Mover): Promise<void>;
  /** Takes nothing new, and resolves when the last connection that it has is over. */
  drain?(reason: string, spread: Spread | null): Promise<void>;
  /** `isReplaced`: another process of its kind follows. */
  close(reason: string, isReplaced: boolean): Promise<void>;
}

const emptyPage: ListPage = { rows: "", next: null };
/** How long a child that is asked to leave tries to leave its viewers to others. */
const lastHandOverMs = 200;
/** Connections of a process that has little to do. */
const idleConnections = 30;

/** One kind of child. */
export interface Role<Setup extends ServerSetup | ProxySetup | AdminSetup | PackagerSetup> {
  readonly role: "server" | "proxy" | "admin" | "packager";
  /** Of signals.ts, which has to be loaded before this is. */
  readonly onTerminate: (run: () => void) => void;
  /** The setup in a message that says what to be; null in one that is for the other kind. */
  setupIn(message: Extract<ToChild, { setup: unknown }>): Setup | null;
  /** Resolves when it serves; throws what keeps it from serving. */
  start(setup: Setup, log: Log, send: (message: FromChild) => void, carrier: Carrier | null, locator: Locator): Promise<Service>;
  /** What of its load the process list shows. */
  load(stats: ServerStats): readonly (readonly [count: number, noun: string])[];
  /** Makes itself ready for a crowd, as long as that is wanted. */
  warmUp?(isWanted: () => boolean): Promise<void>;
  /** Takes what is said to this kind alone; it may come before `start` is done. */
  hear?(message: News): void;
}

/** Makes this process a child of the master for the rest of its life. Resolves when the master has been told of it. */
export async function runChild<Setup extends ServerSetup | ProxySetup | AdminSetup | PackagerSetup>(role: Role<Setup>): Promise<void> {
  collectAlone();
  const child = new ChildProcess(role);
  await dieWithParent();
  child.greet();
}

class ChildProcess<Setup extends ServerSetup | ProxySetup | AdminSetup | PackagerSetup> {
  private readonly role: Role<Setup>;
  private name: string;
  private readonly master: Channel<ToChild, FromChild>;
  private log: Log;
  private service: Service | null = null;
  private heart: Heart | null = null;
  private carrier: ChildCarrier | null = null;
  private readonly locator = new ChildLocator((message) => void this.master.send(message));
  private isLeaving = false;
  private isWarm = false;

  constructor(role: Role<Setup>) {
    this.role = role;
    this.name = process.env["DOLPHIN_CHILD"] ?? role.role;
    process.title = `dolphin: ${this.name}`;
    this.log = createLog({ role: role.role, child: this.name, level: "info", format: "json", file: null });
    logCrashes(() => this.log);
    role.onTerminate(() => void this.leave("SIGTERM", true));
    this.master = channelToMaster(process, {
      message: (message) => this.hear(message),
      invalid: (error) => this.log.warn({ event: "message.dropped", code: error.code, err: error.message }),
    });
  }

  greet(): void {
    this.master.send({ type: "hello" });
  }

  private hear(message: ToChild): void {
    switch (message.type) {
      case "configure":
      case "configure-proxy":
      case "configure-admin":
      case "configure-packager": {
        const setup = this.role.setupIn(message);
        if (setup !== null) void this.serve(setup);
        return;
      }
      case "backends":
      case "leases":
      case "taken":
        this.role.hear?.(message);
        return;
      case "report":
        this.master.send({ type: "reported", id: message.id, streams: this.service?.streams?.() ?? [] });
        return;
      case "list":
        void this.list(message.id, message.what, message.after);
        return;
      case "record":
        void this.record(message.id, message.stream, message.isOn);
        return;
      case "kick":
        this.master.send({ type: "kicked", id: message.id, count: this.service?.kick?.(message.whom) ?? 0 });
        return;
      case "has":
        this.master.send({ type: "had", id: message.id, isHere: this.service?.has?.(message.key) ?? false });
        return;
      case "located":
        this.locator.answered(message.id, message.located);
        return;
      case "fenced":
        this.locator.claims.fenced(message.id, message.fence, message.busy);
        return;
      case "right":
        this.locator.claims.heard(message);
        return;
      case "reopen-log":
        void this.carryOut(message.id, reopenLog);
        return;
      case "warm-up":
        this.warmUp();
        return;
      case "reconfigure":
        void this.carryOut(message.id, () => this.reconfigure(message.change));
        return;
      case "mirror":
        void this.carryOut(message.id, () => this.service?.mirror?.(message.origin));
        return;
      case "end-mirror":
        this.service?.endMirror?.();
        return;
      case "sitting":
        this.service?.hearSitting?.(message.id, message.goesOn);
        return;
      case "players-elsewhere":
        this.service?.playersElsewhere?.(message.counts);
        return;
      case "drain":
        this.drain(message);
        return;
      case "parcels":
        this.carrier?.receive({
          adopt: (fds, note) => this.adopt(fds, () => this.service?.adopt?.(fds, note)),
          adoptPublisher: (fds, saved) => this.adopt(fds, () => this.service?.adoptPublisher?.(saved, fds[0] ?? -1)),
          done: (count) => this.log.info({ event: "connections.resumed", count }, "they go on here"),
        });
        return;
      case "not-kept":
        this.carrier?.refused(message.tokens);
        return;
      case "publisher-over":
        this.service?.publisherOver?.();
        return;
      case "stop":
        void this.leave(message.reason, message.isReplaced);
        return;
    }
  }

  private async list(id: number, what: Listed, after: number): Promise<void> {
    const page = (await this.service?.list?.(what, after)) ?? emptyPage;
    this.master.send({ type: "listed", id, ...page });
  }

  private async record(id: number, stream: string, isOn: boolean): Promise<void> {
    const problem = await Promise.resolve(this.service?.record?.(stream, isOn)).catch(messageOf);
    this.master.send({ type: "recorded", id, isHere: problem !== undefined, problem: problem ?? null });
  }

  /** Does what the master asked for under a number, and answers under that number how it went. */
  private async carryOut(id: number, work: () => void | Promise<void> | undefined): Promise<void> {
    let problem: string | null = null;
    try {
      await work();
    } catch (thrown) {
      problem = messageOf(thrown);
    }
    this.master.send({ type: "done", id, problem });
  }

  private async serve(setup: Setup): Promise<void> {
    const { role } = this.role;
    this.name = setup.name;
    process.title = `dolphin: ${this.name}`;
    this.log = createLog({ role, child: setup.name, ...setup.config.log });
    const { registry } = setup.config.dolphin;
    if (registry !== null) this.locator.claims.standstillMs = registry.leaseMs / 2;
    let service: Service;
    try {
      const send = (message: FromChild): void => void this.master.send(message);
      this.carrier = await ChildCarrier.open(process.env[linkVariable], send);
      service = await this.role.start(setup, this.log, send, this.carrier, this.locator);
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "CHILD_START";
      this.log.error({ event: `${role}.refused`, code }, messageOf(thrown));
      this.master.send({ type: "refused", code, message: messageOf(thrown) }, () => process.exit(exitCodeOf(thrown)));
      return;
    }
    this.service = service;
    if (this.carrier !== null && "publishersMove" in setup && setup.publishersMove) service.movePublishers?.(this.carrier.mover);
    this.heart = new Heart(
      () => service.stats(),
      (stats) => this.beat(service, stats),
    );
    this.master.send({ type: "ready", endpoints: service.endpoints });
  }

  /** Once in a life, and as long as few want anything else. */
  private warmUp(): void {
    if (this.isWarm) return;
    this.isWarm = true;
    void this.role.warmUp?.(() => !this.isLeaving && (this.service?.stats().connections ?? 0) <= idleConnections);
  }

  private beat({ carried }: Service, stats: ServerStats): void {
    const load = this.role.load(stats).filter(([count]) => count > 0);
    const words = load.map(([count, noun]) => `${count} ${noun}${count === 1 ? "" : "s"}`);
    process.title = `dolphin: ${this.name}${words.length === 0 ? "" : ` (${words.join(", ")})`}`;
    this.master.send(carried === undefined ? { type: "heartbeat", stats } : { type: "heartbeat", stats, carried });
  }

  private reconfigure(change: Reconfiguration): void {
    if (this.service?.reconfigure === undefined) throw new Error("it does not serve yet, or cannot change while it serves");
    this.service.reconfigure(change);
    setLogLevel(change.config.log.level);
  }

  /** The heart goes on beating: a child that drains is watched like any other. */
  private drain({ reason, isReplaced, spread }: Extract<ToChild, { type: "drain" }>): void {
    const { service } = this;
    if (service?.drain === undefined) {
      void this.leave(reason, isReplaced);
      return;
    }
    void service.drain(reason, spread).finally(() => void this.leave(reason, false));
    if (isReplaced && this.carrier !== null) void service.handOver?.(this.carrier.mover);
  }

  /** What goes wrong with one connection ends that one. */
  private adopt(fds: readonly number[], goOn: () => void): void {
    try {
      if (this.service === null) for (const fd of fds) closeSync(fd);
      else goOn();
    } catch (thrown) {
      this.log.error({ event: "connection.lost", code: "INTERNAL", err: messageOf(thrown) }, "a connection could not go on here");
    }
  }

  /** Once is enough; what takes too long is ended by the master. */
  private async leave(reason: string, isReplaced: boolean): Promise<void> {
    if (this.isLeaving) return;
    if (this.service === null) process.exit(exitCodes.ok); // it has nothing to finish
    this.isLeaving = true;
    this.heart?.close();
    if (isReplaced && this.carrier !== null) {
      const late = new Promise((resolve) => setTimeout(resolve, lastHandOverMs));
      await Promise.race([this.service.handOver?.(this.carrier.mover), late]);
    }
    await this.service.close(reason, isReplaced).finally(() => {
      if (!isReplaced) this.carrier?.flush(); // nobody goes on with what has ended now
      process.exit(exitCodes.ok);
    });
  }
}
