// What `dolphin cluster` prints: the boxes of the site and its streams, and what is told of one stream. Names come from the registry and the
// network, so nothing but printable characters leaves here.
import { printable } from "../../base/printable.js";
import type { SiteNode, SiteReading, SiteStream, SiteView } from "../../ipc/site.js";
import { duration, registryText, since, table, type Column } from "./text.js";

/** Streams that are printed; of more the number is told. */
const maxShown = 100;

/** What `dolphin cluster status` prints. */
export function siteText(
  reading: Pick<SiteReading, "registry" | "ageMs" | "problem">,
  { nodes, streams }: SiteView,
  nowMs: number,
): string {
  const parts = [printable(registryText(reading.registry)), ...ageText(reading), table(nodeColumns, nodes)];
  if (streams.length === 0) parts.push("no streams");
  else parts.push(table(streamColumns(nowMs), streams.slice(0, maxShown)));
  const more = streams.length - maxShown;
  if (more > 0) parts.push(`${more} streams more: --json has them all`);
  return `${parts.join("\n\n")}\n`;
}

/** What `dolphin cluster explain` prints. */
export function siteStreamText(reading: Pick<SiteReading, "ageMs" | "problem">, sentences: readonly string[]): string {
  return [...sentences, ...ageText(reading), ""].map(printable).join("\n");
}

/** Nothing where it has just been read. */
function ageText({ ageMs, problem }: Pick<SiteReading, "ageMs" | "problem">): string[] {
  if (problem === null) return [];
  const known = ageMs === null ? "this box alone is known" : `this is what was known ${duration(Math.round(ageMs / 1000))} ago`;
  return [printable(`${problem}: ${known}`)];
}

const nodeColumns: readonly Column<SiteNode>[] = [
  { title: "BOX", side: "left", text: ({ id, isThis }) => `${id}${isThis ? " *" : ""}` },
  { title: "ZONE", side: "left", text: ({ zone }) => (zone === "" ? "-" : zone) },
  { title: "STATE", side: "left", text: stateText },
  { title: "LOAD", side: "right", text: ({ load }) => (load === null ? "-" : `${Math.round(load * 100)}%`) },
  { title: "CLIENTS", side: "right", text: ({ clients, load }) => (load === null ? "-" : String(clients)) },
  { title: "STREAMS", side: "right", text: ({ streams }) => String(streams) },
  { title: "PULLED", side: "right", text: ({ replicas }) => String(replicas) },
  { title: "STANDBY", side: "right", text: ({ standby }) => String(standby) },
  { title: "VERSION", side: "left", text: ({ version }) => (version === "" ? "-" : version) },
  { title: "EPOCH", side: "left", text: ({ epoch }) => (epoch === "" ? "-" : epoch) },
];

function stateText({ state, heardMs, isEdge }: SiteNode): string {
  if (isEdge) return `${state}, edge`;
  return state === "lost" ? `lost, ${duration(Math.round(heardMs / 1000))} ago` : state;
}

function streamColumns(nowMs: number): readonly Column<SiteStream>[] {
  return [
    { title: "STREAM", side: "left", text: ({ key }) => key },
    { title: "AT", side: "left", text: ({ owner, lostWith }) => owner ?? (lostWith === null ? "-" : `${lostWith}, lost`) },
    { title: "SINCE", side: "right", text: ({ sinceMs }) => (sinceMs === null ? "-" : since(sinceMs, nowMs)) },
    { title: "FENCE", side: "right", text: ({ fence }) => (fence === 0 ? "-" : String(fence)) },
    { title: "ALSO AT", side: "left", text: ({ replicas }) => replicas.map(({ node }) => node).join(" ") || "-" },
    { title: "STANDBY", side: "left", text: ({ standby }) => standby.join(" ") || "-" },
  ];
}
