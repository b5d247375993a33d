// Everything that was recorded, or is just now: searched, sorted and cut by the server. A finished file is played here, by ranges.
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { VNode } from "preact";
import type { Page, RecordingRow, Ticket } from "../../../src/admin/site/shapes.js";
import { ask, Refused, setToken } from "../lib/api.js";
import { duration, size, time } from "../lib/format.js";
import { ActButton, Badge, ListPage, pageRows, TokenField, whyNot, type Column, type ListQuery } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { playFile, type Preview } from "../lib/preview.js";
import { t } from "../lib/words.js";
import { shortKey } from "./streams.js";

export function RecordingsPage({ search }: { readonly search: string }): VNode {
  const [query, setQuery] = useState<ListQuery>({ q: search, sort: "-since", start: 0 });
  useEffect(() => setQuery({ q: search, sort: "-since", start: 0 }), [search]);
  const [played, play] = useState<RecordingRow | null>(null);
  const key = `recordings ${JSON.stringify(query)}`;
  const { data, error, again } = usePolled(key, 5000, (signal) =>
    ask<Page<RecordingRow>>("recordings", { ...query, count: pageRows }, signal),
  );
  return html`${played !== null && html`<${Playback} key=${played.path} row=${played} onClose=${() => play(null)} />`}
    <${ListPage}
      title=${t("recordings")}
      searchLabel=${t("searchRecordings")}
      empty=${t("noRecordings")}
      columns=${columns(again, play)}
      keyOf=${(row: RecordingRow) => row.path}
      query=${query}
      onQuery=${setQuery}
      data=${data}
      error=${error}
    />`;
}

function columns(again: () => void, play: (row: RecordingRow) => void): readonly Column<RecordingRow>[] {
  return [
    { title: t("stream"), sort: "key", cell: ({ key }) => html`<a href=${`#/streams/${encodeURIComponent(key)}`}>${shortKey(key)}</a>` },
    {
      title: t("state"),
      sort: "state",
      cell: ({ state }) => html`<${Badge} kind=${state === "recording" ? "live" : "quiet"}>${t(`recording.${state}`)}<//>`,
    },
    { title: t("began"), sort: "since", cell: ({ startedAtMs }) => time(startedAtMs) },
    { title: t("length"), sort: "duration", isNumber: true, cell: ({ durationMs }) => duration(durationMs / 1000) },
    { title: t("size"), sort: "size", isNumber: true, cell: ({ sizeBytes }) => size(sizeBytes) },
    {
      title: t("actions"),
      cell: (row) =>
        row.state === "finished"
          ? html`<button type="button" class="quiet" onClick=${() => play(row)} aria-label=${`${t("play")}: ${row.path}`}>
              ${t("play")}
            </button>`
          : html`<${ActButton} isQuiet act=${recordAct(row.key, false)} onDone=${again} />`,
    },
    { title: t("file"), cell: ({ path }) => html`<code class="wrap line">${path}</code>` },
  ];
}

/** To record a stream from now on, or not. */
export function recordAct(key: string, isOn: boolean): { verb: string; name: string; question: string; label: string } {
  const name = shortKey(key);
  return isOn
    ? { verb: "record-start", name: key, question: t("ask.record", name), label: t("record") }
    : { verb: "record-stop", name: key, question: t("ask.recordStop", name), label: t("recordStop") };
}

/** One recording, for who may act: where the server wants a token it is asked for here. */
function Playback({ row, onClose }: { readonly row: RecordingRow; readonly onClose: () => void }): VNode {
  const heading = useRef<HTMLHeadingElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const running = useRef<Preview | null>(null);
  const [url, setUrl] = useState("");
  const [why, setWhy] = useState("");
  const [wantsToken, setWantsToken] = useState(false);
  const token = useRef("");
  const start = async (): Promise<void> => {
    setWhy("");
    try {
      const found = await ask<Ticket>("ticket", { path: row.path });
      setWantsToken(false);
      setUrl(found.url);
      if (video.current !== null)
        running.current = await playFile(video.current, found.url, row.path, (reason) => setWhy(t("previewFailed", reason)));
    } catch (thrown) {
      setWantsToken(thrown instanceof Refused && thrown.needsToken);
      setWhy(whyNot(thrown, token.current));
    }
  };
  useEffect(() => {
    heading.current?.focus();
    void start();
    return () => running.current?.stop();
  }, []);
  const retry = (event: Event): void => {
    event.preventDefault();
    setToken(token.current);
    void start();
  };
  return html`<section class="playback">
    <div class="row">
      <h2 tabindex="-1" ref=${heading}>${shortKey(row.key)} <small class="quiet-text">${time(row.startedAtMs)}</small></h2>
      <div class="row">
        ${url !== "" && html`<a href=${url} download=${row.path.split("/").at(-1)}>${t("download")}</a>`}
        <button type="button" onClick=${onClose}>${t("close")}</button>
      </div>
    </div>
    <video ref=${video} playsinline controls aria-label=${t("recordings")}></video>
    ${
      wantsToken &&
      html`<form class="row start" onSubmit=${retry}>
        <${TokenField} onInput=${(text: string) => (token.current = text)} />
        <button type="submit" class="primary">${t("play")}</button>
      </form>`
    }
    ${why !== "" && html`<p role="alert" class="bad-text">${why}</p>`}
  </section>`;
}
