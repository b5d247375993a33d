// The site as one box sees it, for operators: what every box says of itself in the registry, and how that becomes lists of boxes and of
// streams. The master only passes on what it has read; whoever asks puts it together, for it may be long. What stands in the registry was
// written by others: what cannot be read is left out.
//
//   boxes ─ records, rolls ─▶ Redis ─▶ the master ─ SiteReading ─▶ the control socket ─▶ admin, verbs: siteOf, sentencesOf
import type { RegistryReport, SitePlace } from "./box.js";

/** What a box says of itself with every word. */
export interface NodeRecord {
  readonly rtmp: string;
  readonly version: string;
  /** Empty: it is in none. */
  readonly zone: string;
  /** `draining`: it is about to end. */
  readonly state: "ready" | "draining";
  /** The part of what it can carry that is taken, of CPU or of connections, whichever is more: 0 to 1. */
  readonly load: number;
  /** Who publishes and plays. */
  readonly clients: number;
  /** It has no publishers of its own, and passes them on. */
  readonly isEdge: boolean;
}

/** What a box has, and what is remembered of it when it is lost. */
export interface NodeRoll {
  readonly epoch: string;
  readonly zone: string;
  /** Published to it: the stream, its fence (0: none yet), since when (ms since 1970). */
  readonly own: readonly (readonly [key: string, fence: number, sinceMs: number])[];
  /** From other boxes: the stream, and the server that it comes from. */
  readonly replicas: readonly (readonly [key: string, from: string])[];
  /** Publishers who stand by. */
  readonly standby: readonly string[];
  /** How many streams more there are than it tells of. */
  readonly more: number;
}

/** A box as it stands in the registry. */
export interface ReadNode {
  readonly id: string;
  /** How long ago it spoke (ms). */
  readonly heardMs: number;
  /** As they were written; empty: there is none, it is lost. */
  readonly record: string;
  readonly roll: string;
}

/** What the master has read. */
export interface SiteReading {
  readonly registry: RegistryReport;
  readonly zone: string;
  /** How old it is (ms); null: the registry has never been read, and this box alone is known. */
  readonly ageMs: number | null;
  /** Why it could not be read now: a sentence; null: it could. */
  readonly problem: string | null;
  readonly nodes: readonly ReadNode[];
}

/** A box of the site. */
export interface SiteNode {
  readonly id: string;
  /** What names its life: a box that came back has another. */
  readonly epoch: string;
  readonly zone: string;
  readonly version: string;
  readonly state: "ready" | "draining" | "lost";
  /** Null: it is lost. */
  readonly load: number | null;
  readonly clients: number;
  readonly isEdge: boolean;
  /** Published to it, had from other boxes, standing by. */
  readonly streams: number;
  readonly replicas: number;
  readonly standby: number;
  /** How long ago it spoke (ms): of one that is lost, since when it is. */
  readonly heardMs: number;
  readonly isThis: boolean;
}

/** A stream of the site. */
export interface SiteStream {
  readonly key: string;
  /** The box that it is published to; null: none is known that lives. */
  readonly owner: string | null;
  /** 0: the registry has not been told yet. */
  readonly fence: number;
  readonly sinceMs: number | null;
  readonly replicas: readonly { readonly node: string; readonly from: string }[];
  /** Boxes where a second publisher stands by. */
  readonly standby: readonly string[];
  /** The box that had it, and was lost with it; null: there is none. */
  readonly lostWith: string | null;
}

/** The site put together: boxes and streams by their names. */
export interface SiteView {
  readonly nodes: readonly SiteNode[];
  readonly streams: readonly SiteStream[];
}

/** From where a box would pull a stream, in this order, and a sentence why; empty: from nowhere. */
interface SiteRoute {
  readonly servers: readonly string[];
  readonly why: string;
}

/** What the master knows of one stream of the site. */
export interface StreamReading {
  readonly key: string;
  readonly site: SitePlace;
  /** Where this box has it from; null: from nobody. */
  readonly hasFrom: string | null;
  readonly route: SiteRoute;
}

/** Reads a box's key of its life: `EPOCH RUN JSON`. Null: it says nothing that can be read. */
export function parseRecord(text: string): (NodeRecord & { readonly epoch: string }) | null {
  const [, epoch, json] = /^(\S+) \S+ (.*)$/s.exec(text) ?? [];
  const told = json === undefined ? null : objectIn(json);
  if (told === null || epoch === undefined || typeof told["rtmp"] !== "string") return null;
  return {
    epoch,
    rtmp: told["rtmp"],
    version: textIn(told, "version"),
    zone: textIn(told, "zone"),
    state: told["state"] === "draining" ? "draining" : "ready",
    load: numberIn(told, "load"),
    clients: numberIn(told, "clients"),
    isEdge: told["isEdge"] === true,
  };
}

/** Reads a roll; one that cannot be read is empty. */
export function parseRoll(text: string): NodeRoll {
  const told = objectIn(text) ?? {};
  const rows = (name: string): readonly (readonly unknown[])[] => listIn(told, name).filter((row) => Array.isArray(row));
  const [own, replicas] = [rows("own"), rows("replicas")];
  return {
    epoch: textIn(told, "epoch"),
    zone: textIn(told, "zone"),
    own: own.flatMap(([key, fence, sinceMs]) =>
      typeof key === "string" && typeof fence === "number" && typeof sinceMs === "number" ? [[key, fence, sinceMs] as const] : [],
    ),
    replicas: replicas.flatMap(([key, from]) => (typeof key === "string" && typeof from === "string" ? [[key, from] as const] : [])),
    standby: listIn(told, "standby").filter((key) => typeof key === "string"),
    more: numberIn(told, "more"),
  };
}

/** Puts together what was read. */
export function siteOf({ nodes, registry }: Pick<SiteReading, "nodes" | "registry">): SiteView {
  const read = nodes.map((node) => ({ node, record: parseRecord(node.record), roll: parseRoll(node.roll) }));
  const streams = new Map<string, Mutable<SiteStream>>();
  const streamOf = (key: string): Mutable<SiteStream> => {
    const known = streams.get(key) ?? { key, owner: null, fence: 0, sinceMs: null, replicas: [], standby: [], lostWith: null };
    streams.set(key, known);
    return known;
  };
  for (const { node, record, roll } of read) {
    const isLost = record === null || record.epoch !== roll.epoch;
    for (const [key, fence, sinceMs] of roll.own) {
      const stream = streamOf(key);
      if (isLost) stream.lostWith ??= node.id;
      else if (stream.owner === null || fence > stream.fence) Object.assign(stream, { owner: node.id, fence, sinceMs });
    }
    if (isLost) continue;
    for (const [key, from] of roll.replicas) streamOf(key).replicas = [...streamOf(key).replicas, { node: node.id, from }];
    for (const key of roll.standby) streamOf(key).standby = [...streamOf(key).standby, node.id];
  }
  for (const stream of streams.values()) if (stream.owner !== null) stream.lostWith = null;
  return {
    nodes: read.map(({ node, record, roll }) => nodeOf(node, record, roll, registry.node)).toSorted((a, b) => order(a.id, b.id)),
    streams: [...streams.values()].toSorted((a, b) => order(a.key, b.key)),
  };
}

/** Where a stream came in, which boxes have it, and from where the asked one would pull it: sentences for people. */
export function sentencesOf({ key, site, hasFrom, route }: StreamReading, { nodes, streams }: SiteView, nowMs: number): string[] {
  const stream = streams.find((one) => one.key === key);
  const named = (id: string): string => {
    const zone = nodes.find((one) => one.id === id)?.zone ?? "";
    return zone === "" ? id : `${id} in ${zone}`;
  };
  const { place } = site;
  const came = place === null || !place.isAlive ? `${key}: ${site.why}` : cameIn(key, named(place.node), place, nowMs);
  const replicas = stream?.replicas ?? [];
  const standby = stream?.standby ?? [];
  return [
    came,
    ...(stream?.lostWith === null || stream?.lostWith === undefined
      ? []
      : [`it was published at ${named(stream.lostWith)}, which is lost`]),
    replicas.length === 0
      ? "no other box has it"
      : `it is also at ${replicas.map(({ node, from }) => `${named(node)} (from ${from})`).join(", ")}`,
    ...(standby.length === 0 ? [] : [`a second publisher stands by at ${standby.map(named).join(", ")}`]),
    hasFrom === null ? "this box does not pull it" : `this box pulls it from ${hasFrom}`,
    route.servers.length === 0 ? route.why : `for its next player it would pull from ${route.servers.join(", then ")}: ${route.why}`,
  ];
}

type Mutable<T> = { -readonly [name in keyof T]: T[name] };

function cameIn(key: string, where: string, { fence, sinceMs }: NonNullable<SitePlace["place"]>, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000));
  return `${key} came in at ${where} ${seconds} s ago, with the fence ${fence}`;
}

function nodeOf(node: ReadNode, record: ReturnType<typeof parseRecord>, roll: NodeRoll, own: string): SiteNode {
  const isLost = record === null;
  const isOfThisLife = !isLost && record.epoch === roll.epoch;
  const count = (all: readonly unknown[]): number => (isOfThisLife ? all.length : 0);
  return {
    id: node.id,
    epoch: record?.epoch ?? roll.epoch,
    zone: record?.zone ?? roll.zone,
    version: record?.version ?? "",
    state: record?.state ?? "lost",
    load: record?.load ?? null,
    clients: record?.clients ?? 0,
    isEdge: record?.isEdge ?? false,
    streams: count(roll.own) + (isOfThisLife ? roll.more : 0),
    replicas: count(roll.replicas),
    standby: count(roll.standby),
    heardMs: node.heardMs,
    isThis: node.id === own,
  };
}

function order(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

type Told = Readonly<Record<string, unknown>>;

function objectIn(text: string): Told | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Told) : null;
  } catch {
    return null;
  }
}

function textIn(told: Told, name: string): string {
  const value = told[name];
  return typeof value === "string" ? value : "";
}

function numberIn(told: Told, name: string): number {
  const value = told[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function listIn(told: Told, name: string): readonly unknown[] {
  const value = told[name];
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
