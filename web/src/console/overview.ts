// The first page: is it fine, what flows, and the processes with their limits beside their values.
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import type { History, Overview, ProcessRow, Reason, Series } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { Chart } from "../lib/chart.js";
import { count, duration, percent, rate, size } from "../lib/format.js";
import { ActButton, Badge, Lost, Table, Waiting, type Column } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import type { Word } from "../lib/english.js";
import { t } from "../lib/words.js";

const shownReasons = 8;

export function OverviewPage({ theme }: { readonly theme: string }): VNode {
  const { data, error, again } = usePolled("overview", 2000, (signal) => ask<Overview>("overview", {}, signal));
  if (data === null) return html`<${Waiting} error=${error} />`;
  const { health, totals, streams, processes, maxConnections, cores, memoryBytes, carried } = data;
  return html`<${Lost} error=${error} />
    <section class="health ${health.word}" aria-live="polite">
      <h2><${Badge} kind=${health.word}>${t(health.word)}<//></h2>
      ${
        health.reasons.length > 0 &&
        html`<ul>
          ${health.reasons.slice(0, shownReasons).map((reason) => html`<li><${Badge} kind=${reason.word}>${t(reason.word === "bad" ? "fault" : "warning")}<//> ${sentenceOf(reason)}</li>`)}
          ${health.reasons.length > shownReasons && html`<li>${t("more", health.reasons.length - shownReasons)}</li>`}
        </ul>`
      }
    </section>
    <dl class="tiles">
      <${Tile} label=${t("viewers")} value=${count(totals.players)} />
      <${Tile} label=${t("streams")} value=${count(streams)} note=${`${t("publishers")} ${count(totals.publishers)}`} />
      <${Tile}
        label=${`${t("traffic")} ${t("out")}`}
        value=${rate(totals.mbpsOut * 1000)}
        note=${`${t("in")} ${rate(totals.mbpsIn * 1000)}`}
      />
      <${Tile}
        label=${t("connections")}
        value=${count(totals.connections)}
        note=${maxConnections === null ? t("noLimit") : t("ofLimit", count(maxConnections))}
        share=${maxConnections === null ? null : totals.connections / maxConnections}
      />
      <${Tile} label=${t("cpu")} value=${percent(totals.cpu)} note=${t("ofCores", cores)} share=${totals.cpu / cores} />
      <${Tile}
        label=${t("memory")}
        value=${size(totals.memoryBytes)}
        note=${t("ofLimit", size(memoryBytes))}
        share=${totals.memoryBytes / memoryBytes}
      />
      ${carried !== null && html`<${Tile} label=${t("carried")} value=${count(carried["carried"] ?? 0)} note=${`${count(carried["kept"] ?? 0)} ${t("kept")}, ${count(carried["cut"] ?? 0)} ${t("cut")}`} />`}
      <${Tile}
        label=${t("uptime")}
        value=${duration(data.upSeconds)}
        note=${`${data.host} · ${data.version} · ${t("plan")} ${data.plan}`}
      />
    </dl>
    <${Charts} theme=${theme} />
    <section>
      <div class="row">
        <h2>${t("processes")}</h2>
        <div class="row">
          <${ActButton} isQuiet act=${{ verb: "reload", question: t("ask.reload"), label: t("reload") }} onDone=${again} />
          <${ActButton} isQuiet act=${{ verb: "restart", question: t("ask.restartAll"), label: t("restartAll") }} onDone=${again} />
        </div>
      </div>
      <${Table}
        caption=${t("processes")}
        columns=${columnsOf(data.plan, again)}
        rows=${processes}
        keyOf=${({ name }: ProcessRow) => name}
        empty=${t("nothing")}
      />
    </section>`;
}

interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly share?: number | null;
}

function Tile({ label, value, note = "", share = null }: TileProps): VNode {
  return html`<div class="tile">
    <dt>${label}</dt>
    <dd><strong>${value}</strong>${share === null ? "" : html`<${Meter} share=${share} label=${label} />`}<small>${note}</small></dd>
  </div>`;
}

/** How much of a limit is used. */
function Meter({ share, label }: { readonly share: number; readonly label: string }): VNode {
  const kind = share >= 0.9 ? "bad" : share >= 0.7 ? "strained" : "good";
  return html`<meter
    class=${kind}
    min="0"
    max="1"
    low="0.7"
    high="0.9"
    optimum="0"
    value=${Math.min(1, share)}
    aria-label=${label}
  ></meter>`;
}

/** A state, and what else a reason says, are words of the server's; a state has one of ours. */
function sentenceOf({ what, name, value }: Reason): string {
  if (what !== "down") return t(`reason.${what}` satisfies Word, name, value);
  const [state = "", ...cause] = value.split(" ");
  return t("reason.down", name, [stateOf(state), ...(cause.length === 0 ? [] : [`(${cause.join(" ")})`])].join(" "));
}

/** A process' state in the reader's language. */
function stateOf(state: string): string {
  const known = ["up", "starting", "waiting", "stopping", "draining", "down", "failed"] as const;
  const word = known.find((one) => one === state);
  return word === undefined ? state : t(`state.${word}`);
}

function columnsOf(plan: string, again: () => void): readonly Column<ProcessRow>[] {
  const none = html`<span class="quiet-text">–</span>`;
  const number = (of: (row: ProcessRow) => ComponentChildren) => ({ isNumber: true, cell: of });
  return [
    { title: t("process"), cell: ({ name, pid }) => html`${name} <small class="quiet-text">${pid}</small>` },
    { title: t("state"), cell: ({ state }) => html`<${Badge} kind=${kindOf(state)}>${stateOf(state)}<//>` },
    { title: t("cpu"), ...number(({ cpu }) => (cpu === null ? none : percent(cpu))) },
    {
      title: t("memory"),
      ...number(({ memoryBytes, maxMemoryBytes }) =>
        memoryBytes === null
          ? none
          : html`${size(memoryBytes)}${maxMemoryBytes === null ? "" : html` <small class="quiet-text">/ ${size(maxMemoryBytes)}</small>`}`,
      ),
    },
    { title: t("lag"), ...number(({ lagMs }) => `${Math.round(lagMs)} ms`) },
    { title: t("connections"), ...number(({ connections }) => count(connections)) },
    { title: t("viewers"), ...number(({ players }) => count(players)) },
    { title: t("publishers"), ...number(({ publishers }) => count(publishers)) },
    { title: t("sent"), ...number(({ mbpsOut }) => rate(mbpsOut * 1000)) },
    {
      title: t("restarts"),
      cell: ({ restarts, lastDeath }) =>
        lastDeath === null
          ? count(restarts)
          : html`${count(restarts)} <small class="quiet-text">${lastDeath.cause}, ${t("ago", duration(lastDeath.secondsAgo))}</small>`,
    },
    { title: t("uptime"), cell: ({ upSeconds }) => (upSeconds === null ? none : duration(upSeconds)) },
    {
      title: t("actions"),
      cell: ({ name, duty }) =>
        duty === null || name === "master" || (plan === "b" && duty === "server")
          ? ""
          : html`<${ActButton}
              isQuiet
              act=${{ verb: "restart", name, question: t("ask.restart", name), label: t("restart") }}
              onDone=${again}
            />`,
    },
  ];
}

function kindOf(state: string): "good" | "strained" | "bad" | "quiet" {
  if (state === "up") return "good";
  return state === "failed" ? "bad" : state === "draining" || state === "stopping" ? "quiet" : "strained";
}

/** The hour that the server has kept, and what has come since: only that is asked for. */
function Charts({ theme }: { readonly theme: string }): VNode {
  const [history, setHistory] = useState<History | null>(null);
  const { data } = usePolled("history", 5000, (signal) => ask<History>("history", { since: history?.at.at(-1) ?? 0 }, signal));
  useEffect(() => {
    if (data !== null) setHistory((before: History | null) => joined(before, data));
  }, [data]);
  const at = (history?.at ?? []).map((ms) => ms / 1000);
  const values = (name: Series): readonly number[] => history?.columns[name] ?? [];
  const common = { at, stepSeconds: (history?.stepMs ?? 5000) / 1000, spanSeconds: (history?.keptMs ?? 3_600_000) / 1000, theme };
  return html`<section>
    <h2>${t("lastHour")}</h2>
    <div class="charts">
      <${Chart} ...${common} title=${t("viewers")} format=${count} lines=${[{ label: "", color: "--accent", values: values("players") }]} />
      <${Chart}
        ...${common}
        title=${t("traffic")}
        format=${(value: number) => rate(value * 1000)}
        lines=${[
          { label: t("out"), color: "--accent", values: values("mbpsOut") },
          { label: t("in"), color: "--second", values: values("mbpsIn") },
        ]}
      />
      <${Chart} ...${common} title=${t("cpu")} format=${percent} lines=${[{ label: "", color: "--accent", values: values("cpu") }]} />
      <${Chart}
        ...${common}
        title=${t("lag")}
        format=${(value: number) => `${Math.round(value)} ms`}
        lines=${[{ label: "", color: "--accent", values: values("lagMs") }]}
      />
    </div>
  </section>`;
}

function joined(before: History | null, news: History): History {
  const last = before?.at.at(-1) ?? 0;
  if (before === null || (news.at[0] ?? Infinity) <= last) return before === null ? news : before;
  const from = Date.now() - news.keptMs;
  const kept = before.at.findIndex((at) => at > from);
  const join = (old: readonly number[], next: readonly number[]): number[] => [...old.slice(Math.max(0, kept)), ...next];
  const names = Object.keys(news.columns) as Series[];
  const columns = Object.fromEntries(names.map((name) => [name, join(before.columns[name], news.columns[name])])) as Record<
    Series,
    number[]
  >;
  return { ...news, at: join(before.at, news.at), columns };
}
