// The admission of one play or publish of a connection by the site's backend: asked for before anything begins, and closed when it is
// over. The box's own edges are no clients, and nobody is asked about them.
import { DolphinError } from "../../base/errors.js";
import type { Admission, Asking, Hooks } from "../../hooks/hooks.js";
import { hooksOf, type Endpoint } from "../../conf/meaning/config.js";
import type { Due } from "../../ipc/dues.js";
import type { StreamName } from "../../ipc/locating.js";
import type { Asked, Caller } from "../peers/caller.js";
import { clientOf } from "../peers/peer.js";
import type { Hub } from "../streams/hub.js";
import type { Connection } from "./connection.js";
import { seekElsewhere } from "./elsewhere.js";

const noHooks = hooksOf(() => []);

/** What is due when a connection ends: known to all of its streams. */
export interface Closing {
  due: Due | null;
}

export interface EntryOwner {
  readonly hub: Hub;
  readonly caller: Caller;
  readonly connection: Connection;
  readonly closing: Closing;
}

/** What an answer leads to. */
export interface Answers {
  /** It may begin, and there was nobody to ask: while `ask` is called. */
  readonly now: () => void;
  /** It may begin, a while after it was asked. */
  readonly later: () => void;
  readonly refused: (refusal: DolphinError) => void;
  /** It may, and is better served there; of what cannot be sent on: absent. */
  readonly elsewhere?: (server: Endpoint) => void;
}

/** One at a time. `end` or `release` closes it. */
export class Entry {
  /** Where the stream that is published is forwarded to, as the backend says; null: as the configuration does. */
  forwards: readonly string[] | null = null;
  /** What is due when it is over; null: nothing. */
  due: Due | null = null;
  private readonly owner: EntryOwner;
  private asking: Asking | null = null;

  constructor(owner: EntryOwner) {
    this.owner = owner;
  }

  /** Asks whether it may begin. One of these is called, later ones within the connection's boundary, and not once it has ended. */
  ask(wants: "play" | "publish", asked: Asked, answers: Answers): void {
    const { request, vhost, client } = asked;
    const { hub, caller, connection, closing } = this.owner;
    const isOwnEdge = caller.edgeName !== null;
    // Whom an edge lets in it has asked about; where the stream goes is asked where it is.
    if (isOwnEdge && (wants === "play" || vhost.forward.backend === null)) return answers.now();
    const { app, stream, params } = request;
    const { tcUrl, pageUrl } = caller;
    const { conn } = connection;
    const visitor = { conn, id: client.id, ip: clientOf(connection.socket).host, vhost: vhost.name, app, stream, params, tcUrl, pageUrl };
    const answer = this.hooks.admit({
      visitor,
      wants,
      vhost: isOwnEdge ? { hooks: noHooks, forward: vhost.forward } : vhost,
      connection: isOwnEdge ? null : closing.due === null ? "new" : "known",
      clients: () => hub.playersOf(`${vhost.name}/${app}/${stream}`),
      fence: () => this.fenceOf({ vhost: vhost.name, app, stream }),
      onConnected: (due) => (closing.due = due),
      onAnswer: (later) => {
        this.asking = null;
        connection.run(() => {
          if (later instanceof DolphinError) answers.refused(later);
          else this.take(later, asked, { ...answers, now: answers.later });
        });
      },
    });
    if ("leave" in answer) this.asking = answer;
    else this.take(answer, asked, answers);
  }

  /** Goes on with what is due for a viewer of another process. */
  resumePlay(dues: readonly Due[]): void {
    this.resume({ due: dues.find(({ action }) => action === "on_stop") ?? null, forwards: null });
  }

  /** Goes on with what another process was granted. */
  resume({ due, forwards }: Admission): void {
    this.due = due;
    this.forwards = forwards;
    if (due !== null) this.hooks.keep(due);
  }

  /** What it was granted, for another process. */
  get granted(): Admission {
    const { due, forwards } = this;
    return { due, forwards };
  }

  /** It is over: an answer that is still to come is nobody's, and what is due is called. */
  end(): void {
    this.asking?.leave();
    if (this.due !== null) this.hooks.end(this.due, this.stopMembers());
    this.forget();
  }

  /** It goes on in another process. */
  release(): void {
    if (this.due !== null) this.hooks.release(this.due);
    this.forget();
  }

  /** A player may be sent on: that is found out while it waits. */
  private take({ due, forwards }: Admission, asked: Asked, answers: Answers): void {
    const { elsewhere } = answers;
    const { hub, caller, connection } = this.owner;
    this.due = due;
    this.forwards = forwards;
    const told = (server: Endpoint | null): void => {
      this.asking = null;
      connection.run(() => (server === null ? answers.later() : elsewhere?.(server)));
    };
    this.asking = elsewhere === undefined ? null : seekElsewhere(hub, caller, asked, told);
    if (this.asking === null) answers.now();
  }

  private stopMembers(): { readonly clients?: number } {
    const { due } = this;
    if (due?.action !== "on_stop") return {};
    const { vhost, app, stream } = due.body as Record<string, string>;
    return { clients: this.owner.hub.playersOf(`${vhost}/${app}/${stream}`) };
  }

  private fenceOf(name: StreamName): Promise<number> {
    const { locator, setup } = this.owner.hub;
    const claims = setup.config.dolphin.registry === null ? null : locator?.claims;
    return claims?.fence(name) ?? Promise.resolve(0);
  }

  private forget(): void {
    this.asking = null;
    this.due = null;
    this.forwards = null;
  }

  private get hooks(): Hooks {
    return this.owner.hub.hooks;
  }
}
