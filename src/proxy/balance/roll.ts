// Who is connected through this proxy, for whoever asks where the servers are another program that tells nothing: clients, with the stream
// that each has named where the proxy reads so far, and the streams that these make. Told page by page as servers of ours do it; nothing
// is counted here that the connections do not count themselves.
import { pageRows, type ClientReport, type Listed, type ListPage } from "../../ipc/lists.js";
import type { StreamReport, Whom } from "../../ipc/messages.js";

/** A client as his connection knows him. */
export interface OnRoll {
  /** Names the connection in the whole box, wherever it is carried to. */
  readonly id: string;
  /** Null: nobody yet; he has asked for nothing. */
  describe(): Described | null;
  /** Ends the connection. */
  dismiss(why: string): void;
}

export interface Described {
  /** What he asks for, `vhost/app/stream`, and whether he publishes it; null: the proxy does not read that. */
  readonly asks: Asks | null;
  readonly protocol: "rtmp" | "flv";
  /** His address and port, as lines of the log have them. */
  readonly peer: string;
  /** Since 1970. */
  readonly sinceMs: number;
  /** From him, and to him. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface Asks {
  readonly key: string;
  readonly what: "publish" | "play";
}

/** SRS's word for a client of whom it is not known what he is. */
const unknownType = "Unknown";

/** All connections of one proxy, in the order in which they came. */
export class Roll {
  private readonly entries = new Map<number, OnRoll>();
  private lastOrder = 0;

  /** Returns what takes it out again. */
  add(entry: OnRoll): () => void {
    const order = ++this.lastOrder;
    this.entries.set(order, entry);
    return () => void this.entries.delete(order);
  }

  /** The rows behind the one of this order. */
  list(what: Listed, after: number): ListPage {
    const rows = what === "clients" ? this.clients(after) : this.streams(after);
    const next = rows.length < pageRows ? null : (rows.at(-1)?.order ?? null);
    return { rows: rows.map(({ report }) => JSON.stringify(report)).join(","), next };
  }

  /** Gives how many it has sent away. */
  kick(whom: Whom): number {
    const meant = [...this.entries.values()].filter((entry) => {
      if ("client" in whom) return entry.id === whom.client;
      return entry.describe()?.asks?.key === whom.stream;
    });
    for (const entry of meant) entry.dismiss("an operator has ended it");
    return meant.length;
  }

  get size(): number {
    return this.entries.size;
  }

  /** The first who have come, and publishers last: they have viewers. */
  sendAway(count: number, why: string): void {
    const publishers: OnRoll[] = [];
    let more = count;
    for (const entry of this.entries.values()) {
      if (more === 0) return;
      if (entry.describe()?.asks?.what === "publish") {
        publishers.push(entry);
        continue;
      }
      entry.dismiss(why);
      more -= 1;
    }
    for (const entry of publishers.slice(0, more)) entry.dismiss(why);
  }

  private clients(after: number): { readonly order: number; readonly report: ClientReport }[] {
    const rows: { readonly order: number; readonly report: ClientReport }[] = [];
    for (const [order, entry] of this.entries) {
      const told = order > after ? entry.describe() : null;
      if (told !== null) rows.push({ order, report: clientOf(entry.id, told) });
      if (rows.length === pageRows) break;
    }
    return rows;
  }

  /** By the order of the first who has asked for each. */
  private streams(after: number): { readonly order: number; readonly report: StreamReport }[] {
    const found = new Map<string, { order: number; report: Mutable<StreamReport> }>();
    for (const [order, entry] of this.entries) {
      const told = entry.describe();
      if (told === null || told.asks === null) continue;
      const { key, what } = told.asks;
      const row = found.get(key) ?? { order, report: emptyReport(key) };
      found.set(key, row);
      const { report } = row;
      if (what === "play") {
        report.players++;
        report.bytesOut += told.bytesOut;
      } else if (report.state === "wait") {
        const { peer: from, sinceMs, bytesIn } = told;
        Object.assign(report, { state: "publish", from, sinceMs, bytesIn, publisherId: entry.id });
      }
    }
    return [...found.values()].filter(({ order }) => order > after).slice(0, pageRows);
  }
}

type Mutable<T> = { -readonly [Member in keyof T]: T[Member] };

function clientOf(id: string, { asks, protocol, peer, sinceMs, bytesIn, bytesOut }: Described): ClientReport {
  const names = asks === null ? { vhost: "", app: "", stream: "" } : namesIn(asks.key);
  const playType = protocol === "rtmp" ? "rtmp-play" : "flv-play";
  const type = asks === null ? unknownType : asks.what === "publish" ? "fmle-publish" : playType;
  const urls = { tcUrl: "", pageUrl: "", swfUrl: "" };
  return { id, ...names, type, ip: hostIn(peer), ...urls, name: names.stream, sinceMs, bytesIn, bytesOut };
}

function emptyReport(key: string): Mutable<StreamReport> {
  const counts = { players: 0, edges: 0, bytesIn: 0, bytesOut: 0, videoFrames: 0, audioFrames: 0 };
  const unknown = { video: "", audio: "", publisherId: "", tcUrl: "", keyFrameMs: null, videoDetails: null, audioDetails: null };
  return { ...namesIn(key), state: "wait", from: "", sinceMs: null, ...counts, ...unknown };
}

function namesIn(key: string): { readonly vhost: string; readonly app: string; readonly stream: string } {
  const [vhost = "", ...names] = key.split("/");
  const stream = names.pop() ?? "";
  return { vhost, app: names.join("/"), stream };
}

/** `192.0.2.1` of `192.0.2.1:5000`, `::1` of `[::1]:5000`. */
function hostIn(peer: string): string {
  return peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}
