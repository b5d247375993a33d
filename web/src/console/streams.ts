// All streams: searched, sorted and cut by the server.
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Page, StreamRow } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { count, duration, rate } from "../lib/format.js";
import { Badge, ListPage, pageRows, type Column, type ListQuery } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";

export function StreamsPage(): VNode {
  const [query, setQuery] = useState<ListQuery>({ q: "", sort: "key", start: 0 });
  const key = JSON.stringify(query);
  const { data, error } = usePolled(key, 2000, (signal) => ask<Page<StreamRow>>("streams", { ...query, count: pageRows }, signal));
  return html`<${ListPage}
    title=${t("streams")}
    searchLabel=${t("searchStreams")}
    empty=${t("noStreams")}
    columns=${columns()}
    keyOf=${(row: StreamRow) => row.key}
    query=${query}
    onQuery=${setQuery}
    data=${data}
    error=${error}
  />`;
}

export function StateBadge({ state }: Pick<StreamRow, "state">): VNode {
  const word = { publish: "publishing", pull: "pulling", wait: "waiting" } as const;
  return html`<${Badge} kind=${state === "wait" ? "strained" : "good"}>${t(word[state])}<//>`;
}

/** `H.264 1280×720`. */
export function videoOf({ video, width, height }: Pick<StreamRow, "video" | "width" | "height">): string {
  return [video, width > 0 ? `${width}×${height}` : ""].filter((part) => part !== "").join(" ");
}

export function ageOf({ sinceMs }: Pick<StreamRow, "sinceMs">): string {
  return sinceMs === null ? "–" : duration((Date.now() - sinceMs) / 1000);
}

function columns(): readonly Column<StreamRow>[] {
  return [
    { title: t("stream"), sort: "key", cell: ({ key }) => html`<a href=${`#/streams/${encodeURIComponent(key)}`}>${shortKey(key)}</a>` },
    { title: t("state"), sort: "state", cell: (row) => html`<${StateBadge} state=${row.state} />` },
    { title: t("video"), sort: "video", cell: (row) => orNone(videoOf(row)) },
    { title: t("fps"), isNumber: true, cell: ({ fps }) => fps ?? "–" },
    {
      title: t("keyFrames"),
      isNumber: true,
      cell: ({ keyFrameMs }) => (keyFrameMs === null ? "–" : `${(keyFrameMs / 1000).toFixed(1)} s`),
    },
    { title: t("audio"), cell: ({ audio }) => orNone(audio) },
    { title: t("bitrate"), isNumber: true, cell: ({ state, kbpsIn }) => (state === "wait" ? "–" : rate(kbpsIn)) },
    { title: t("viewers"), sort: "players", isNumber: true, cell: ({ players }) => count(players) },
    { title: t("sent"), isNumber: true, cell: ({ state, kbpsOut }) => (state === "wait" ? "–" : rate(kbpsOut)) },
    { title: t("from"), cell: ({ from, process }) => (from === null ? "–" : html`${from} <small class="quiet-text">${process}</small>`) },
    { title: t("age"), sort: "since", isNumber: true, cell: ageOf },
  ];
}

function orNone(text: string): string {
  return text === "" ? "–" : text;
}

/** Without the vhost that most have. */
export function shortKey(key: string): string {
  return key.replace(/^__defaultVhost__\//, "");
}
