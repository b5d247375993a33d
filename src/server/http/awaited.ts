// Lists of HLS at an origin of a cluster: what another origin has is pulled while somebody asks for its list, so that the packager here
// writes it, and whoever asks first waits for the first list. What is published to this box is here anyway.
//
//   GET s.m3u8 ─▶ published here? ─ yes ─▶ the file, or none
//                   └─ no ─▶ held for half a minute from the last request: pulled, packaged ─▶ the file, once it is there
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { Consumer } from "../../stream/fanout.js";
import type { Hub } from "../streams/hub.js";
import { keyOf } from "../streams/live-stream.js";
import type { FilePlace } from "./files.js";

/** How long a stream is held after the last request for its list. */
const holdMs = 30_000;
/** How long it is believed that a stream is published here, or nowhere. */
const believedMs = 5_000;
/** Streams that one process holds for HLS. */
const maxHeld = 1_000;
const lookEveryMs = 200;

/** What is held in a process, each with the timer of its end, and what need not be, by hub. */
const holds = new WeakMap<Hub, Map<string, NodeJS.Timeout>>();
const believed = new WeakMap<Hub, Set<string>>();

/** Resolves when the list at this place may be looked for; at once for everything but lists of other origins' streams. */
export async function awaitList(hub: Hub, vhost: Vhost | null, path: string, place: FilePlace): Promise<void> {
  if (vhost === null || vhost.hls === null || !vhost.cluster.isInOriginCluster || !path.endsWith(".m3u8")) return;
  const request = streamOfList(path, vhost);
  if (request === null || !(await hold(hub, vhost, request))) return;
  const until = performance.now() + hub.setup.config.dolphin.flvWaitMs;
  const file = join(place.folder, place.path);
  while (!(await isThere(file)) && performance.now() < until) await sleep(lookEveryMs);
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

/** Holds a stream that another origin has; false: there is nothing to hold. */
async function hold(hub: Hub, vhost: Vhost, request: StreamRequest): Promise<boolean> {
  const key = keyOf(vhost, request);
  const held = holds.get(hub) ?? new Map<string, NodeJS.Timeout>();
  const known = believed.get(hub) ?? new Set<string>();
  holds.set(hub, held);
  believed.set(hub, known);
  const before = held.get(key);
  if (before !== undefined) {
    before.refresh();
    return true;
  }
  if (hub.has(key) || known.has(key) || held.size >= maxHeld) return false;
  const { isHere, servers } = await hub.locate(vhost, request, AbortSignal.timeout(holdMs)).catch(() => ({ isHere: false, servers: [] }));
  if (isHere || servers.length === 0) {
    if (known.size < maxHeld) known.add(key);
    setTimeout(() => known.delete(key), believedMs).unref();
    return false;
  }
  if (!held.has(key))
    held.set(
      key,
      take(hub, vhost, request, () => void held.delete(key)),
    );
  return true;
}

/** A seat of nobody's, which makes the stream wanted. */
function take(hub: Hub, vhost: Vhost, request: StreamRequest, over: () => void): NodeJS.Timeout {
  const nobody: Consumer = { backlogBytes: 0, send: () => undefined, drop: () => undefined, onLive: () => undefined };
  const source = hub.source(vhost, request);
  const seat = source.add("rtmp", nobody);
  const leave = (): void => {
    over();
    source.remove("rtmp", seat);
  };
  return setTimeout(leave, holdMs).unref();
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null;
}
