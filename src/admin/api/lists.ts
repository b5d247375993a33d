// SRS's lists of vhosts, streams and clients, each also one by one, and the end of a client. They are those of the whole box.
//
//   /vhosts/ /streams/ /clients/   ?start=0&count=10, cut as SRS cuts them; ?vhost=&app=&stream=&ip=&type= say which; `total` how many
import { defaultVhost } from "../../base/host-name.js";
import type { Vhost } from "../../conf/meaning/config.js";
import { streamId, vhostId } from "../../ipc/identity.js";
import { messageOf } from "../../base/errors.js";
import type { StreamStatus } from "../../ipc/streams.js";
import { clientRowOf, streamRowOf, textOf, vhostRowOf, type SeenClient, type SeenStream } from "../box/srs-rows.js";
import { keyOf, type BoxView } from "../box/view.js";
import { codes, replyCode, replyWith, type Asked, type Handler } from "./asked.js";

/** How many a list has unless somebody asks for more. */
const defaultCount = 10;
/** The most that one answer has. */
export const maxListCount = 10_000;

type Row = Readonly<Record<string, unknown>>;

/** Answers `/api/v1/vhosts/`. */
export const listVhosts: Handler = async (asked) => {
  const { view, exchange, id } = asked;
  const [streams, clients, told] = await Promise.all([view.streams(), view.clients(), view.vhosts()]);
  const configured = asked.config().vhosts.filter(({ enabled }) => enabled);
  const known = told === null ? configured.map(({ name }) => name) : told.map(({ row }) => textOf(row, "name"));
  const names = [...new Set([...known, ...streams.map(({ vhost }) => vhost)])];
  const rowOf = (name: string): Row => {
    const here = streams.filter(({ vhost }) => vhost === name);
    const rows = told?.filter(({ row }) => row["name"] === name) ?? [];
    if (rows.length > 0) return vhostRowOf(name, rows, here.length);
    const there = clients.filter(({ vhost }) => vhost === name);
    const hls = configured.find((vhost) => vhost.name === name)?.hls ?? null;
    return vhostRow(name, hls, here, there, view);
  };
  if (id === "")
    return replyPage(
      asked,
      "vhosts",
      names.filter((name) => has(exchange.query, "vhost", name)),
      rowOf,
    );
  const name = names.find((one) => vhostId(one) === id);
  return name === undefined ? replyCode(asked, codes.noVhost) : replyWith(asked, { vhost: rowOf(name) });
};

/** Answers `/api/v1/streams/`. */
export const listStreams: Handler = async (asked) => {
  const { view, exchange, id } = asked;
  const [all, clients] = await Promise.all([view.streams(), view.clients()]);
  const counts = countsOf(clients);
  const rowOf = (stream: SeenStream): Row => streamRow(stream, counts.get(keyOf(stream)) ?? 0, view);
  if (id === "") {
    const { query } = exchange;
    const wanted = all.filter(
      ({ vhost, app, stream }) => has(query, "vhost", vhost) && has(query, "app", app) && has(query, "stream", stream),
    );
    return replyPage(asked, "streams", wanted, rowOf);
  }
  const stream = all.find((one) => streamId(keyOf(one)) === id);
  return stream === undefined ? replyCode(asked, codes.noStream) : replyWith(asked, { stream: rowOf(stream) });
};

/** Answers `/api/v1/clients/`, and sends a client away. */
export const listClients: Handler = async (asked) => {
  const { view, exchange, id, method } = asked;
  if (method === "DELETE") return kick(asked);
  const all = await view.clients();
  const rowOf = (client: SeenClient): Row => clientRow(client, view);
  if (id === "")
    return replyPage(
      asked,
      "clients",
      all.filter((client) => isMeant(client, exchange.query)),
      rowOf,
    );
  const client = all.find((one) => one.id === id);
  return client === undefined ? replyCode(asked, codes.noClient) : replyWith(asked, { client: rowOf(client) });
};

async function kick(asked: Asked): Promise<void> {
  const { view, id, log, exchange } = asked;
  if (id === "") return replyCode(asked, codes.noClient);
  const tell = (status: number): void => {
    const peer = exchange.address;
    log.info({ event: "api.act", act: "kick", client: id, peer, status }, "somebody was to be sent away");
  };
  try {
    const isThere = await view.kick(id);
    tell(isThere ? 200 : 404);
    return isThere ? replyWith(asked, {}) : replyCode(asked, codes.noClient);
  } catch (thrown) {
    tell(503);
    return replyCode(asked, codes.unavailable, messageOf(thrown), 503);
  }
}

function isMeant(client: SeenClient, query: URLSearchParams): boolean {
  const { vhost, app, stream, ip, type } = client;
  return (
    has(query, "vhost", vhost) && has(query, "app", app) && has(query, "stream", stream) && has(query, "ip", ip) && has(query, "type", type)
  );
}

/** Whether a filter lets a value through: it is not given, or is the value, of a vhost or stream also by its id. */
function has(query: URLSearchParams, name: string, value: string): boolean {
  const wanted = query.get(name);
  return wanted === null || wanted === "" || wanted === value || (name === "vhost" && wanted === vhostId(value));
}

/** A part of a list as SRS cuts it: ten from the first on, unless it is said otherwise; what is no number is not said. */
function replyPage<Item>(asked: Asked, name: string, items: readonly Item[], rowOf: (item: Item) => Row): void {
  const { query } = asked.exchange;
  const start = numberIn(query, "start") ?? 0;
  const asks = numberIn(query, "count");
  const count = asks === null || asks < 1 ? defaultCount : Math.min(asks, maxListCount);
  replyWith(asked, { [name]: items.slice(start, start + count).map(rowOf), total: items.length, ...leftOut(asked) });
}

/** Servers that do not answer: the list is without theirs. */
function leftOut({ view: { silent } }: Asked): Row {
  return silent.length === 0 ? {} : { dolphin: { silent } };
}

/** A number of the query; null: none is given. */
export function numberIn(query: URLSearchParams, name: string): number | null {
  const text = query.get(name) ?? "";
  return /^\d+$/.test(text) ? Number(text) : null;
}

function countsOf(clients: readonly SeenClient[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const client of clients) counts.set(keyOf(client), (counts.get(keyOf(client)) ?? 0) + 1);
  return counts;
}

function vhostRow(name: string, hls: Vhost["hls"], streams: readonly StreamStatus[], clients: readonly SeenClient[], view: BoxView): Row {
  const rows = streams.map((stream) => ({ stream, rates: ratesOf(stream, view) }));
  const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return {
    id: vhostId(name),
    name,
    enabled: true,
    clients: clients.length,
    streams: streams.length,
    send_bytes: sum(({ stream }) => stream.bytesOut),
    recv_bytes: sum(({ stream }) => stream.bytesIn),
    kbps: { recv_30s: sum(({ rates }) => rates.recv_30s), send_30s: sum(({ rates }) => rates.send_30s) },
    hls: hls === null ? { enabled: false } : { enabled: true, fragment: hls.fragmentMs / 1000 },
  };
}

function ratesOf(stream: StreamStatus, view: BoxView): { readonly recv_30s: number; readonly send_30s: number } {
  const { recv, send } = view.rates("stream", keyOf(stream), { recv: stream.bytesIn, send: stream.bytesOut }, stream.sinceMs);
  return { recv_30s: recv, send_30s: send };
}

/** SRS's words for codecs, where they are others than ours. */
const codecNames: Readonly<Record<string, string>> = { "H.264": "H264", "H.265": "HEVC", "H.266": "VVC" };

function streamRow(status: SeenStream, clients: number, view: BoxView): Row {
  const { vhost, app, stream, state, source, videoFrames, audioFrames, keyFrameMs, sinceMs } = status;
  const key = keyOf(status);
  const isActive = state !== "wait";
  // What SRS has no words for.
  const dolphin = {
    key,
    state,
    process: source?.process ?? null,
    from: source?.peer ?? null,
    since_ms: sinceMs,
    key_frame_ms: keyFrameMs,
    players: status.players,
    players_of: status.playersOf,
    pulled_by: status.pulledBy,
  };
  if (status.srs !== undefined) return { ...streamRowOf(status, status.srs), dolphin };
  return {
    id: streamId(key),
    name: stream,
    vhost: vhostId(vhost),
    app,
    tcUrl: status.tcUrl,
    url: urlOf(status),
    live_ms: Date.now(),
    clients,
    frames: videoFrames + audioFrames,
    video_frames: videoFrames,
    audio_frames: audioFrames,
    send_bytes: status.bytesOut,
    recv_bytes: status.bytesIn,
    kbps: ratesOf(status, view),
    publish: isActive ? { active: true, cid: status.publisherId === "" ? streamId(`pull ${key}`) : status.publisherId } : { active: false },
    video: isActive && status.video !== "" ? videoRow(status) : null,
    audio: isActive && status.audio !== "" ? audioRow(status) : null,
    dolphin,
  };
}

function videoRow({ video, videoDetails }: StreamStatus): Row {
  const { profile = "", level = "", width = 0, height = 0 } = videoDetails ?? {};
  return { codec: codecNames[video] ?? video, profile, level, width, height };
}

function audioRow({ audio, audioDetails }: StreamStatus): Row {
  const { profile = "", sampleRate = 0, channels = 0 } = audioDetails ?? {};
  return { codec: codecNames[audio] ?? audio, sample_rate: sampleRate, channel: channels, profile };
}

function clientRow(client: SeenClient, view: BoxView): Row {
  const { id, vhost, ip, pageUrl, swfUrl, tcUrl, name, type, sinceMs, bytesIn, bytesOut } = client;
  const dolphin = { key: client.stream === "" ? "" : keyOf(client), process: client.process };
  if (client.srs !== undefined) return { ...clientRowOf(client, client.srs), dolphin };
  const { recv, send } = view.rates("client", id, { recv: bytesIn, send: bytesOut }, sinceMs);
  const isOfStream = client.stream !== ""; // proxies do not always read it
  return {
    id,
    vhost: isOfStream ? vhostId(vhost) : "",
    stream: isOfStream ? streamId(keyOf(client)) : "",
    ip,
    pageUrl,
    swfUrl,
    tcUrl,
    url: isOfStream ? urlOf(client) : "",
    name,
    type,
    publish: type.endsWith("-publish"),
    alive: Math.max(0, Math.round((Date.now() - sinceMs) / 10) / 100),
    send_bytes: bytesOut,
    recv_bytes: bytesIn,
    kbps: { recv_30s: recv, send_30s: send },
    dolphin,
  };
}

/** As SRS writes it: of a named vhost without a slash before it. */
function urlOf({ vhost, app, stream }: { readonly vhost: string; readonly app: string; readonly stream: string }): string {
  return vhost === defaultVhost ? `/${app}/${stream}` : `${vhost}/${app}/${stream}`;
}
