// What the pages are built of: tables that sort and page, badges, buttons that ask before they act, text that can be copied. Names of
// streams and clients come from the network: all of them are text here, and never markup.
import { html } from "htm/preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, VNode } from "preact";
import type { Page } from "../../../src/admin/site/shapes.js";
import { act, Refused, setToken } from "./api.js";
import { count } from "./format.js";
import { t } from "./words.js";

/** A state in a word, a colour and a sign, so that no one of them carries it alone. */
export function Badge({
  kind,
  children,
}: {
  readonly kind: "good" | "strained" | "bad" | "quiet" | "live";
  readonly children?: ComponentChildren;
}): VNode {
  const sign = { good: "●", strained: "▲", bad: "■", quiet: "○", live: "●" }[kind];
  return html`<span class="badge ${kind}"><span aria-hidden="true">${sign}</span> ${children}</span>`;
}

export interface Column<Row> {
  readonly title: string;
  /** By which the server sorts; absent: not by this one. */
  readonly sort?: string;
  readonly isNumber?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly empty: string;
  /** `column` or `-column`; absent: it cannot be sorted. */
  readonly sort?: string;
  readonly onSort?: (sort: string) => void;
}

export function Table<Row>({ caption, columns, rows, keyOf, empty, sort = "", onSort }: TableProps<Row>): VNode {
  const head = ({ title, sort: by, isNumber = false }: Column<Row>): VNode => {
    if (by === undefined || onSort === undefined) return html`<th scope="col" class=${isNumber ? "number" : ""}>${title}</th>`;
    const isBy = sort === by || sort === `-${by}`;
    const order = !isBy ? "none" : sort === by ? "ascending" : "descending";
    const next = sort === by ? `-${by}` : sort === `-${by}` ? by : isNumber ? `-${by}` : by;
    return html`<th scope="col" class=${isNumber ? "number" : ""} aria-sort=${order}>
      <button type="button" class="sort" onClick=${() => onSort(next)} title=${t("sort", title)}>
        ${title}<span aria-hidden="true">${isBy ? (sort === by ? " ▴" : " ▾") : ""}</span>
      </button>
    </th>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class="hidden">
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map(head)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr key=${keyOf(row)}>
              ${columns.map(({ cell, isNumber = false, title }, i) =>
                i === 0
                  ? html`<th scope="row" data-title=${title}>${cell(row)}</th>`
                  : html`<td class=${isNumber ? "number" : ""} data-title=${title}>${cell(row)}</td>`,
              )}
            </tr>`,
        )}
        ${
          rows.length === 0 &&
          html`<tr>
            <td class="empty" colspan=${columns.length}>${empty}</td>
          </tr>`
        }
      </tbody>
    </table>
  </div>`;
}

interface ListPageProps<Row> {
  readonly title: string;
  readonly searchLabel: string;
  readonly empty: string;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly query: ListQuery;
  readonly onQuery: (query: ListQuery) => void;
  readonly data: Page<Row> | null;
  readonly error: string | null;
}

/** What of a list is asked for. */
export interface ListQuery {
  readonly q: string;
  readonly sort: string;
  readonly start: number;
}

/** Rows that one page of a list shows. */
export const pageRows = 50;

/** A list that the server searches, sorts and cuts: its head with the total and the search, its rows, and how to turn over. */
export function ListPage<Row>({ title, searchLabel, empty, columns, keyOf, query, onQuery, data, error }: ListPageProps<Row>): VNode {
  return html`<div class="row">
      <h2>${title} ${data === null ? "" : html`<small class="quiet-text">${count(data.total)}</small>`}</h2>
      <${Search} label=${searchLabel} value=${query.q} onInput=${(q: string) => onQuery({ ...query, q, start: 0 })} />
    </div>
    ${
      data === null
        ? html`<${Waiting} error=${error} />`
        : html`<${Lost} error=${error} />
            <${Table}
              caption=${title}
              columns=${columns}
              rows=${data.rows}
              keyOf=${keyOf}
              empty=${empty}
              sort=${query.sort}
              onSort=${(sort: string) => onQuery({ ...query, sort, start: 0 })}
            />
            <${Pager}
              start=${data.start}
              shown=${data.rows.length}
              total=${data.total}
              go=${(start: number) => onQuery({ ...query, start })}
            />`
    }`;
}

interface PagerProps {
  readonly start: number;
  readonly shown: number;
  readonly total: number;
  readonly go: (start: number) => void;
}

/** How a list is turned over. */
export function Pager({ start, shown, total, go }: PagerProps): VNode {
  return html`<nav class="pager" aria-label=${t("rows", "", "", "")}>
    <button type="button" disabled=${start === 0} onClick=${() => go(Math.max(0, start - pageRows))} aria-label=${t("previous")}>‹</button>
    <span>${t("rows", total === 0 ? 0 : start + 1, start + shown, total)}</span>
    <button type="button" disabled=${start + shown >= total} onClick=${() => go(start + pageRows)} aria-label=${t("next")}>›</button>
  </nav>`;
}

/** A field that `/` leads to. */
export function Search({
  label,
  value,
  onInput,
}: {
  readonly label: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
}): VNode {
  return html`<input
    type="search"
    class="search"
    aria-label=${label}
    placeholder=${label}
    value=${value}
    onInput=${(event: Event) => onInput((event.target as HTMLInputElement).value)}
  />`;
}

export function Copyable({ text, label }: { readonly text: string; readonly label: string }): VNode {
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await copyText(text);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1500);
  };
  return html`<div class="copyable">
    <span class="what">${label}</span><code>${text}</code>
    <button type="button" onClick=${() => void copy()} aria-label=${`${t("copy")}: ${label}`}>${isCopied ? t("copied") : t("copy")}</button>
  </div>`;
}

/** The clipboard is for secure pages alone; elsewhere a selection is copied. */
async function copyText(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

interface Act {
  readonly verb: string;
  readonly name?: string;
  /** What is asked before it is done. */
  readonly question: string;
  readonly label: string;
}

interface Asked {
  readonly act: Act;
  readonly onDone: () => void;
}

let askInHost: (asked: Asked) => void = () => undefined;

/** A button that asks, then acts; `onDone` tells that something has changed. */
export function ActButton({ act: what, onDone, isQuiet = false }: Asked & { readonly isQuiet?: boolean }): VNode {
  return html`<button
    type="button"
    class=${isQuiet ? "quiet" : "danger"}
    onClick=${() => askInHost({ act: what, onDone })}
    aria-haspopup="dialog"
  >
    ${what.label}
  </button>`;
}

/** Where all of them ask, once in the frame of the pages: a row may be gone with its button while its act is told to be done. */
export function ActHost(): VNode | null {
  const [asked, setAsked] = useState<Asked | null>(null);
  askInHost = setAsked;
  return asked === null ? null : html`<${Confirm} act=${asked.act} onClose=${() => setAsked(null)} onDone=${asked.onDone} />`;
}

/** The question itself. Where the server wants a token it is asked for here, and the act tried again. */
function Confirm({ act: what, onClose, onDone }: Asked & { readonly onClose: () => void }): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [told, setTold] = useState<{ readonly text: string; readonly isGood: boolean } | null>(null);
  const [wantsToken, setWantsToken] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const token = useRef("");
  useEffect(() => dialog.current?.showModal(), []);
  const run = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (told?.isGood === true) return dialog.current?.close();
    if (token.current !== "") setToken(token.current);
    setBusy(true);
    try {
      const outcome = await act(what.verb, what.name);
      setTold({ text: outcome === "" ? t("done") : `${t("done")}: ${outcome}`, isGood: true });
      onDone();
      window.setTimeout(() => dialog.current?.close(), 1200);
    } catch (thrown) {
      setWantsToken(thrown instanceof Refused && thrown.needsToken);
      setTold({ text: t("failed", whyNot(thrown, token.current)), isGood: false });
    } finally {
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${onClose} aria-label=${what.label}>
    <form onSubmit=${(event: Event) => void run(event)}>
      <p>${what.question}</p>
      ${wantsToken && html`<${TokenField} onInput=${(text: string) => (token.current = text)} />`}
      <p role="status" class=${told === null ? "" : told.isGood ? "good-text" : "bad-text"}>${told?.text}</p>
      <div class="row end">
        <button type="button" onClick=${() => dialog.current?.close()}>${t("cancel")}</button>
        <button type="submit" class="danger" disabled=${isBusy}>${told?.isGood === true ? "OK" : what.label}</button>
      </div>
    </form>
  </dialog>`;
}

/** Why something was refused: what is said of tokens is said in the reader's language. */
export function whyNot(thrown: unknown, token: string): string {
  if (thrown instanceof Refused && thrown.needsToken) return t(token === "" ? "tokenMissing" : "tokenWrong");
  return thrown instanceof Error ? thrown.message : String(thrown);
}

export function TokenField({ onInput }: { readonly onInput: (text: string) => void }): VNode {
  return html`<label>
    ${t("token")}
    <input type="password" autocomplete="off" onInput=${(event: Event) => onInput((event.target as HTMLInputElement).value)} />
    <small>${t("tokenWhy")}</small>
  </label>`;
}

/** What stands in place of data that has not come. */
export function Waiting({ error }: { readonly error: string | null }): VNode {
  return error === null ? html`<p class="quiet-text" role="status">${t("loading")} …</p>` : html`<${Lost} error=${error} />`;
}

export function Lost({ error }: { readonly error: string | null }): VNode | null {
  return error === null ? null : html`<p class="banner" role="alert">${t("unreachable", error)}</p>`;
}
