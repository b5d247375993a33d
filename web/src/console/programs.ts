// What runs for vhosts and streams: ffmpeg and other programs, whether they run, and what they said last.
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Page, ProgramRow } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { count, duration } from "../lib/format.js";
import { Badge, ListPage, pageRows, type Column, type ListQuery } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";
import { shortKey } from "./streams.js";

export function ProgramsPage({ search }: { readonly search: string }): VNode {
  const [query, setQuery] = useState<ListQuery>({ q: search, sort: "state", start: 0 });
  useEffect(() => setQuery({ q: search, sort: "state", start: 0 }), [search]);
  const key = `programs ${JSON.stringify(query)}`;
  const { data, error } = usePolled(key, 3000, (signal) => ask<Page<ProgramRow>>("programs", { ...query, count: pageRows }, signal));
  return html`<${ListPage}
    title=${t("programs")}
    searchLabel=${t("searchPrograms")}
    empty=${t("noPrograms")}
    columns=${columns()}
    keyOf=${({ key: of, kind, name, output, command }: ProgramRow) => `${of} ${kind} ${name} ${output} ${command}`}
    query=${query}
    onQuery=${setQuery}
    data=${data}
    error=${error}
  />`;
}

function columns(): readonly Column<ProgramRow>[] {
  return [
    { title: t("program"), sort: "name", cell: ({ kind, name }) => `${kind} ${name}` },
    {
      title: t("state"),
      sort: "state",
      cell: ({ pid }) =>
        pid === null
          ? html`<${Badge} kind="strained">${t("program.waits")}<//>`
          : html`<${Badge} kind="good">${t("program.runs")}<//> <small class="quiet-text">${pid}</small>`,
    },
    {
      title: t("stream"),
      sort: "key",
      cell: ({ key, app }) => (app === "" ? key : html`<a href=${`#/streams/${encodeURIComponent(key)}`}>${shortKey(key)}</a>`),
    },
    {
      title: t("uptime"),
      isNumber: true,
      cell: ({ sinceMs }) => (sinceMs === null ? "–" : duration((Date.now() - sinceMs) / 1000)),
    },
    {
      title: t("restarts"),
      sort: "restarts",
      cell: ({ restarts, lastEnd }) => html`${count(restarts)}${lastEnd === "" ? "" : html` <small class="quiet-text">${lastEnd}</small>`}`,
    },
    { title: t("lastLine"), cell: ({ lastLine }) => (lastLine === "" ? "–" : html`<code class="wrap line">${lastLine}</code>`) },
    {
      title: t("command"),
      cell: ({ command }) =>
        html`<details>
          <summary>${command.split(" ", 1)[0]?.split("/").at(-1)}</summary>
          <code class="wrap line">${command}</code>
        </details>`,
    },
  ];
}
