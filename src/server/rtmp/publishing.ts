// What an incoming connection is while it publishes: the publication that its media goes to, the watch over its silence, and
// how its socket is read meanwhile. The session keeps the dialogue; it is told when media may come and when all is over.
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, DolphinError, type ErrorCode } from "../../base/errors.js";
import type { Clock } from "../../codec/rtmp/clock.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { Held } from "../../codec/rtmp/slabs.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { Hub } from "../streams/hub.js";
import { Standby } from "../streams/standby.js";
import type { SavedSource } from "../../stream/source.js";
import type { Asked } from "../peers/caller.js";
import { mergeMs, mostTicks, type MergedReader } from "../peers/merged-read.js";
import { busyRetries, busyRetryMs, type Publication, type Publisher } from "../peers/publication.js";
import { readBufferBytes, type Take } from "../../wire/shared-read.js";
import type { Connection } from "./connection.js";
import type { Entry } from "./entry.js";
import { PublisherWatch } from "./publisher-watch.js";
import { Right } from "./right.js";

export interface PublishingOptions {
  readonly hub: Hub;
  readonly asked: Asked;
  readonly connection: Pick<Connection, "socket" | "sinceMs" | "lendTo" | "run">;
  /** Takes what is read of the connection. */
  readonly take: Take;
  /** Whether nothing else goes over the connection. */
  readonly isAlone: () => boolean;
  /** Who publishes, for `dolphin status`: an address, or the name of an own edge. */
  readonly peer: string;
  readonly isOwnEdge: boolean;
  /** As in `Publisher`. */
  readonly tcUrl: string;
  readonly clockId: number | null;
  /** Which is asked whether it may publish. */
  readonly entry: Pick<Entry, "ask" | "forwards">;
  /** What another process has published of it; null: nothing. */
  readonly saved: SavedSource | null;
  /** Media may come. */
  readonly onStarted: (clock: Clock | null) => void;
  /** The stream does not take it, or no longer: with the sentence for its encoder. */
  readonly onRefused: (reason: DolphinError) => void;
  /** It has been silent for too long. */
  readonly onSilent: (reason: string, code: ErrorCode) => void;
}

/** Players' batches of this length hide that their publisher is read every other tick. */
const leastBatchMs = 4 * mergeMs;
/** What is kept of a publisher who sends before it was told to; with more it is not read. */
export const maxEarlyBytes = 1 << 20;

/** One publishing of one connection. `close` ends it. */
export class Publishing implements MergedReader {
  private readonly options: PublishingOptions;
  private watch: PublisherWatch | null = null;
  private readonly retry = new Deadline();
  private retriesLeft = busyRetries;
  private publication: Publication | null = null;
  /** Whether the read under way has brought media. */
  private hasMedia = false;
  /** What came before the stream took it, while the backend is asked, or a busy stream again. */
  private early: Message[] = [];
  private earlyBytes = 0;
  private isAdmitted: boolean;
  /** To the name on a site of several boxes; null: there is none. */
  private readonly right: Right | null;
  private isToldToStart = false;
  /** Where an edge passes it on to that finds its origins on the site; null: nowhere yet, or it goes by its configuration. */
  private origins: readonly Endpoint[] | null = null;
  private isClosed = false;

  /** Throws what refuses a publisher, but for a busy stream, which is asked again before `onRefused` is called. */
  constructor(options: PublishingOptions) {
    this.options = options;
    const { hub, isOwnEdge, asked, saved } = options;
    this.isAdmitted = saved !== null;
    this.right = this.rightOf(options);
    try {
      this.begin();
    } catch (error) {
      // an own edge asks again by itself, for it has the encoder's connection
      if (isOwnEdge || !this.waitsFor(error)) throw error;
    }
    if (!isOwnEdge) hub.traffic.publishers += 1;
    if (!isOwnEdge && saved === null) hub.traffic.tally.publishes += 1;
    hub.clients.add(asked.client);
    options.connection.lendTo((held) => this.hold(held));
  }

  get take(): Take {
    return this.options.take;
  }

  /** Nobody waits for it: the most. Its viewers get batches that take much longer anyway: two. */
  get ticks(): number {
    if (this.publication?.isWatched() === false && this.options.isAlone()) return mostTicks;
    const { play, hls } = this.options.asked.vhost;
    return play.mwLatencyMs >= leastBatchMs && (hls?.partMs ?? null) === null ? 2 : 1;
  }

  /** Whether the stream has taken it, now or before. */
  get hasBegun(): boolean {
    return this.publication !== null;
  }

  push(message: Message): void {
    this.hasMedia = true;
    if (this.publication === null || this.right?.mayPass() === false) this.keepEarly(message);
    else this.publication.push(message);
  }

  /** What another process needs to go on; null where it cannot. */
  save(): SavedSource | null {
    return this.publication?.save() ?? null;
  }

  /** After a read of so many bytes: whether to read on at once. Otherwise the socket is read again with the others. */
  readsOn(bytes: number): boolean {
    if (this.hasMedia) this.watch?.heard(); // one look at the clock a read
    this.hasMedia = false;
    const { hub, isOwnEdge, asked } = this.options;
    const { socket } = this.options.connection;
    if (bytes === readBufferBytes) return true; // there is more: the pause is for those who send little
    if (isOwnEdge || asked.vhost.minLatency || socket.isPaused()) return true; // an edge of ours has gathered what it passes on
    hub.mergedReads.add(socket, this);
    return false;
  }

  close(): void {
    this.isClosed = true;
    const { hub, connection, isOwnEdge, asked } = this.options;
    const { socket } = connection;
    connection.lendTo(null);
    hub.clients.delete(asked.client);
    if (!isOwnEdge) hub.traffic.publishers -= 1;
    this.retry.clear();
    this.watch?.close();
    this.publication?.close();
    this.right?.close();
    hub.mergedReads.remove(socket);
    socket.resume();
  }

  /** Names the memory of the media that is still needed; false: it cannot be told. */
  private hold(held: Held): boolean {
    return this.publication !== null && this.publication.hold(held);
  }

  private keepEarly(message: Message): void {
    const { hub, connection } = this.options;
    this.early.push(message);
    this.earlyBytes += message.payload.length;
    if (this.earlyBytes <= maxEarlyBytes) return;
    hub.mergedReads.remove(connection.socket);
    connection.socket.pause();
  }

  /** Asks the backend, unless that was done. False: its answer comes later. */
  private mayBegin(): boolean {
    const { hub, asked, entry, isOwnEdge, onRefused } = this.options;
    if (this.isAdmitted) return true;
    hub.checkFree(asked.vhost, asked.request); // whoever would be refused anyway is nobody whom the backend has to hear of
    const admit = (): void => void (this.isAdmitted = true);
    entry.ask("publish", asked, {
      now: admit,
      later: () => {
        admit();
        this.beginAgain();
      },
      refused: (reason) => {
        if (isOwnEdge || !this.waitsFor(reason)) onRefused(reason);
      },
    });
    return this.isAdmitted;
  }

  private begin(): void {
    if (!this.mayBegin() || this.right?.ask() === false || !this.knowsOrigins()) return;
    if (this.right?.isStandby === true) this.standBy(this.right);
    else this.publication = this.publish();
    this.flushEarly();
  }

  /** Whether it need not be asked where to; else it begins again with the answer. */
  private knowsOrigins(): boolean {
    const { hub, asked, connection, onRefused } = this.options;
    const { vhost, request } = asked;
    if (!vhost.cluster.findsOrigin || this.origins !== null) return true;
    const settle = (run: () => void): void => {
      if (!this.isClosed) connection.run(run);
    };
    const found = hub.locator?.origins?.({ vhost: vhost.name, app: request.app, stream: request.stream });
    (found ?? Promise.reject(new DolphinError("REGISTRY_AWAY", "this process has no registry to ask for origins"))).then(
      (origins) =>
        settle(() => {
          this.origins = origins;
          this.beginAgain();
        }),
      (thrown: unknown) => settle(() => onRefused(asDolphinError(thrown))),
    );
    return false;
  }

  private publish(): Publication {
    const { hub, asked, entry, peer, isOwnEdge, tcUrl, clockId, saved, onRefused, onSilent } = this.options;
    const { vhost, request } = asked;
    const { socket } = this.options.connection;
    // An answer of the stream's may end all of it at once.
    this.watch ??= new PublisherWatch({ timeouts: vhost.publish, isPaused: () => socket.isPaused(), onSilent });
    const publisher: Publisher = {
      peer,
      clientId: isOwnEdge ? "" : asked.client.id,
      tcUrl,
      forwards: entry.forwards,
      clockId,
      onStarted: (clock) => this.started(clock),
      onEnded: onRefused,
      pause: () => {
        hub.mergedReads.remove(socket);
        socket.pause();
      },
      resume: () => {
        this.watch?.heard();
        socket.resume();
      },
    };
    return hub.publish(hub.vhost(request.vhost), request, publisher, saved, this.origins);
  }

  private started(clock: Clock | null): void {
    if (!this.isToldToStart) this.options.onStarted(clock);
    this.isToldToStart = true;
  }

  /** He is told to start, as everybody is, and his pictures wait for the end of those whom another box publishes. */
  private standBy(right: Right): void {
    const standby = new Standby(() => {
      try {
        this.publication = this.publish();
        return this.publication;
      } catch (error) {
        this.options.onRefused(asDolphinError(error));
        return null;
      }
    });
    right.whenOnAir = () => standby.due();
    const { connection, asked, onSilent } = this.options;
    this.watch ??= new PublisherWatch({ timeouts: asked.vhost.publish, isPaused: () => connection.socket.isPaused(), onSilent });
    this.publication = standby;
    this.started(null);
  }

  private flushEarly(): void {
    const { early } = this;
    this.early = [];
    this.earlyBytes = 0;
    for (const message of early) this.push(message);
  }

  private rightOf({ hub, asked, saved, onRefused, connection, isOwnEdge }: PublishingOptions): Right | null {
    const { vhost, request } = asked;
    const claims = hub.locator?.claims ?? null;
    if (claims === null || vhost.cluster.mode === "remote" || hub.setup.config.dolphin.registry === null) return null;
    return new Right({
      claims,
      name: { vhost: vhost.name, app: request.app, stream: request.stream },
      underWaySinceMs: saved === null ? null : connection.sinceMs,
      onGranted: () => connection.run(() => this.beginAgain()),
      onRefused: (reason) =>
        connection.run(() => {
          if (isOwnEdge || !this.waitsFor(reason)) onRefused(reason);
        }),
      onSure: () =>
        connection.run(() => {
          connection.socket.resume();
          this.flushEarly();
        }),
    });
  }

  /** Whether the stream is only busy, and is asked again. */
  private waitsFor(error: unknown): boolean {
    if (!(error instanceof DolphinError) || error.code !== "RTMP_BUSY" || this.retriesLeft === 0) return false;
    this.retriesLeft -= 1;
    this.options.connection.socket.pause();
    this.retry.set(busyRetryMs, () => this.options.connection.run(() => this.beginAgain()));
    return true;
  }

  private beginAgain(): void {
    this.options.connection.socket.resume();
    try {
      this.begin();
    } catch (error) {
      if (this.waitsFor(error)) return;
      if (!(error instanceof DolphinError)) throw error;
      this.options.onRefused(error);
    }
  }
}
