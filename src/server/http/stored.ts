// What is on the disk, over HTTP: the files of http_server and http_static, and among them what packagers have written, which a crowd
// asks for at once. Lists tell who watches: on them hang the rules of a vhost, its sessions, and those who wait for what comes next.
//
//   a path ─ files.ts ─┬─ any file ─▶ piece by piece
//                      ├─ a segment, a key ─▶ hls/hot-files.ts: the same memory for all      (a part that is to come is waited for)
//                      └─ a list ─▶ rules ─▶ hls/sessions.ts: his list of variants, or his list ─▶ hls/list-text.ts
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { basename, join, resolve } from "node:path";
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { masterList } from "../../codec/m3u8.js";
import type { Config, Vhost } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { derived, HotFiles, type FileSource, type HotFile } from "../hls/hot-files.js";
import {
  hasReached,
  isTooFar,
  piecesOf,
  reachOf,
  sessionParameter,
  streamInfOf,
  withoutSkipped,
  type Awaited,
  type Reach,
} from "../hls/list-text.js";
import { HlsSessions, type Session } from "../hls/sessions.js";
import type { CopyToSystem } from "../hls/system-copy.js";
import { checkAccess } from "../peers/access.js";
import { vhostFor } from "../peers/clients.js";
import { clientOf } from "../peers/peer.js";
import type { Hub } from "../streams/hub.js";
import { awaitList, isFromElsewhere } from "./awaited.js";
import { AskedAgain } from "./asked-again.js";
import { answerForbidden, answerStatus, type Headers } from "./answers.js";
import { answerFile, answerHot, etagAt, openFile, placeOf, type FilePlace } from "./files.js";
import { forwardedClient, maxShownChars, pageOf } from "./forwarded.js";
import { isCrowded } from "./entrance.js";
import { cachingOf, guardsOf, isHot, streamOf } from "./packaged.js";
import { splitTarget, vhostName } from "./route.js";

/** Nobody waits longer for a list than so many of its target durations, and for a part than so long. */
const longestWaitTargets = 3;
const partWaitMs = 3_000;
/** Requests of a process that may wait for what comes next. */
export const maxHeldRequests = 20_000;

/** Targets of requests that are remembered with the segments that they led to, and how long each may be. */
export const maxKnownTargets = 10_000;
const longestKnownTarget = 512;

/** Where a segment was found, by a target and a host. */
interface KnownSegment {
  readonly key: string;
  readonly path: string;
  readonly caching: Headers;
  /** Of the viewer that the target names; null: none. */
  readonly session: string | null;
}

/** One request, as far as it is read. */
interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: Headers;
  readonly path: string;
  readonly query: string;
  readonly place: FilePlace;
  readonly vhost: Vhost | null;
  /** The client's address. */
  readonly host: string;
}

/** What is stored, as one process serves it. `close` ends what it watches over. */
export class Stored {
  readonly sessions: HlsSessions;
  readonly again: AskedAgain;
  private readonly hub: Hub;
  private readonly log: Log;
  private readonly hot: HotFiles;
  /** By host and target. */
  private readonly segments = new Map<string, KnownSegment>();
  private segmentsOf: Config | null = null;
  private readonly pieces = new WeakMap<Buffer, readonly string[]>();
  private readonly skipped = new WeakMap<Buffer, HotFile>();
  private readonly reaches = new WeakMap<Buffer, Reach>();
  private heldCount = 0;

  constructor(hub: Hub, log: Log, copyToSystem: CopyToSystem | null) {
    this.hub = hub;
    this.log = log;
    this.hot = new HotFiles(copyToSystem);
    this.sessions = new HlsSessions(hub);
    this.again = new AskedAgain({ hot: this.hot, sessions: this.sessions, config: () => (isCrowded(hub) ? null : hub.setup.config) });
  }

  close(): void {
    this.sessions.close();
  }

  /** Answers at once with a segment that is in memory, and that somebody has asked for by the same target; false: it is to be looked for. */
  answerKnown(request: IncomingMessage, response: ServerResponse, headers: Headers): boolean {
    if (this.segmentsOf !== this.hub.setup.config) return false;
    const known = this.segments.get(targetOf(request));
    const file = known === undefined ? null : this.hot.known(known.key);
    if (known === undefined || file === null) return false;
    const session = known.session === null ? null : this.sessions.find(known.session);
    if (session !== null) this.sessions.count(session, file.sizeBytes);
    this.answerSegment(request, response, { ...headers, ...known.caching }, { ...known, file });
    return true;
  }

  /** Answers with a file, once everything before is answered; false: there is none. */
  async answer(request: IncomingMessage, response: ServerResponse, headers: Headers): Promise<boolean> {
    const { config } = this.hub.setup;
    if (response.socket === null) await once(response, "socket");
    try {
      const [path, query] = splitTarget(request.url ?? "/");
      const vhost = vhostFor(vhostName(request.headers.host ?? "", query), config.vhosts);
      const { host } = forwardedClient(request.headers, clientOf(request.socket), this.hub.trusted);
      for (const guard of guardsOf(path, vhost, config.vhosts)) checkAccess(guard, { does: "play", host, page: pageOf(request.headers) });
      const place = placeOf(path, vhost, config.httpDir);
      const asked: Asked = { request, response, headers: { ...headers, ...cachingOf(path, vhost) }, path, query, place, vhost, host };
      return await this.file(asked);
    } catch (thrown) {
      if (!(thrown instanceof DolphinError)) throw thrown;
      if (thrown.code !== "RTMP_DENIED") return false; // a name that is none
      answerForbidden(response, headers);
      return true;
    }
  }

  private async file(asked: Asked): Promise<boolean> {
    const { request, response, headers, path, place, vhost, query } = asked;
    if (!isHot(path)) return answerFile(request, response, headers, place);
    if (/\.m3u8$/i.test(path)) return this.list(asked);
    const file = (await this.look(place)) ?? (await this.partToCome(asked));
    if (file === null) return answerFile(request, response, headers, place); // too large to be kept, or not there
    const id = vhost?.hls?.hasSessions === true && query !== "" ? HlsSessions.idIn(query, sessionParameter) : null;
    const session = id === null ? null : this.sessions.find(id);
    if (session !== null) this.sessions.count(session, file.sizeBytes);
    const known = { key: keyOf(place), path, caching: cachingOf(path, vhost), session: id };
    this.remember(request, known);
    this.answerSegment(request, response, headers, { ...known, file });
    return true;
  }

  private answerSegment(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Headers,
    found: KnownSegment & { file: HotFile },
  ): void {
    const { file, path } = found;
    const isWhole = answerHot(request, response, headers, { file, path, body: file.bytes });
    if (isWhole && request.method === "GET") this.again.learn(response, found);
  }

  /** Who asks by the same target is led to the same place, as long as the configuration is this one. */
  private remember(request: IncomingMessage, known: KnownSegment): void {
    const { config } = this.hub.setup;
    const target = targetOf(request);
    if (target.length > longestKnownTarget || !/\.(?:ts|m4s)$/i.test(known.path)) return;
    if (this.segmentsOf !== config || this.segments.size >= maxKnownTargets) this.segments.clear();
    this.segmentsOf = config;
    this.segments.set(target, known);
  }

  private async list(asked: Asked): Promise<boolean> {
    const { request, response, headers, path, query, place, vhost } = asked;
    const stream = vhost?.hls?.hasSessions === true ? streamOf(resolve(join(place.folder, place.path)), vhost) : null;
    const id = HlsSessions.idIn(query, sessionParameter);
    const enter = (): Promise<Session | null> | "none" =>
      stream !== null && vhost !== null ? this.enter(asked, vhost, stream, id) : "none";
    // For whom nothing is pulled before the site has let him in; else nobody is asked about before there is something to see.
    const isAskedFirst = vhost !== null && isFromElsewhere(vhost) && vhost.hooks.on_play.length > 0;
    const before = isAskedFirst ? await enter() : "none";
    if (before === null) return true;
    await awaitList(this.hub, vhost, { path, query: withoutSession(query) }, place);
    let file = await this.look(place);
    // It may have come since, and is given to nobody past his session.
    if (file === null) return stream === null && answerFile(request, response, headers, place);
    const entered = before === "none" ? await enter() : before;
    if (entered === null) return true;
    const session = entered === "none" ? null : entered;
    if (session !== null && id === null) {
      const text = masterList(streamInfOf(file.bytes.toString()), variantUri(path, query, session.id));
      this.sessions.count(session, text.length);
      await this.send(asked, derived(file, text), { "Cache-Control": "no-cache" });
      return true;
    }
    const isWaitedFor = (vhost?.hls?.partMs ?? null) !== null;
    const awaited = isWaitedFor ? awaitedIn(query) : null;
    if (awaited === "malformed") {
      answerStatus(response, headers, 400, "Bad Request");
      return true;
    }
    if (awaited !== null) {
      const reached = await this.reached(asked, file, awaited);
      if (typeof reached === "number") {
        if (reached > 0) answerStatus(response, headers, reached, reached === 400 ? "Bad Request" : "Service Unavailable");
        return true;
      }
      file = reached;
    }
    if (isWaitedFor && /(?:^|&)_HLS_skip=(?:YES|v2)(?:&|$)/.test(query)) file = this.withoutSkipped(file);
    if (session !== null && vhost?.hls?.segmentsHaveSession === true) file = derived(file, this.piecesOf(file).join(session.id));
    if (session !== null) this.sessions.count(session, file.sizeBytes);
    await this.send(asked, file, awaited === null ? {} : { "Cache-Control": "max-age=60" });
    return true;
  }

  /** Null: he was answered that he may not. */
  private async enter(asked: Asked, vhost: Vhost, stream: { readonly app: string; readonly stream: string }, id: string | null) {
    const { request, response, headers, path, query, host } = asked;
    const { host: hostName = "" } = request.headers;
    const params = withoutSession(query);
    const viewer = {
      vhost,
      asked: vhostName(hostName, query),
      ...stream,
      params: params === "" ? "" : `?${params}`,
      ip: host,
      page: pageOf(request.headers),
      tcUrl: `http://${hostName}/${stream.app}`.slice(0, maxShownChars),
      name: basename(path),
    };
    if (id !== null && this.sessions.isKicked(id)) {
      answerStatus(response, headers, 404, `HLS stream ${id} is EOF`);
      return null;
    }
    const entered = await this.sessions.enter(id, viewer);
    if (!(entered instanceof DolphinError)) return response.destroyed ? null : entered;
    const { code, message } = entered;
    const peer = formatEndpoint(forwardedClient(request.headers, clientOf(request.socket), this.hub.trusted));
    this.log.warn({ event: "http.refused", code, peer, vhost: vhost.name, ...stream }, message);
    if (!response.destroyed) answerForbidden(response, headers);
    return null;
  }

  private async send(asked: Asked, file: HotFile, more: Headers): Promise<void> {
    const { request, response, headers, path } = asked;
    const isZipped = /\bgzip\b/i.test(request.headers["accept-encoding"] ?? "");
    const body = isZipped ? await this.hot.zip(file) : file.bytes;
    const told = { ...headers, ...more, Vary: "Accept-Encoding", ...(isZipped ? { "Content-Encoding": "gzip" } : {}) };
    const etag = isZipped ? file.etag.replace(/"$/, '-z"') : file.etag;
    const copy = isZipped ? null : (file.copy ?? null);
    answerHot(request, response, told, { file: { ...file, etag, sizeBytes: body.length, copy }, path, body });
  }

  private look(place: FilePlace): Promise<HotFile | null> {
    return this.hot.get(keyOf(place), sourceAt(place));
  }

  /** The list when it has got so far; the status that is answered where it has not in time, or is not to; 0: he has left. */
  private async reached(asked: Asked, first: HotFile, awaited: Awaited): Promise<HotFile | number> {
    const reach = this.reachOf(first);
    if (isTooFar(reach, awaited)) return 400;
    const untilMs = performance.now() + longestWaitTargets * reach.targetMs;
    const found = await this.held(asked, untilMs, first, (file) => hasReached(this.reachOf(file), awaited));
    return found ?? (asked.response.destroyed ? 0 : 503);
  }

  /** A part that players are told of before it is there. */
  private async partToCome(asked: Asked): Promise<HotFile | null> {
    if ((asked.vhost?.hls?.partMs ?? null) === null || !/\.part\d+\.m4s$/.test(asked.path)) return null;
    return this.held(asked, performance.now() + partWaitMs, null, () => true);
  }

  /** Waits for a version that will do, while the viewer is there and not too many wait. */
  private async held(
    { place, response }: Asked,
    untilMs: number,
    first: HotFile | null,
    willDo: (file: HotFile) => boolean,
  ): Promise<HotFile | null> {
    let file = first;
    if (file !== null && willDo(file)) return file;
    if (this.heldCount >= maxHeldRequests) return null;
    this.heldCount += 1;
    try {
      while (performance.now() < untilMs && !response.destroyed) {
        file = await this.hot.change(keyOf(place), sourceAt(place), file);
        if (file !== null && willDo(file)) return file;
      }
      return null;
    } finally {
      this.heldCount -= 1;
    }
  }

  private reachOf({ bytes }: HotFile): Reach {
    const known = this.reaches.get(bytes) ?? reachOf(bytes.toString());
    this.reaches.set(bytes, known);
    return known;
  }

  private piecesOf({ bytes }: HotFile): readonly string[] {
    const known = this.pieces.get(bytes) ?? piecesOf(bytes.toString());
    this.pieces.set(bytes, known);
    return known;
  }

  private withoutSkipped(file: HotFile): HotFile {
    const known = this.skipped.get(file.bytes) ?? derived(file, withoutSkipped(file.bytes.toString()));
    this.skipped.set(file.bytes, known);
    return known;
  }
}

function targetOf({ headers, url = "/" }: IncomingMessage): string {
  return `${headers.host ?? ""}\n${url}`;
}

/** By what a file is known among those in memory. */
function keyOf({ folder, path }: FilePlace): string {
  return `${folder}\0${path}`;
}

function sourceAt(place: FilePlace): FileSource {
  return { etag: () => etagAt(place), open: () => openFile(place) };
}

/** What a request waits for; null: nothing. */
function awaitedIn(query: string): Awaited | "malformed" | null {
  const params = new URLSearchParams(query);
  const [segment, part] = [params.get("_HLS_msn"), params.get("_HLS_part")];
  if (segment === null) return part === null ? null : "malformed";
  if (!/^\d{1,15}$/.test(segment) || (part !== null && !/^\d{1,9}$/.test(part))) return "malformed";
  return { segment: Number(segment), part: part === null ? null : Number(part) };
}

/** The list of segments beside the one of variants, with what was asked for behind the session's name. */
function variantUri(path: string, query: string, id: string): string {
  const rest = withoutSession(query);
  return `${encodeURIComponent(basename(path))}?${sessionParameter}=${id}${rest === "" ? "" : `&${rest}`}`;
}

function withoutSession(query: string): string {
  return query
    .split("&")
    .filter((one) => one !== "" && !one.startsWith(`${sessionParameter}=`) && !one.startsWith("_HLS_"))
    .join("&")
    .replaceAll(/[\s"<>]/g, encodeURIComponent);
}
