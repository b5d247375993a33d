// Lists of HLS of streams that are published elsewhere, at an edge of a far origin or at an origin of a cluster: a stream is pulled while
// somebody asks for its list, so that the packager here writes it, and whoever asks first waits for a list. What is published to this box
// is here anyway.
//
//   GET s.m3u8 ─▶ published here? ─ yes ─▶ the file, or none
//                   └─ no ─▶ held for half a minute from the last request: pulled, packaged ─▶ the file, once it is there
//                              └─ nothing comes ─▶ let go, and not asked for again for a moment ─▶ none
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { HlsBlock } from "../../conf/meaning/recording.js";
import type { Consumer } from "../../stream/fanout.js";
import type { Source } from "../../stream/source.js";
import type { Hub } from "../streams/hub.js";
import { keyOf } from "../streams/live-stream.js";
import type { FilePlace } from "./files.js";

/** How long a stream is held after the last request for its list, and how long a list of what flows is waited for. */
export const hlsHoldMs = 30_000;
/** How long it is believed that a stream is published here, or nowhere. */
const believedMs = 5_000;
/** Streams that one process holds for HLS, those included of which nothing has come yet. */
export const maxHlsHolds = 1_000;
const lookEveryMs = 200;

/** A stream that is held for the players of its list. */
interface Hold {
  /** Somebody asks again. */
  readonly prolong: () => void;
  /** Resolves when there is a list of what flows now, or none will come. */
  readonly listed: Promise<void>;
}

/** What is held in a process, and what need not be, by hub. */
const holds = new WeakMap<Hub, Map<string, Hold>>();
const believed = new WeakMap<Hub, Set<string>>();

/** Resolves when the list at this place may be looked for; at once for everything but lists of streams that are published elsewhere. */
export async function awaitList(
  hub: Hub,
  vhost: Vhost | null,
  asked: { readonly path: string; readonly query: string },
  place: FilePlace,
): Promise<void> {
  if (vhost === null || vhost.hls === null || !isFromElsewhere(vhost) || !asked.path.endsWith(".m3u8")) return;
  const request = streamOfList(asked.path, vhost);
  if (request === null) return;
  // Parameters go upstream with the pull, as those of other players.
  const { params } = resolveStream("rtmp://host/app", "", `stream?${asked.query}`);
  const held = await hold(hub, vhost, { ...request, params }, join(place.folder, place.path), vhost.hls);
  await held?.listed;
}

/** Whether streams of a vhost may be published elsewhere, and are pulled for those who ask for their lists. */
export function isFromElsewhere({ cluster }: Vhost): boolean {
  return cluster.isOnDemand || cluster.isInOriginCluster;
}

/** The stream that a list is of, by the name that its vhost gives to lists; null: it is none. */
export function streamOfList(path: string, { name, hls }: Pick<Vhost, "name" | "hls">): StreamRequest | null {
  if (hls === null) return null;
  const names: Readonly<Record<string, string>> = { "[app]": "(?<app>.+)", "[stream]": "(?<stream>[^/]+)" };
  const parts = hls.listFile.replace(/^\/+/, "").split(/(\[[^\]]*\])/);
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = parts.map((part) => names[part] ?? literal(part === "[vhost]" ? name : part)).join("");
  const { app, stream } = new RegExp(`^/${pattern}$`).exec(path)?.groups ?? {};
  return app === undefined || stream === undefined ? null : { vhost: name, app, stream, params: "" };
}

/** Holds a stream that is published elsewhere; null: there is nothing to hold. */
async function hold(hub: Hub, vhost: Vhost, request: StreamRequest, file: string, hls: HlsBlock): Promise<Hold | null> {
  const key = keyOf(vhost, request);
  const held = holds.get(hub) ?? new Map<string, Hold>();
  const known = believed.get(hub) ?? new Set<string>();
  holds.set(hub, held);
  believed.set(hub, known);
  const believe = (): void => {
    if (known.size < maxHlsHolds) known.add(key);
    setTimeout(() => known.delete(key), believedMs).unref();
  };
  const prolonged = (): Hold | null => {
    const found = held.get(key) ?? null;
    found?.prolong();
    return found;
  };
  const before = prolonged();
  if (before !== null || hub.has(key) || known.has(key) || held.size >= maxHlsHolds) return before;
  if (vhost.cluster.isInOriginCluster && !(await isElsewhere(hub, vhost, request))) {
    believe();
    return null;
  }
  const meanwhile = prolonged();
  if (meanwhile !== null) return meanwhile;
  const source = hub.source(vhost, request);
  const seat = source.add("rtmp", nobody());
  let end: NodeJS.Timeout | undefined;
  const leave = (): void => {
    clearTimeout(end);
    if (held.get(key) === one) held.delete(key);
    source.remove("rtmp", seat);
  };
  const one: Hold = {
    prolong() {
      clearTimeout(end);
      end = setTimeout(leave, hlsHoldMs).unref();
    },
    listed: waitForList(source, file, hls, hub.setup.config.dolphin.flvWaitMs).then((flows) => {
      if (flows || held.get(key) !== one) return;
      leave();
      believe();
    }),
  };
  one.prolong();
  held.set(key, one);
  return one;
}

async function isElsewhere(hub: Hub, vhost: Vhost, request: StreamRequest): Promise<boolean> {
  const located = await hub.locate(vhost, request, AbortSignal.timeout(hlsHoldMs)).catch(() => null);
  return located !== null && !located.isHere && located.servers.length > 0;
}

/** Who takes a seat for players of HLS, which makes the stream wanted. */
function nobody(): Consumer {
  return { backlogBytes: 0, send: () => undefined, drop: () => undefined, onLive: () => undefined };
}

/** Resolves when the list is one of what flows now, or not in time; false: nothing flows. */
async function waitForList(source: Source, file: string, hls: HlsBlock, patienceMs: number): Promise<boolean> {
  const begunMs = performance.now();
  const livingMs = 3 * hls.fragmentMs * hls.tdRatio;
  while (!(await isWritten(file, livingMs))) {
    if (performance.now() - begunMs >= (source.isLive ? hlsHoldMs : patienceMs)) return source.isLive;
    await sleep(lookEveryMs);
  }
  return true;
}

/** Whether a list is there that was written not longer ago than one of a stream that flows. */
async function isWritten(file: string, livingMs: number): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs < livingMs;
}
