// The site that the box is one of, as its registry tells: boxes and streams, a page of each, asked of the API as anybody may; and of a
// stream in sentences where it came in, who has it and from where this box would pull it.
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { SiteNode, SiteStream } from "../../../src/ipc/site.js";
import { askApi } from "../lib/api.js";
import { count, duration, percent } from "../lib/format.js";
import { Badge, Lost, Pager, pageRows, Search, Table, Waiting, type Column } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";
import { ageOf, shortKey } from "./streams.js";

interface Boxes extends Head {
  readonly nodes: readonly SiteNode[];
}

interface Streams extends Head {
  readonly streams: readonly SiteStream[];
}

interface Head {
  readonly zone: string;
  /** How old all of it is; null: the registry has never been read. */
  readonly age_ms: number | null;
  /** Why it could not be read now. */
  readonly problem: string | null;
  readonly total: number;
}

/** `node`: only the streams that this box has; empty: all. */
export function ClusterPage({ node }: { readonly node: string }): VNode {
  const [start, setStart] = useState(0);
  const { data, error } = usePolled(`cluster ${start}`, 3000, (signal) => askApi<Boxes>("cluster", { start, count: pageRows }, signal));
  if (data === null)
    return html`<h2>${t("cluster")}</h2>
      <${Waiting} error=${error} />`;
  return html`<h2>${t("cluster")} <small class="quiet-text">${t("nodes")} ${count(data.total)}</small></h2>
    <${Lost} error=${error} />
    ${data.problem !== null && html`<p class="banner" role="alert">${t("siteOld", data.age_ms === null ? "–" : duration(data.age_ms / 1000))} ${data.problem}</p>`}
    <section>
      <${Table} caption=${t("nodes")} columns=${nodeColumns()} rows=${data.nodes} keyOf=${({ id }: SiteNode) => id} empty=${t("nothing")} />
      ${data.total > pageRows && html`<${Pager} start=${start} shown=${data.nodes.length} total=${data.total} go=${setStart} />`}
    </section>
    <${StreamsOfSite} node=${node} key=${node} />`;
}

function StreamsOfSite({ node }: { readonly node: string }): VNode {
  const [start, setStart] = useState(0);
  const [stream, setStream] = useState("");
  const query = { start, count: pageRows, ...(node === "" ? {} : { node }), ...(stream === "" ? {} : { stream }) };
  const { data, error } = usePolled(`cluster/streams ${JSON.stringify(query)}`, 3000, (signal) =>
    askApi<Streams>("cluster/streams", query, signal),
  );
  return html`<section>
    <div class="row">
      <h3>${t("streams")} ${data === null ? "" : html`<small class="quiet-text">${count(data.total)}</small>`}</h3>
      <div class="row">
        ${node !== "" && html`<span>${t("onNode", node)} <a href="#/cluster">${t("allNodes")}</a></span>`}
        <${Search} label=${t("searchSite")} value=${stream} onInput=${(text: string) => (setStream(text), setStart(0))} />
      </div>
    </div>
    ${
      data === null
        ? html`<${Waiting} error=${error} />`
        : html`<${Table}
              caption=${t("streams")}
              columns=${streamColumns()}
              rows=${data.streams}
              keyOf=${({ key }: SiteStream) => key}
              empty=${t("noStreams")}
            />
            <${Pager} start=${start} shown=${data.streams.length} total=${data.total} go=${setStart} />`
    }
  </section>`;
}

function nodeColumns(): readonly Column<SiteNode>[] {
  const kinds = { ready: "good", draining: "quiet", lost: "bad" } as const;
  return [
    { title: t("node"), cell: ({ id, isThis }) => html`${id}${isThis ? html` <small class="quiet-text">${t("thisNode")}</small>` : ""}` },
    {
      title: t("state"),
      cell: ({ state, heardMs }) =>
        html`<${Badge} kind=${kinds[state]}>${t(`node.${state}`)}<//
          >${state === "lost" ? html` <small class="quiet-text">${duration(heardMs / 1000)}</small>` : ""}`,
    },
    { title: t("zone"), cell: ({ zone }) => (zone === "" ? "–" : zone) },
    { title: t("load"), isNumber: true, cell: ({ load }) => (load === null ? "–" : percent(load)) },
    { title: t("clients"), isNumber: true, cell: ({ clients }) => count(clients) },
    {
      title: t("heldStreams"),
      isNumber: true,
      cell: ({ id, streams }) => html`<a href=${`#/cluster?q=${encodeURIComponent(id)}`}>${count(streams)}</a>`,
    },
    { title: t("replicas"), isNumber: true, cell: ({ replicas }) => count(replicas) },
    { title: t("standby"), isNumber: true, cell: ({ standby }) => count(standby) },
    { title: t("version"), cell: ({ version }) => version },
  ];
}

function streamColumns(): readonly Column<SiteStream>[] {
  const nodes = (ids: readonly string[]): string => (ids.length === 0 ? "–" : ids.join(", "));
  return [
    { title: t("stream"), cell: ({ key }) => html`<a href=${`#/streams/${encodeURIComponent(key)}`}>${shortKey(key)}</a>` },
    {
      title: t("publishedAt"),
      cell: ({ owner, lostWith }) =>
        owner ??
        html`<${Badge} kind=${lostWith === null ? "quiet" : "bad"}>${lostWith === null ? t("nobody") : t("lostWith", lostWith)}<//>`,
    },
    { title: t("age"), isNumber: true, cell: ageOf },
    { title: t("replicas"), cell: ({ replicas }) => html`<span class="wrap line">${nodes(replicas.map(({ node }) => node))}</span>` },
    { title: t("standby"), cell: ({ standby }) => nodes(standby) },
    { title: t("fence"), isNumber: true, cell: ({ fence }) => (fence === 0 ? "–" : count(fence)) },
    { title: t("why"), cell: ({ key }) => html`<${WhyThere} key=${key} streamKey=${key} />` },
  ];
}

/** In the words of `dolphin cluster explain`, which are English, when somebody asks. */
function WhyThere({ streamKey }: { readonly streamKey: string }): VNode {
  const [isOpen, setOpen] = useState(false);
  const [sentences, setSentences] = useState<readonly string[]>([]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const abort = new AbortController();
    askApi<{ readonly sentences: readonly string[] }>(`cluster/streams/${encodeURIComponent(streamKey)}`, {}, abort.signal).then(
      (told) => setSentences(told.sentences),
      (thrown: unknown) => void (abort.signal.aborted || setSentences([String(thrown)])),
    );
    return () => abort.abort();
  }, [isOpen]);
  return html`<details onToggle=${(event: Event) => setOpen((event.target as HTMLDetailsElement).open)}>
    <summary>${t("why")}</summary>
    <ul class="steps wrap line" lang="en">
      ${sentences.map((sentence) => html`<li>${sentence}</li>`)}
    </ul>
  </details>`;
}
