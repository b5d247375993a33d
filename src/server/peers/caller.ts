// What a client has told of itself and been told before it has a stream: `connect` and the calls behind it. Plain data, which
// goes along when the connection moves to another process.
import { differing } from "../../codec/differing.js";
import { asObject, type AmfObject, type AmfValue } from "../../codec/rtmp/amf0.js";
import { askedClock, toldSeen } from "../../codec/rtmp/clock.js";
import { isPackager, isPatient } from "../../codec/rtmp/watch.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { ServerSetup } from "../../ipc/messages.js";
import type { Client } from "./clients.js";
import { hopsOf, viaOf } from "./via.js";

/** Of a page's or a player's address, which is kept only to be shown. */
const maxUrlChars = 512;

/** One connection's client, as its session knows it. */
export interface Caller {
  tcUrl: string;
  app: string;
  /** The page and the player that it says it is in. */
  pageUrl: string;
  swfUrl: string;
  /** The places that what it gives or asks for has come through: see via.ts. */
  via: readonly string[];
  /** How often the boxes of a site have passed on what it asks for. */
  hops: number;
  /** The name of the own edge that this is; null for everybody else. */
  edgeName: string | null;
  /** Whether it is another server, which passes on what it plays. */
  isServer: boolean;
  /** Whether it goes to another server where one is named. */
  follows: boolean;
  /** What that edge tells of the clock of a stream that it publishes (clock.ts); null: it leaves the time to us. */
  clockId: number | null;
  /** Whether it packages what it plays, and misses nothing of it: it is given what is kept of the stream. */
  isPackager: boolean;
  /** Whether such a one takes the stream in large pieces. */
  isPatient: boolean;
  /** How far that edge's viewers have seen a stream that it plays (ms); null: nobody has. */
  seenMs: number | null;
  /** What it was told as our chunk size, in bytes; 0: nothing yet. */
  chunkSize: number;
  /** The message streams that it has been given and has not given back. */
  streams: readonly number[];
  /** Whether it publishes as FMLE does (ffmpeg, OBS) and waits for the notices of that way. */
  isFmle: boolean;
}

/** A publish or play that may begin. */
export interface Asked {
  /** The stream as the command names it. */
  readonly name: string;
  readonly request: StreamRequest;
  readonly vhost: Vhost;
  readonly client: Client;
}

/** What a caller has told, as JSON: without what is as in one who has said nothing. */
export type SavedCaller = Partial<Caller>;

/** One who has said nothing. */
export function newCaller(): Caller {
  return {
    tcUrl: "",
    app: "",
    pageUrl: "",
    swfUrl: "",
    via: [],
    hops: 0,
    edgeName: null,
    isServer: false,
    follows: false,
    clockId: null,
    isPackager: false,
    isPatient: false,
    seenMs: null,
    chunkSize: 0,
    streams: [],
    isFmle: false,
  };
}

/** Takes what `connect` tells. An edge of this box is who knows the secret that the master gave to all. */
export function introduce(caller: Caller, args: readonly AmfValue[], { edgeKey, isEdge }: ServerSetup): void {
  const properties = asObject(args[0]);
  caller.tcUrl = text(properties?.["tcUrl"]);
  caller.app = text(properties?.["app"]);
  caller.pageUrl = text(properties?.["pageUrl"]).slice(0, maxUrlChars);
  caller.swfUrl = text(properties?.["swfUrl"]).slice(0, maxUrlChars);
  const members = asObject(args[1]);
  caller.via = viaOf(members);
  caller.hops = hopsOf(members);
  caller.isServer = isServer(properties?.["flashVer"], members);
  caller.follows = followsRedirects(properties, members);
  if (isEdge || edgeKey === "" || members?.["dolphin_edge"] !== edgeKey) return;
  caller.edgeName = text(members["dolphin_name"]);
  caller.clockId = askedClock(members);
  caller.isPackager = isPackager(members);
  caller.isPatient = caller.isPackager && isPatient(members);
  caller.seenMs = toldSeen(members);
}

const silent = newCaller();

/** Writes one down. */
export function saveCaller(caller: Caller): SavedCaller {
  return differing(caller, silent);
}

/** The stream that a caller means by a name. Throws as `resolveStream` does. */
export function requestOf({ tcUrl, app, via, hops }: Caller, name: string): StreamRequest {
  const request = resolveStream(tcUrl, app, name);
  if (via.length === 0 && hops === 0) return request;
  return { ...request, ...(via.length === 0 ? {} : { via }), ...(hops > 0 ? { hops } : {}) };
}

/** Edges of SRS and of ours say so; a relay of nginx-rtmp is known by the player that it claims to be, and nobody else does. */
function isServer(flashVer: AmfValue, members: AmfObject | null): boolean {
  return typeof members?.["srs_pid"] === "number" || flashVer === "LNX.11,1,102,55";
}

/** Edges of SRS and ours tell who they are, and Flash players have a page's file; what ffmpeg, librtmp and OBS say is neither. */
function followsRedirects(properties: AmfObject | null, members: AmfObject | null): boolean {
  if (typeof members?.["srs_pid"] === "number") return true;
  return /^(WIN|MAC) \d/.test(text(properties?.["flashVer"])) && /^https?:/i.test(text(properties?.["swfUrl"]));
}

function text(value: AmfValue): string {
  return typeof value === "string" ? value : "";
}
