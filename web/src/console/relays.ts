// Other servers: those that streams come from and go to, those behind the proxies of plan b, and those that are called.
import { html } from "htm/preact";
import type { VNode } from "preact";
import type { Relays } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { count } from "../lib/format.js";
import { ActButton, Badge, Lost, Table, Waiting } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";

type Server = Relays["servers"][number];
type Relay = Relays["upstreams"][number];
type Hook = Relays["hooks"][number];

export function RelaysPage(): VNode {
  const { data, error, again } = usePolled("relays", 3000, (signal) => ask<Relays>("relays", {}, signal));
  if (data === null)
    return html`<h2>${t("servers")}</h2>
      <${Waiting} error=${error} />`;
  const relayColumns = [
    { title: t("server"), cell: ({ server }: Relay) => server },
    { title: t("vhost"), cell: ({ vhost }: Relay) => vhost },
    { title: t("streams"), isNumber: true, cell: ({ streams }: Relay) => count(streams) },
    {
      title: t("failures"),
      isNumber: true,
      cell: ({ failures, code }: Relay) =>
        html`<${Badge} kind=${failures > 0 ? "strained" : "good"}>${count(failures)}<//>${code === "" ? "" : html` <code>${code}</code>`}`,
    },
  ];
  const serverColumns = [
    { title: t("server"), cell: ({ name, address }: Server) => html`${name} <small class="quiet-text">${address}</small>` },
    {
      title: t("state"),
      cell: ({ isUp, isDraining }: Server) =>
        html`<${Badge} kind=${!isUp ? "bad" : isDraining ? "quiet" : "good"}
          >${!isUp ? t("down") : isDraining ? t("draining") : t("up")}<//
        >`,
    },
    { title: t("connections"), isNumber: true, cell: ({ connections }: Server) => count(connections) },
    { title: t("weight"), isNumber: true, cell: ({ weight }: Server) => weight },
    {
      title: t("actions"),
      cell: ({ name, isDraining }: Server) =>
        isDraining
          ? html`<${ActButton}
              isQuiet
              act=${{ verb: "undrain", name, question: t("ask.undrain", name), label: t("undrain") }}
              onDone=${again}
            />`
          : html`<${ActButton}
              isQuiet
              act=${{ verb: "drain", name, question: t("ask.drain", name), label: t("drain") }}
              onDone=${again}
            />`,
    },
  ];
  const hookColumns = [
    { title: t("url"), cell: ({ url }: Hook) => html`<code>${url}</code>` },
    { title: t("event"), cell: ({ on }: Hook) => on },
    { title: t("calls"), isNumber: true, cell: ({ calls }: Hook) => count(calls) },
    {
      title: t("failures"),
      isNumber: true,
      cell: ({ failures }: Hook) => html`<${Badge} kind=${failures > 0 ? "bad" : "good"}>${count(failures)}<//>`,
    },
    { title: t("refusals"), isNumber: true, cell: ({ refusals }: Hook) => count(refusals) },
    {
      title: t("dropped"),
      isNumber: true,
      cell: ({ dropped }: Hook) => html`<${Badge} kind=${dropped > 0 ? "bad" : "good"}>${count(dropped)}<//>`,
    },
    { title: t("mean"), isNumber: true, cell: ({ meanMs }: Hook) => (meanMs === null ? "–" : `${Math.round(meanMs)} ms`) },
  ];
  const keyOf = ({ server, vhost }: Relay): string => `${vhost} ${server}`;
  return html`<h2>${t("servers")}</h2>
    <${Lost} error=${error} />
    ${
      data.servers.length > 0 &&
      html`<section>
        <h3>${t("backends")}</h3>
        <${Table}
          caption=${t("backends")}
          columns=${serverColumns}
          rows=${data.servers}
          keyOf=${({ name }: Server) => name}
          empty=${t("nothing")}
        />
      </section>`
    }
    <section>
      <h3>${t("upstreams")}</h3>
      <${Table} caption=${t("upstreams")} columns=${relayColumns} rows=${data.upstreams} keyOf=${keyOf} empty=${t("noUpstreams")} />
    </section>
    <section>
      <h3>${t("forwards")}</h3>
      <${Table} caption=${t("forwards")} columns=${relayColumns} rows=${data.forwards} keyOf=${keyOf} empty=${t("noForwards")} />
    </section>
    <section>
      <h3>${t("hooks")}</h3>
      <${Table}
        caption=${t("hooks")}
        columns=${hookColumns}
        rows=${data.hooks}
        keyOf=${({ on, url }: Hook) => `${on} ${url}`}
        empty=${t("noHooks")}
      />
    </section>`;
}
