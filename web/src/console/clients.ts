// Everybody who plays or publishes: however many they are, a page of fifty comes here.
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { ClientRow, Page } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { duration, rate, size } from "../lib/format.js";
import { ActButton, ListPage, pageRows, type Column, type ListQuery } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";
import { shortKey } from "./streams.js";

export function ClientsPage({ search }: { readonly search: string }): VNode {
  const [query, setQuery] = useState<ListQuery>({ q: search, sort: "-since", start: 0 });
  useEffect(() => setQuery({ q: search, sort: "-since", start: 0 }), [search]);
  const key = JSON.stringify(query);
  const { data, error, again } = usePolled(key, 3000, (signal) => ask<Page<ClientRow>>("clients", { ...query, count: pageRows }, signal));
  return html`<${ListPage}
    title=${t("clients")}
    searchLabel=${t("searchClients")}
    empty=${t("noClients")}
    columns=${columns(again)}
    keyOf=${(row: ClientRow) => row.id}
    query=${query}
    onQuery=${setQuery}
    data=${data}
    error=${error}
  />`;
}

function columns(again: () => void): readonly Column<ClientRow>[] {
  return [
    { title: t("address"), sort: "ip", cell: ({ ip }) => ip },
    { title: t("type"), sort: "type", cell: ({ type }) => type },
    { title: t("stream"), sort: "key", cell: ({ key }) => html`<a href=${`#/streams/${encodeURIComponent(key)}`}>${shortKey(key)}</a>` },
    { title: t("process"), sort: "process", cell: ({ process }) => process },
    { title: t("since"), sort: "since", isNumber: true, cell: ({ sinceMs }) => duration((Date.now() - sinceMs) / 1000) },
    { title: t("rate"), isNumber: true, cell: ({ kbps }) => rate(kbps) },
    { title: t("total"), sort: "bytes", isNumber: true, cell: ({ bytes }) => size(bytes) },
    {
      title: t("id"),
      cell: ({ id, page }) => html`<code>${id}</code>${page === "" ? "" : html` <small class="quiet-text">${page}</small>`}`,
    },
    {
      title: t("actions"),
      cell: ({ id, ip }) =>
        html`<${ActButton}
          isQuiet
          act=${{ verb: "kick", name: id, question: t("ask.kick", `${ip} (${id})`), label: t("kick") }}
          onDone=${again}
        />`,
    },
  ];
}
