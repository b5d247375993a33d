// Rows of the lists of unmodified srs, as one list of the box: each keeps all that its server said and gets names that are unique over all
// of them. Clients are known by their server's name and the id that they have there; streams and vhosts by what they are called, as
// everywhere else in the box: a srs makes their ids up anew at each start, and several may have the same stream. Pure.
import { defaultVhost } from "../../base/host-name.js";
import { streamId, vhostId } from "../../ipc/identity.js";
import type { BoxClient } from "../../ipc/lists.js";
import type { StreamReport } from "../../ipc/messages.js";
import { mergeStreams, type StreamStatus } from "../../ipc/streams.js";

/** What a srs said of one thing. */
export type SrsRow = Readonly<Record<string, unknown>>;

/** And which. */
export interface ServerRow {
  readonly server: string;
  readonly row: SrsRow;
}

/** A client of whom a srs has told `srs`. */
export interface SeenClient extends BoxClient {
  readonly srs?: SrsRow;
}

/** A stream of which some srs have told `srs`, whoever has its publisher first. */
export interface SeenStream extends StreamStatus {
  readonly srs?: readonly ServerRow[];
}

/** A client's id in the box, of his server's name and his id there. Names of servers have no dot. */
export function boxId(server: string, id: string): string {
  return `${server}.${id}`;
}

/** The same taken apart; null: it names no server. */
export function partsOfId(id: string): { readonly server: string; readonly own: string } | null {
  const at = id.indexOf(".");
  return at < 1 || at === id.length - 1 ? null : { server: id.slice(0, at), own: id.slice(at + 1) };
}

/** All clients, each once. */
export function seenClients(rows: readonly ServerRow[], nowMs: number): SeenClient[] {
  const found = new Map<string, SeenClient>();
  for (const one of rows) {
    const client = clientOf(one, nowMs);
    found.set(client.id, client); // pages may overlap while people come and go
  }
  return [...found.values()];
}

/** All streams, each once. */
export function seenStreams(rows: readonly ServerRow[], clients: readonly SeenClient[]): SeenStream[] {
  const byId = new Map(clients.map((client) => [client.id, client]));
  const players = new Map<string, number>();
  for (const client of clients) {
    const at = `${client.process} ${keyOf(client)}`;
    if (client.srs?.["publish"] !== true) players.set(at, (players.get(at) ?? 0) + 1);
  }
  const byKey = new Map<string, ServerRow[]>();
  const byServer = new Map<string, Map<string, StreamReport>>();
  for (const one of rows) {
    const key = keyOf(namesIn(one.row));
    const publisher = byId.get(publisherOf(one) ?? "") ?? null;
    const report = reportOf(one, players.get(`${one.server} ${key}`) ?? 0, publisher);
    byServer.set(one.server, (byServer.get(one.server) ?? new Map<string, StreamReport>()).set(key, report));
    const same = (byKey.get(key) ?? []).filter(({ server }) => server !== one.server);
    byKey.set(key, publisherOf(one) === null ? [...same, one] : [one, ...same]);
  }
  const reports = Array.from(byServer, ([name, streams]) => ({ name, duty: "server", streams: [...streams.values()] }));
  return mergeStreams(reports).map((stream) => Object.assign({ srs: byKey.get(keyOf(stream)) ?? [] }, stream));
}

/** A client's row as the box answers it. */
export function clientRowOf(client: SeenClient, srs: SrsRow): SrsRow {
  return { ...srs, id: client.id, vhost: vhostId(client.vhost), stream: streamId(keyOf(client)) };
}

/** A stream's: clients, bytes and rates added up, everything else as the one says that has its publisher. */
export function streamRowOf(stream: SeenStream, rows: readonly ServerRow[]): SrsRow {
  const [first] = rows;
  const cid = first === undefined ? null : publisherOf(first);
  return {
    ...first?.row,
    id: streamId(keyOf(stream)),
    vhost: vhostId(stream.vhost),
    ...addedUp(rows),
    publish: cid === null ? { active: false } : { active: true, cid },
  };
}

/** A vhost's; `streams`: how many it has in the box, each once. */
export function vhostRowOf(name: string, rows: readonly ServerRow[], streams: number): SrsRow {
  return { ...rows[0]?.row, id: vhostId(name), ...addedUp(rows), streams };
}

/** What adds up of streams and vhosts. */
function addedUp(rows: readonly ServerRow[]): SrsRow {
  const sum = (of: (row: SrsRow) => number): number => rows.reduce((total, { row }) => total + of(row), 0);
  return {
    clients: sum((row) => numberOf(row, "clients")),
    send_bytes: sum((row) => numberOf(row, "send_bytes")),
    recv_bytes: sum((row) => numberOf(row, "recv_bytes")),
    kbps: {
      recv_30s: sum((row) => numberOf(memberOf(row, "kbps"), "recv_30s")),
      send_30s: sum((row) => numberOf(memberOf(row, "kbps"), "send_30s")),
    },
  };
}

/** The id in the box of whoever publishes, or of the pull; null: nobody. */
function publisherOf({ server, row }: ServerRow): string | null {
  const publish = memberOf(row, "publish");
  return publish["active"] === true ? boxId(server, textOf(publish, "cid")) : null;
}

function clientOf({ server, row }: ServerRow, nowMs: number): SeenClient {
  return {
    id: boxId(server, textOf(row, "id")),
    process: server,
    ...namesIn(row),
    type: textOf(row, "type"),
    ip: textOf(row, "ip"),
    tcUrl: textOf(row, "tcUrl"),
    pageUrl: textOf(row, "pageUrl"),
    swfUrl: textOf(row, "swfUrl"),
    name: textOf(row, "name"),
    sinceMs: Math.round(nowMs - 1000 * numberOf(row, "alive")),
    bytesIn: numberOf(row, "recv_bytes"),
    bytesOut: numberOf(row, "send_bytes"),
    srs: row,
  };
}

function reportOf(one: ServerRow, players: number, publisher: SeenClient | null): StreamReport {
  const { row } = one;
  const [video, audio] = [memberOf(row, "video"), memberOf(row, "audio")];
  const isActive = publisherOf(one) !== null;
  return {
    ...namesIn(row),
    state: isActive ? "publish" : "wait",
    from: publisher?.ip ?? "",
    players,
    edges: 0,
    video: textOf(video, "codec"),
    audio: textOf(audio, "codec"),
    bytesIn: numberOf(row, "recv_bytes"),
    bytesOut: numberOf(row, "send_bytes"),
    publisherId: publisher?.id ?? "",
    tcUrl: textOf(row, "tcUrl"),
    sinceMs: publisher?.sinceMs ?? null,
    videoFrames: numberOf(row, "video_frames"),
    audioFrames: numberOf(row, "audio_frames"),
    keyFrameMs: null,
    videoDetails:
      textOf(video, "codec") === ""
        ? null
        : {
            profile: textOf(video, "profile"),
            level: textOf(video, "level"),
            width: numberOf(video, "width"),
            height: numberOf(video, "height"),
          },
    audioDetails:
      textOf(audio, "codec") === ""
        ? null
        : { profile: textOf(audio, "profile"), sampleRate: numberOf(audio, "sample_rate"), channels: numberOf(audio, "channel") },
  };
}

/** Of `/app/stream`, as a srs writes what is of the default vhost, or `vhost/app/stream`. */
function namesIn(row: SrsRow): { readonly vhost: string; readonly app: string; readonly stream: string } {
  const [vhost = "", ...names] = textOf(row, "url").split("/");
  const stream = names.pop() ?? "";
  return { vhost: vhost === "" ? defaultVhost : vhost, app: names.join("/"), stream };
}

function keyOf({ vhost, app, stream }: { readonly vhost: string; readonly app: string; readonly stream: string }): string {
  return `${vhost}/${app}/${stream}`;
}

/** A member that is an object; an empty one where it is none. */
export function memberOf(row: SrsRow, name: string): SrsRow {
  const value = row[name];
  return typeof value === "object" && value !== null ? (value as SrsRow) : {};
}

/** 0 where it is no number. */
export function numberOf(row: SrsRow, name: string): number {
  const value = row[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

/** Ids of early srs are numbers. Empty where it is neither. */
export function textOf(row: SrsRow, name: string): string {
  const value = row[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
