// Viewers of HLS: to them no connection belongs, and each of their requests may come to another process. A session is a name in the URLs
// of its lists; what this process knows of it is only what it has seen. Whether it goes on, and that it is over, knows the master, where
// anybody is to be told of that (hooks/ledger.ts). A name that nobody knows any more, as after a restart, is let in as its viewer was
// the first time: the site is asked, and he never notices.
//
//   a list without a name ─▶ the site is asked ─▶ a name, told in the list of variants
//   a list with one ─▶ known here ─▶ the list
//                      └▶ the master knows it ─ else the site is asked ─▶ known here
//   nothing for twice hls_window ─▶ forgotten here; by all processes ─▶ on_stop
import { randomBytes } from "node:crypto";
import { DolphinError } from "../../base/errors.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { Asking } from "../../hooks/hooks.js";
import { sittingKey } from "../../hooks/sittings.js";
import type { Whom } from "../../ipc/messages.js";
import type { ClientReport } from "../../ipc/lists.js";
import type { Client } from "../peers/clients.js";
import type { Hub } from "../streams/hub.js";

/** Sessions that a process knows at once. */
export const maxHlsSessions = 100_000;
/** Names are of this form, and of nothing else in the box. */
const idBytes = 12;
const idForm = /^[\w-]{16}$/;
const sweepMs = 5_000;
/** How often the master is told that a session goes on, at most. */
const touchEveryMs = 2_000;

/** Who asks for a list. */
export interface ListViewer {
  readonly vhost: Vhost;
  /** The name of the vhost as it was asked for. */
  readonly asked: string;
  readonly app: string;
  readonly stream: string;
  readonly params: string;
  readonly ip: string;
  readonly page: string;
  readonly tcUrl: string;
  /** `livestream.m3u8`. */
  readonly name: string;
}

/** A session, as far as this process has seen it. */
export interface Session extends Client {
  readonly streamPath: string;
  bytesIn: number;
  bytesOut: number;
  seenAtMs: number;
}

/** The sessions of one process. `close` ends the watch over them, and no session. */
export class HlsSessions {
  private readonly hub: Hub;
  private readonly known = new Map<string, Session & { touchedAtMs: number; readonly idleMs: number }>();
  /** Sent away by an operator, and until when that is remembered. */
  private readonly kicked = new Map<string, number>();
  private readonly entering = new Map<string, Promise<Session | DolphinError>>();
  private readonly timer: NodeJS.Timeout;

  constructor(hub: Hub) {
    this.hub = hub;
    this.timer = setInterval(() => this.sweep(Date.now()), sweepMs).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** The name in a request, if it is one. */
  static idIn(query: string, parameter: string): string | null {
    const id = new URLSearchParams(query).get(parameter);
    return id !== null && idForm.test(id) ? id : null;
  }

  isKicked(id: string): boolean {
    return (this.kicked.get(id) ?? 0) > Date.now();
  }

  /** A session that this process has seen. */
  find(id: string): Session | null {
    return this.known.get(id) ?? null;
  }

  /** The session of this name, which goes on; null: a new one. Resolves to why its viewer may not come in. */
  enter(id: string | null, viewer: ListViewer): Promise<Session | DolphinError> {
    const known = id === null ? undefined : this.known.get(id);
    if (known !== undefined) {
      if (known.streamPath !== pathOf(viewer))
        return Promise.resolve(new DolphinError("HLS_SESSION", "the session is one of another stream"));
      this.touch(known);
      return Promise.resolve(known);
    }
    if (this.known.size >= maxHlsSessions)
      return Promise.resolve(new DolphinError("HLS_SESSION", `${maxHlsSessions} sessions are known here already`));
    const name = id ?? randomBytes(idBytes).toString("base64url");
    const entering = this.entering.get(name) ?? this.admit(name, id !== null, viewer).finally(() => this.entering.delete(name));
    this.entering.set(name, entering);
    return entering;
  }

  /** Bytes were sent in a session. */
  count(session: Session, bytes: number): void {
    session.bytesOut += bytes;
    this.hub.traffic.bytesOut += bytes;
  }

  /** An operator sends somebody away who is not known here: he may come here next. */
  kick(whom: Whom): void {
    if ("client" in whom && idForm.test(whom.client) && !this.known.has(whom.client)) this.forbid(whom.client, sweepMs * 24);
  }

  private async admit(id: string, isNamed: boolean, viewer: ListViewer): Promise<Session | DolphinError> {
    const { vhost } = viewer;
    const idleMs = 2 * (vhost.hls?.windowMs ?? 0);
    const isTold = vhost.hooks.on_play.length + vhost.hooks.on_stop.length > 0;
    if (isNamed && isTold && (await this.hub.hooks.sittings.goesOn(sittingKey(id)))) return this.begin(id, idleMs, isTold, viewer);
    const answer = isTold ? await this.ask(id, idleMs, viewer) : null;
    return answer ?? this.begin(id, idleMs, isTold, viewer);
  }

  /** Null: yes. */
  private ask(id: string, idleMs: number, viewer: ListViewer): Promise<DolphinError | null> {
    const { vhost, app, stream, name, params, ip, page } = viewer;
    const { hub } = this;
    // SRS tells the stream of a list with the list's ending.
    const visitor = { conn: id, id, ip, vhost: vhost.name, app, stream: name, params, tcUrl: `rtmp://${vhost.name}/${app}`, pageUrl: page };
    return new Promise((resolve) => {
      const asking: Asking | object = hub.hooks.admit({
        visitor,
        wants: "play",
        vhost,
        connection: null,
        idleMs,
        clients: () => hub.playersOf(`${vhost.name}/${app}/${stream}`) + hub.hooks.playersElsewhere(`${vhost.name}/${app}/${name}`),
        onConnected: () => undefined,
        onAnswer: (answer) => resolve(answer instanceof DolphinError ? answer : null),
      });
      if (!("leave" in asking)) resolve(null);
    });
  }

  private begin(id: string, idleMs: number, isTold: boolean, viewer: ListViewer): Session {
    const { vhost, asked, app, stream, ip, page, tcUrl, name } = viewer;
    const sinceMs = Date.now();
    const forget = (): void => {
      this.known.delete(id);
      this.hub.clients.delete(session);
    };
    const session: Session & { touchedAtMs: number; readonly idleMs: number } = {
      does: "play",
      protocol: "hls",
      asked,
      vhost,
      id,
      order: this.hub.nextOrder(),
      streamPath: pathOf(viewer),
      bytesIn: 0,
      bytesOut: 0,
      seenAtMs: sinceMs,
      touchedAtMs: sinceMs,
      idleMs,
      report: (): ClientReport => {
        const { bytesIn, bytesOut } = session;
        const said = { ip, tcUrl, pageUrl: page, swfUrl: "", name };
        return { id, vhost: vhost.name, app, stream, type: "hls-play", ...said, sinceMs, bytesIn, bytesOut };
      },
      dismiss: () => {
        forget();
        this.forbid(id, idleMs);
        if (isTold) this.hub.hooks.sittings.end(sittingKey(id));
      },
      letGo: () => false, // there is no connection to leave
    };
    this.known.set(id, session);
    this.hub.clients.add(session);
    return session;
  }

  private touch(session: Session & { touchedAtMs: number }): void {
    const now = Date.now();
    session.seenAtMs = now;
    if (now - session.touchedAtMs < touchEveryMs) return;
    session.touchedAtMs = now;
    const { on_play: onPlay, on_stop: onStop } = session.vhost.hooks;
    if (onPlay.length + onStop.length > 0) this.hub.hooks.sittings.touch(sittingKey(session.id));
  }

  private forbid(id: string, forMs: number): void {
    this.kicked.set(id, Date.now() + forMs);
    if (this.kicked.size > maxHlsSessions) this.kicked.delete(this.kicked.keys().next().value!);
  }

  /** Whoever has not been seen for so long is forgotten here; that he is gone from everywhere, the master finds. */
  private sweep(now: number): void {
    for (const session of this.known.values()) {
      if (now - session.seenAtMs < session.idleMs) continue;
      this.known.delete(session.id);
      this.hub.clients.delete(session);
    }
    for (const [id, untilMs] of this.kicked) if (untilMs <= now) this.kicked.delete(id);
  }
}

function pathOf({ vhost, app, name }: Pick<ListViewer, "vhost" | "app" | "name">): string {
  return `${vhost.name}/${app}/${name}`;
}
