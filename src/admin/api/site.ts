// The site that the box is one of, as its registry tells: its boxes, its streams, and one stream with sentences.
//
//   cluster            ?start=0&count=100      boxes
//   cluster/streams    the same, ?vhost=&app=&stream=&node= leave out the others
//   cluster/streams/KEY
import { sentencesOf, type SiteStream } from "../../ipc/site.js";
import { replyCode, replyWith, type Asked } from "./asked.js";
import { maxListCount, numberIn } from "./lists.js";

/** How many a page has unless somebody asks for more. */
const defaultCount = 100;
/** In characters. */
const longestKey = 1000;

/** Answers `/api/v1/dolphin/cluster` and what is below it; `name`: what stands behind it, decoded. */
export async function answerSite(asked: Asked, name: string): Promise<void> {
  const { facts, view, exchange } = asked;
  const [list = "", ...rest] = name.split("/");
  const key = rest.join("/");
  const isKnown = list === "" ? key === "" : list === "streams" && key.length <= longestKey;
  if (!isKnown) return replyCode(asked, 404, "below cluster there is only streams, and streams/KEY", 404);
  if (facts.registry === undefined)
    return replyCode(asked, 404, "this box is a site of its own: dolphin { registry …; } makes it one of many", 404);
  const { reading, site } = await view.site();
  const age = { age_ms: reading.ageMs, problem: reading.problem };
  const head = { registry: reading.registry, zone: reading.zone, ...age };
  if (list === "") {
    const counts = { total: site.nodes.length, streams: site.streams.length };
    return replyWith(asked, { data: { ...head, nodes: pageOf(asked, site.nodes), ...counts } });
  }
  if (key === "") {
    const wanted = site.streams.filter((stream) => isMeant(stream, exchange.query));
    return replyWith(asked, { data: { ...head, streams: pageOf(asked, wanted), total: wanted.length } });
  }
  const told = await view.siteStream(key);
  const stream = site.streams.find((one) => one.key === key) ?? null;
  return replyWith(asked, { data: { ...told, stream, sentences: sentencesOf(told, site, Date.now()), ...age } });
}

function isMeant({ key, owner, replicas, standby }: SiteStream, query: URLSearchParams): boolean {
  const [vhost = "", ...names] = key.split("/");
  const has = (name: string, values: readonly (string | null)[]): boolean => {
    const wanted = query.get(name) ?? "";
    return wanted === "" || values.includes(wanted);
  };
  const nodes = [owner, ...replicas.map(({ node }) => node), ...standby];
  return has("vhost", [vhost]) && has("app", [names.slice(0, -1).join("/")]) && has("stream", [names.at(-1) ?? ""]) && has("node", nodes);
}

function pageOf<Item>({ exchange: { query } }: Asked, items: readonly Item[]): readonly Item[] {
  const start = numberIn(query, "start") ?? 0;
  const count = numberIn(query, "count") ?? defaultCount;
  return items.slice(start, start + Math.min(count < 1 ? defaultCount : count, maxListCount));
}
