// Everybody who plays or publishes: however many they are, a page of fifty comes here.
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { ClientRow, Page } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { count, duration, rate, size } from "../lib/format.js";
import { ActButton, Lost, Pager, Search, Table, Waiting, type Column } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";
import { shortKey } from "./streams.js";

const pageRows = 50;

export function ClientsPage({ search }: { readonly search: string }): VNode {
  const [query, setQuery] = useState({ q: search, sort: "-since", start: 0 });
  useEffect(() => setQuery({ q: search, sort: "-since", start: 0 }), [search]);
  const key = JSON.stringify(query);
  const { data, error, again } = usePolled(key, 3000, (signal) => ask<Page<ClientRow>>("clients", { ...query, count: pageRows }, signal));
  return html`<div class="row">
      <h2>${t("clients")} ${data === null ? "" : html`<small class="quiet-text">${count(data.total)}</small>`}</h2>
      <${Search} label=${t("searchClients")} value=${query.q} onInput=${(q: string) => setQuery({ ...query, q, start: 0 })} />
    </div>
    ${
      data === null
        ? html`<${Waiting} error=${error} />`
        : html`<${Lost} error=${error} />
            <${Table}
              caption=${t("clients")}
              columns=${columns(again)}
              rows=${data.rows}
              keyOf=${(row: ClientRow) => row.id}
              empty=${t("noClients")}
              sort=${query.sort}
              onSort=${(sort: string) => setQuery({ ...query, sort, start: 0 })}
            />
            <${Pager}
              start=${data.start}
              shown=${data.rows.length}
              total=${data.total}
              pageRows=${pageRows}
              go=${(start: number) => setQuery({ ...query, start })}
            />`
    }`;
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
