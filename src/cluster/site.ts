// The box among the other servers of its site: where a stream is that is not published here, for all processes of the box. The origin
// in the master asks directly, children by a message; whether another process of the box has the stream comes first for those.
//
//   the origin ─────────────────────────────────────▶ site.ts ─▶ the registry, coworkers.ts ─▶ located
//   an edge, a server ─ locate ─▶ has the box it? ─▶        a server of plan b is sent to the one of them that has it,
//   a proxy                                                 a proxy hears of that by the stream's lease
//   heartbeat.ts: that the box is there, for those who want to know
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import type { CoworkerReport } from "../ipc/box.js";
import type { Identity } from "../ipc/identity.js";
import { nowhere, type Claims, type Located, type Locator, type StreamName } from "../ipc/locating.js";
import type { FromChild, ToChild } from "../ipc/messages.js";
import type { Registry } from "../registry/registry.js";
import { keyOf } from "../registry/scripts.js";
import { ChildrensClaims } from "./childrens-claims.js";
import { Coworkers } from "./coworkers.js";
import { Heartbeat } from "./heartbeat.js";

export interface SiteParts {
  readonly log: Log;
  /** Null: there is none. */
  readonly registry: Registry | null;
  readonly identity: Identity;
  config(): Config;
  /** Whether another process of the box than this one has a publisher of the stream of this key. */
  has(key: string, asker: string): Promise<boolean>;
  /** Where another server of plan b has it from whom `asker`, one of them too, can pull; null: there is none. */
  sibling(key: string, asker: string): Endpoint | null;
  send(name: string, message: ToChild): boolean;
}

/** One box's. Close it once. */
export class Site implements Locator {
  private readonly parts: SiteParts;
  readonly claims: Claims | null;
  private readonly coworkers: Coworkers;
  private readonly childrens: ChildrensClaims | null;
  private readonly heartbeat: Heartbeat;

  constructor(parts: SiteParts) {
    this.parts = parts;
    this.coworkers = new Coworkers(() => parts.config(), parts.log);
    this.heartbeat = new Heartbeat(parts);
    this.claims = parts.registry;
    this.childrens = parts.registry === null ? null : new ChildrensClaims(parts.registry, (child, message) => parts.send(child, message));
  }

  /** The box serves: others are told. */
  begin(): void {
    this.heartbeat.begin();
  }

  /** How the other origins of its origin cluster were when they were asked last. */
  coworkersNow(): CoworkerReport[] {
    return this.coworkers.report();
  }

  /** For the origin in the master, which has not got it. */
  async locate(name: StreamName, signal: AbortSignal, isLost = false): Promise<Located> {
    const { registry } = this.parts;
    if (registry === null) return this.coworkers.locate(name);
    const located = await registry.locate(name, signal, isLost).catch((thrown: unknown) => {
      if (this.coworkers.hasAny(name)) return nowhere; // those are asked then
      throw thrown;
    });
    return located.isHere || located.servers.length > 0 ? located : this.coworkers.locate(name);
  }

  /** Where the origin in the master passes a publisher on to. */
  async origins(name: StreamName): Promise<readonly Endpoint[]> {
    const { registry } = this.parts;
    if (registry === null) throw new DolphinError("REGISTRY_AWAY", "this box has no registry to ask for origins");
    return registry.origins(name);
  }

  /** Of the origin in the master. */
  tellReplica(name: StreamName, from: string | null): void {
    this.hasReplica("", name, from);
  }

  heard(child: string, message: FromChild): void {
    if (message.type === "locate") void this.answer(child, message);
    if (message.type === "origins") void this.answerOrigins(child, message);
    if (message.type === "replica") this.hasReplica(child, message.name, message.from);
    this.childrens?.heard(child, message);
  }

  /** A process of the box has ended, and with it what it published. */
  gone(child: string): void {
    this.childrens?.gone(child);
    this.parts.registry?.replicas.gone(child);
  }

  close(): void {
    this.coworkers.close();
    this.heartbeat.close();
  }

  private async answerOrigins(child: string, { id, name }: Extract<FromChild, { type: "origins" }>): Promise<void> {
    const servers = await this.origins(name).catch(() => null); // none is known: the publisher hears of it
    this.parts.send(child, { type: "located", id, located: servers === null ? null : { isHere: false, servers } });
  }

  private hasReplica(process: string, { vhost, app, stream }: StreamName, from: string | null): void {
    this.parts.registry?.replicas.tell(process, `${vhost}/${app}/${stream}`, from);
  }

  private async answer(child: string, { id, name, isLost }: Extract<FromChild, { type: "locate" }>): Promise<void> {
    let located: Located | null = null;
    try {
      const key = keyOf(name);
      const isHere = await this.parts.has(key, child);
      const sibling = isHere ? this.parts.sibling(key, child) : null;
      if (sibling !== null) located = { isHere: false, servers: [sibling] };
      else located = isHere ? { isHere, servers: [] } : await this.locate(name, new AbortController().signal, isLost);
    } catch (thrown) {
      this.parts.log.debug({ event: "locate.failed", child, err: messageOf(thrown) });
    }
    this.parts.send(child, { type: "located", id, located });
  }
}
