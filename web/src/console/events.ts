// What happens in the box, as it happens: the API's event stream, read by fetch so that it may carry a token, and taken up again where
// it broke off.
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import type { VNode } from "preact";
import { authorization } from "../lib/api.js";
import { time } from "../lib/format.js";
import { Badge, Search, Table, type Column } from "../lib/parts.js";
import { t } from "../lib/words.js";
import { shortKey } from "./streams.js";

interface BoxEvent {
  readonly id: number;
  readonly time: string;
  readonly event: string;
  readonly msg: string;
  readonly level?: "info" | "warn" | "error";
  readonly process?: string;
  readonly stream?: string;
  readonly peer?: string;
  readonly code?: string;
}

/** Events that the page keeps. */
const maxEvents = 500;
const againAfterMs = 2000;

export function EventsPage(): VNode {
  const [events, setEvents] = useState<readonly BoxEvent[]>([]);
  const [isLost, setLost] = useState(false);
  const [isPaused, setPaused] = useState(false);
  const [q, setQ] = useState("");
  const [onlyProblems, setOnlyProblems] = useState(false);
  useEffect(() => {
    if (isPaused) return undefined;
    const abort = new AbortController();
    const take = (news: readonly BoxEvent[]): void => {
      setLost(false);
      setEvents((before: readonly BoxEvent[]) => {
        const known = before[0]?.id ?? 0;
        return [...news.filter(({ id }) => id > known).toReversed(), ...before].slice(0, maxEvents);
      });
    };
    void follow(events[0]?.id ?? 0, abort.signal, take, () => setLost(true));
    return () => abort.abort();
  }, [isPaused]);
  const words = q.toLowerCase().split(/\s+/);
  const shown = events.filter((event) => {
    if (onlyProblems && (event.level ?? "info") === "info") return false;
    const text = JSON.stringify(event).toLowerCase();
    return words.every((word) => text.includes(word));
  });
  return html`<div class="row">
      <h2>${t("events")} <${Badge} kind=${isPaused || isLost ? "quiet" : "good"}>${isPaused ? t("paused") : t("live")}<//></h2>
      <div class="row">
        <label class="check"
          ><input type="checkbox" checked=${onlyProblems} onChange=${() => setOnlyProblems(!onlyProblems)} /> ${t("problems")}</label
        >
        <${Search} label=${t("searchEvents")} value=${q} onInput=${setQ} />
        <button type="button" onClick=${() => setPaused(!isPaused)}>${isPaused ? t("resume") : t("pause")}</button>
      </div>
    </div>
    ${isLost && html`<p class="banner" role="alert">${t("lost")}</p>`}
    <${Table} caption=${t("events")} columns=${columns()} rows=${shown} keyOf=${({ id }: BoxEvent) => String(id)} empty=${t("nothing")} />`;
}

function columns(): readonly Column<BoxEvent>[] {
  return [
    { title: t("time"), cell: ({ time: at }) => html`<time datetime=${at}>${time(Date.parse(at))}</time>` },
    {
      title: t("event"),
      cell: ({ event, level = "info" }) =>
        html`<${Badge} kind=${level === "error" ? "bad" : level === "warn" ? "strained" : "quiet"}>${event}<//>`,
    },
    {
      title: t("what"),
      cell: ({ msg, code }) => html`<span class="wrap">${msg}</span>${code === undefined ? "" : html` <code>${code}</code>`}`,
    },
    {
      title: t("stream"),
      cell: ({ stream }) =>
        stream === undefined ? "" : html`<a href=${`#/streams/${encodeURIComponent(stream)}`}>${shortKey(stream)}</a>`,
    },
    { title: t("process"), cell: ({ process }) => process ?? "" },
    { title: t("address"), cell: ({ peer }) => peer ?? "" },
  ];
}

/** Reads until the signal ends it, from behind an event on. */
async function follow(after: number, signal: AbortSignal, take: (news: readonly BoxEvent[]) => void, lost: () => void): Promise<void> {
  let last = after;
  while (!signal.aborted) {
    try {
      const response = await fetch(`../api/v1/dolphin/events?after=${last}&count=${maxEvents}`, {
        headers: { ...authorization(), Accept: "text/event-stream" },
        signal,
      });
      if (!response.ok || response.body === null) throw new Error(String(response.status));
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      take([]);
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop() ?? "";
        const news = blocks.flatMap((block) => {
          const data = /^data: (.*)$/m.exec(block)?.[1];
          return data === undefined ? [] : [JSON.parse(data) as BoxEvent];
        });
        last = news.at(-1)?.id ?? last;
        if (news.length > 0) take(news);
      }
    } catch {
      if (!signal.aborted) lost();
    }
    await new Promise((resolve) => window.setTimeout(resolve, againAfterMs));
  }
}
