// The site's backend, as one process knows it: who may connect, publish and play, and what it is told when that is over. SRS's hooks,
// called once for a session whatever process serves it.
//
//   admit ─▶ on_connect ─▶ on_publish (─▶ on_forward) or on_play ─▶ yes: the session has dues, hooks that are called when it is over
//              │                │                                 ─▶ no: it has what was said yes to before
//              └─ a question that is answered by yes when its client has gone is closed at once, and one that was not put is not put
//   end ───▶ on_stop, on_unpublish, on_close ─ in order for each client, and a stream's next publisher is asked about behind them
//   keep, release ─▶ a due goes on here, or in another process        the master knows of all dues (ledger.ts)
//
//   answer.ts  backend.ts  messenger.ts  counts.ts: one call         bodies.ts  decisions.ts  lanes.ts  turns.ts: what, again, in order
import { asDolphinError, DolphinError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { HookSettings, Vhost } from "../conf/meaning/config.js";
import type { Due, DueNote, HookBody, HookCounts, Undelivered } from "../ipc/dues.js";
import type { Identity } from "../ipc/identity.js";
import type { Judgement } from "./answer.js";
import { bodyOf, type VisitAction, type Visitor } from "./bodies.js";
import { shownUrl } from "./counts.js";
import { Decisions, questionOf } from "./decisions.js";
import { Lanes } from "./lanes.js";
import { Messenger, type Verdict } from "./messenger.js";
import { Sittings, sittingKey } from "./sittings.js";
import { Turns } from "./turns.js";

export interface HooksOptions {
  readonly identity: Identity;
  readonly settings: HookSettings;
  readonly log: Log;
  /** Takes what the master must know of the dues of this process, a turn's worth at a time. */
  readonly tell: (notes: readonly DueNote[]) => void;
}

/** Somebody who wants to play or to publish. */
export interface Visit {
  readonly visitor: Visitor;
  readonly wants: "play" | "publish";
  readonly vhost: Pick<Vhost, "hooks" | "forward">;
  /** Of RTMP: whether the connection has passed on_connect before. Null: it has no hooks of its own. */
  readonly connection: "new" | "known" | null;
  /** It has no connection, and is over when nothing has come of it for so long (ms); absent: it has one. */
  readonly idleMs?: number;
  /** How many play the stream now, this one left out. */
  readonly clients: () => number;
  /** Of a publisher, the number that the backend is told; absent, or 0: none. Rejects for one about whom nobody needs to be asked. */
  readonly fence?: () => Promise<number>;
  /** It has passed on_connect, and this is due when the connection ends. */
  readonly onConnected: (due: Due) => void;
  /** Called once, unless the client leaves before. */
  readonly onAnswer: (answer: Admission | DolphinError) => void;
}

/** What somebody who was let in has beside. */
export interface Admission {
  /** What is due when the play or publish ends; null: nothing. */
  readonly due: Due | null;
  /** Where the stream is forwarded to, as on_forward says; null: it was not asked. */
  readonly forwards: readonly string[] | null;
}

/** A question that is being answered. */
export interface Asking {
  /** The client has gone: nobody is told the answer. */
  leave(): void;
}

/** The hooks of one process. `settle` waits for what is under way. */
export class Hooks {
  private readonly options: HooksOptions;
  private readonly messenger: Messenger;
  private readonly decisions = new Decisions();
  private readonly lanes: Lanes;
  /** A crowd that was asked about at once is answered at once, too. */
  private readonly answers = new Turns();
  /** Of each stream that has stopped and whose hooks are under way: its publisher's id. */
  private readonly lastPublishers = new Map<string, string>();
  /** Players of streams in other processes, as the master tells. */
  private readonly elsewhere = new Map<string, number>();
  private notes: DueNote[] = [];
  private made = 0;
  /** Sessions that no connection is the life of. */
  readonly sittings = new Sittings((note) => this.note(note));

  constructor(options: HooksOptions) {
    this.options = options;
    this.messenger = new Messenger(options.settings, options.log);
    this.lanes = new Lanes((thrown) => this.failed(thrown));
  }

  /** Goes by other settings from now on; sessions keep the URLs that they were admitted with. */
  reconfigure(settings: HookSettings): void {
    this.messenger.settings = settings;
  }

  /** How all calls so far went. */
  snapshot(): readonly HookCounts[] {
    return this.messenger.snapshot();
  }

  /** Takes how many play streams (`vhost/app/stream`) in other processes. */
  hear(counts: readonly (readonly [stream: string, players: number])[]): void {
    for (const [stream, players] of counts) {
      if (players > 0) this.elsewhere.set(stream, players);
      else this.elsewhere.delete(stream);
    }
  }

  /** How many play a stream in other processes. */
  playersElsewhere(stream: string): number {
    return this.elsewhere.get(stream) ?? 0;
  }

  /** Asks whether somebody may come in. Where nobody is to be asked, the answer is there at once, and `onAnswer` is not called. */
  admit(visit: Visit): Asking | Admission {
    const { vhost, wants, connection, visitor } = visit;
    const { hooks } = vhost;
    const asked = [
      ...(connection === null ? [] : hooks.on_connect),
      ...(wants === "play" ? hooks.on_play : hooks.on_publish),
      ...(wants === "publish" ? this.forwardBackend(visit) : []),
    ];
    if (asked.length === 0) {
      const close = this.openConnection(visit);
      if (close !== null) visit.onConnected(close);
      return { due: this.openVisit(visit), forwards: null };
    }
    const question = new Question();
    const streamKey = `${visitor.vhost}/${visitor.app}/${visitor.stream}`;
    this.lanes.run(visitor.conn, async () => {
      const before = wants === "publish" ? this.lanes.through(this.lastPublishers.get(streamKey) ?? "") : null;
      if (before !== null) await before;
      await this.answer(visit, question);
    });
    return question;
  }

  /** A due is called: what it is about is over. `members`: what is known of it now. */
  end(due: Due, members: HookBody = {}): void {
    const { client_id: clientId, vhost, app, stream } = due.body;
    const lane = laneOf(String(clientId));
    const streamKey = `${vhost}/${app}/${stream}`;
    if (due.action === "on_unpublish") this.lastPublishers.set(streamKey, lane);
    this.lanes.run(lane, async () => {
      await this.deliver({ ...due, body: { ...due.body, ...members } });
      if (due.action === "on_unpublish" && this.lastPublishers.get(streamKey) === lane) void this.forgetPublisher(streamKey, lane);
    });
  }

  /** A session of another process goes on here. */
  keep(due: Due): void {
    this.note({ open: due });
  }

  /** It goes on in another process. */
  release(due: Due): void {
    this.note({ moved: due.key });
    this.flush(); // before anything else is said of it
  }

  /** Tells what has happened to a file: `on_dvr`, `on_hls`. `members` stand behind those that all hooks begin with. */
  notify(action: "on_dvr" | "on_hls", urls: readonly string[], visitor: Visitor, members: HookBody): void {
    const body = { ...bodyOf("on_unpublish", visitor, this.options.identity), action };
    const { stream_url: streamUrl, stream_id: streamId, ...first } = body as Record<string, string>;
    const text = JSON.stringify({ ...first, ...members, stream_url: streamUrl, stream_id: streamId });
    const event = this.newKey(visitor.id, action);
    this.lanes.run(visitor.conn, async () => {
      for (const url of urls) await this.messenger.tell({ action, url, text, event, attempt: 1 });
    });
  }

  /** Asks URLs that have been filled in by GET: `on_hls_notify`. Of the answers no more than `readsBytes` is read. */
  visit(conn: string, urls: readonly string[], limits: { readonly readsBytes: number; readonly timeoutMs: number }): void {
    this.lanes.run(conn, async () => {
      for (const url of urls) await this.messenger.visit("on_hls_notify", url, limits);
    });
  }

  /** Goes on telling what another process could not. */
  resume(what: Undelivered): void {
    this.messenger.later(what);
  }

  /**
   * Resolves when everything has been told, or `withinMs` has gone by. `isLast`: nobody goes on with what waits to be sent again, so it is
   * sent now; else the master does.
   */
  async settle(withinMs: number, isLast: boolean): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([isLast ? Promise.all([this.lanes.settled(), this.messenger.settle()]) : this.lanes.settled(), late]);
    clearTimeout(timer);
    if (!isLast) for (const undelivered of this.messenger.takeRetries()) this.note({ undelivered });
    this.flush();
  }

  private async answer(asked: Visit, question: Question): Promise<void> {
    const { vhost, wants, connection } = asked;
    const { hooks } = vhost;
    const refuse = (refusal: DolphinError): Promise<boolean> => this.settleIn(question, () => asked.onAnswer(refusal));
    if (question.hasLeft) return;
    const connected = connection === null ? yes : await this.decide("on_connect", hooks.on_connect, asked, question);
    if (connected.isYes !== true) {
      await refuse(refusalOf("on_connect", connected));
      return;
    }
    const close = connected.isRemembered ? null : this.openConnection(asked);
    if (close !== null && question.hasLeft) await this.deliver(close);
    else if (close !== null) asked.onConnected(close);
    if (question.hasLeft) return;
    const action = wants === "play" ? "on_play" : "on_publish";
    const visit = await this.fenced(asked);
    if (visit instanceof DolphinError) {
      await refuse(visit);
      return;
    }
    const admitted = await this.decide(action, wants === "play" ? hooks.on_play : hooks.on_publish, visit, question);
    if (admitted.isYes !== true) {
      await refuse(refusalOf(action, admitted));
      return;
    }
    const due = admitted.isRemembered ? null : this.openVisit(visit);
    const forward = question.hasLeft ? yes : await this.decide("on_forward", this.forwardBackend(visit), visit, question);
    const forwards = this.forwardBackend(visit).length === 0 ? null : urlsIn(forward.isYes === true ? forward.data : null);
    if (forward.isYes !== true) await refuse(refusalOf("on_forward", forward));
    else if (await this.settleIn(question, () => visit.onAnswer({ due, forwards }))) return;
    if (due !== null) await this.deliver(due);
  }

  /** With the number of a publisher about whom somebody is asked; or why he would be refused anyway. */
  private async fenced(visit: Visit): Promise<Visit | DolphinError> {
    if (visit.wants === "play" || visit.vhost.hooks.on_publish.length === 0) return visit;
    try {
      const fence = (await visit.fence?.()) ?? 0;
      return fence === 0 ? visit : { ...visit, visitor: { ...visit.visitor, fence } };
    } catch (thrown) {
      return asDolphinError(thrown);
    }
  }

  /** Tells an answer in its turn. Resolves to false when nobody waits for it any more. */
  private settleIn(question: Question, tell: () => void): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.answers.run(() => {
        try {
          resolve(question.settle(tell));
        } catch (thrown) {
          reject(asDolphinError(thrown));
        }
      });
    });
  }

  /** A mistake of ours costs the session that it is about. */
  private failed(thrown: unknown): void {
    const { code, message, cause } = asDolphinError(thrown);
    this.options.log.error({ event: "hook.lost", code, err: cause ?? message }, message);
  }

  /** Asks all URLs of a hook, one behind the other, until one says no. */
  private async decide(action: VisitAction, urls: readonly string[], visit: Visit, question: Question): Promise<Decided> {
    const { settings } = this.messenger;
    const { visitor, wants } = visit;
    const clients = action === "on_play" ? visit.clients() + 1 : null;
    const body = bodyOf(action, visitor, this.options.identity, clients);
    const cacheMs = wants === "play" ? settings.cacheMs : 0;
    const remembers = cacheMs > 0 || settings.whenDown === "last";
    let remembered = 0;
    let data: unknown = null;
    for (const url of urls) {
      const key = remembers ? questionOf(url, body) : "";
      const known = cacheMs > 0 ? this.decisions.find(key, performance.now(), cacheMs) : null;
      if (known !== null) remembered += 1;
      const isWanted = (): boolean => !question.hasLeft;
      const verdict = known ?? (await this.messenger.ask({ action, url, text: JSON.stringify(body), isWanted }));
      const judgement = this.judgeDown(verdict, key);
      if (known === null && remembers && verdict !== null && "isYes" in verdict) this.decisions.remember(key, verdict, performance.now());
      if (judgement.isYes !== true) {
        if (judgement.isYes === false) this.tellRefusal(action, url, visitor, judgement.why);
        return { ...judgement, isRemembered: false };
      }
      data = judgement.data ?? data;
    }
    return { isYes: true, data, isRemembered: urls.length > 0 && remembered === urls.length };
  }

  /** What a backend that has not answered is taken to have said. */
  private judgeDown(verdict: Verdict, key: string): Judgement | { readonly isYes: null; readonly why: string } {
    if (verdict === null) return { isYes: null, why: "the client left" };
    if ("isYes" in verdict) return verdict;
    const { whenDown } = this.messenger.settings;
    const last = whenDown === "last" ? this.decisions.find(key, performance.now()) : null;
    if (last !== null) return last;
    return whenDown === "allow" ? { isYes: true, data: null } : { isYes: null, why: verdict.why };
  }

  private tellRefusal(action: VisitAction, url: string, { id, ip, vhost, app, stream }: Visitor, why: string): void {
    const line = { event: "hook.refused", action, conn: id, ip, vhost, app, stream, url: shownUrl(url) };
    this.options.log.info({ ...line, reason: why });
  }

  /** What is due of a connection that has passed on_connect for the first time. */
  private openConnection({ vhost: { hooks }, connection, visitor }: Visit): Due | null {
    if (connection !== "new" || hooks.on_close.length === 0) return null;
    return this.open("on_close", hooks.on_close, bodyOf("on_close", visitor, this.options.identity));
  }

  private openVisit({ vhost: { hooks }, wants, visitor, clients, idleMs }: Visit): Due | null {
    const action = wants === "play" ? "on_stop" : "on_unpublish";
    const urls = hooks[action];
    const count = wants === "play" ? clients() : null;
    // Whoever is only asked about is counted as well.
    return urls.length === 0 && (wants === "publish" || hooks.on_play.length === 0)
      ? null
      : this.open(action, urls, bodyOf(action, visitor, this.options.identity, count), idleMs);
  }

  private open(action: Due["action"], urls: readonly string[], body: HookBody, idleMs: number | null = null): Due {
    const clientId = String(body["client_id"]);
    const due: Due = { key: idleMs === null ? this.newKey(clientId, action) : sittingKey(clientId), action, urls, body };
    this.note(idleMs === null ? { open: due } : { sitting: { due, idleMs } });
    return due;
  }

  private newKey(clientId: string, action: string): string {
    return `${clientId}.${action}.${process.pid}.${(this.made++).toString(36)}`;
  }

  private forwardBackend({ vhost: { forward }, wants }: Visit): readonly string[] {
    return wants === "publish" && forward.enabled && forward.backend !== null ? [forward.backend] : [];
  }

  private async deliver({ key, action, urls, body }: Due): Promise<void> {
    const text = JSON.stringify(body);
    const onStart = (): void => this.note({ done: key });
    if (urls.length === 0) onStart();
    for (const url of urls) await this.messenger.tell({ action, url, text, event: key, attempt: 1 }, onStart);
  }

  private async forgetPublisher(streamKey: string, lane: string): Promise<void> {
    await this.lanes.through(lane);
    if (this.lastPublishers.get(streamKey) === lane) this.lastPublishers.delete(streamKey);
  }

  private note(note: DueNote): void {
    if (this.notes.length === 0) setImmediate(() => this.flush());
    this.notes.push(note);
  }

  private flush(): void {
    const { notes } = this;
    this.notes = [];
    if (notes.length > 0) this.options.tell(notes);
  }
}

/** Of a hook with all its URLs. `isYes` null: it was not to be had. `isRemembered`: nobody was asked. */
type Decided = (Judgement | { readonly isYes: null; readonly why: string }) & { readonly isRemembered: boolean };

const yes: Decided = { isYes: true, data: null, isRemembered: false };

class Question implements Asking {
  hasLeft = false;
  private isSettled = false;

  leave(): void {
    this.hasLeft = true;
  }

  /** False: nobody waits any more. */
  settle(tell: () => void): boolean {
    if (this.hasLeft || this.isSettled) return false;
    this.isSettled = true;
    tell();
    return true;
  }
}

/** What is told of one connection is told in order, whichever of its message streams it is about. */
function laneOf(clientId: string): string {
  return clientId.split(".")[0] ?? clientId;
}

/** In words that its client may read: what the backend said is told in the log alone. */
function refusalOf(action: VisitAction, { isYes }: Pick<Decided, "isYes">): DolphinError {
  if (isYes === false) return new DolphinError("HOOK_REFUSED", `the backend of this site refused it (${action})`);
  return new DolphinError("HOOK_FAILED", `the backend of this site could not be asked (${action}): try again later`);
}

/** `data.urls` of an answer to on_forward. */
function urlsIn(data: unknown): readonly string[] {
  const urls = typeof data === "object" && data !== null && "urls" in data ? data.urls : [];
  return Array.isArray(urls) ? urls.filter((url): url is string => typeof url === "string") : [];
}
