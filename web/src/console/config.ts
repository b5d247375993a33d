// The configuration in force, as names and values.
import { html } from "htm/preact";
import { useState } from "preact/hooks";
import type { VNode } from "preact";
import type { ConfigTree } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { Search, Table, Waiting } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";

interface Setting {
  readonly name: string;
  readonly value: string;
}

export function ConfigPage(): VNode {
  const { data, error } = usePolled("config", 10_000, (signal) => ask<ConfigTree>("config", {}, signal));
  const [q, setQ] = useState("");
  const words = q.toLowerCase().split(/\s+/);
  const rows =
    data === null
      ? []
      : settingsOf(data, "").filter(({ name, value }) => words.every((word) => `${name} ${value}`.toLowerCase().includes(word)));
  const columns = [
    { title: t("configuration"), cell: ({ name }: Setting) => html`<code>${name}</code>` },
    { title: "", cell: ({ value }: Setting) => html`<code class="wrap">${value}</code>` },
  ];
  return html`<div class="row">
      <h2>${t("configuration")}</h2>
      <${Search} label=${t("searchConfig")} value=${q} onInput=${setQ} />
    </div>
    <p class="quiet-text">${t("configHint")}</p>
    ${data === null ? html`<${Waiting} error=${error} />` : html`<${Table} caption=${t("configuration")} columns=${columns} rows=${rows} keyOf=${({ name }: Setting) => name} empty=${t("nothing")} />`}`;
}

/** A vhost is known by its name, and an address is one value. */
function settingsOf(value: unknown, path: string): Setting[] {
  if (typeof value !== "object" || value === null) return [{ name: path, value: value === null ? "–" : String(value) }];
  const { host, port, name } = value as { readonly host?: unknown; readonly port?: unknown; readonly name?: unknown };
  if (typeof host === "string" && typeof port === "number")
    return [{ name: path, value: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` }];
  if (Array.isArray(value) && value.length === 0) return [{ name: path, value: "–" }];
  const items: readonly [string, unknown][] = Array.isArray(value)
    ? value.map((item: unknown, i): [string, unknown] => [labelOf(item, i), item])
    : Object.entries(value).filter(([key]) => key !== "name" || typeof name !== "string" || path === "");
  return items.flatMap(([key, member]) => settingsOf(member, path === "" ? key : `${path}.${key}`));
}

function labelOf(item: unknown, at: number): string {
  const { name } = (typeof item === "object" && item !== null ? item : {}) as { readonly name?: unknown };
  return typeof name === "string" && name !== "" ? name : String(at + 1);
}
