// Other servers: those that streams come from and go to, those behind the proxies of plan b, and those that are called.
import { html } from "htm/preact";
import type { ComponentChildren, VNode } from "preact";
import type { Relays } from "../../../src/admin/site/shapes.js";
import { ask } from "../lib/api.js";
import { count, duration } from "../lib/format.js";
import { ActButton, Badge, Lost, Table, Waiting } from "../lib/parts.js";
import { usePolled } from "../lib/poll.js";
import { t } from "../lib/words.js";

type Server = Relays["servers"][number];
type Relay = Relays["upstreams"][number];
type Hook = Relays["hooks"][number];
type Coworker = Relays["coworkers"][number];

export function RelaysPage(): VNode {
  const { data, error, again } = usePolled("relays", 3000, (signal) => ask<Relays>("relays", {}, signal));
  if (data === null)
    return html`<h2>${t("servers")}</h2>
      <${Waiting} error=${error} />`;
  const relayColumns = [
    { title: t("server"), cell: ({ server }: Relay) => server },
    {
      title: t("state"),
      cell: ({ isDown, streams }: Relay) =>
        isDown
          ? html`<${Badge} kind="bad">${t("down")}<//>`
          : html`<${Badge} kind=${streams > 0 ? "good" : "quiet"}>${t(streams > 0 ? "up" : "idle")}<//>`,
    },
    { title: t("vhost"), cell: ({ vhost }: Relay) => vhost },
    { title: t("streams"), isNumber: true, cell: ({ streams }: Relay) => count(streams) },
    {
      title: t("failures"),
      isNumber: true,
      cell: ({ failures, code }: Relay) =>
        html`${code === "" ? "" : html`<small class="quiet-text">${code}</small> `}${troubles(failures, "strained")}`,
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
      cell: ({ failures }: Hook) => troubles(failures, "bad"),
    },
    { title: t("refusals"), isNumber: true, cell: ({ refusals }: Hook) => count(refusals) },
    {
      title: t("dropped"),
      isNumber: true,
      cell: ({ dropped }: Hook) => troubles(dropped, "bad"),
    },
    { title: t("mean"), isNumber: true, cell: ({ meanMs }: Hook) => (meanMs === null ? "–" : `${Math.round(meanMs)} ms`) },
  ];
  const coworkerColumns = [
    { title: t("server"), cell: ({ server }: Coworker) => server },
    {
      title: t("state"),
      cell: ({ state }: Coworker) =>
        html`<${Badge} kind=${state === "up" ? "good" : state === "down" ? "bad" : "quiet"}
          >${t(state === "up" ? "up" : state === "down" ? "down" : "notAsked")}<//
        >`,
    },
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
    ${data.registry !== null && html`<${Registry} registry=${data.registry} />`}
    ${
      data.coworkers.length > 0 &&
      html`<section>
        <h3>${t("coworkers")}</h3>
        <${Table}
          caption=${t("coworkers")}
          columns=${coworkerColumns}
          rows=${data.coworkers}
          keyOf=${({ server }: Coworker) => server}
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

/** How often something went wrong: never is nothing to look at. */
function troubles(times: number, kind: "strained" | "bad"): ComponentChildren {
  return times === 0 ? count(0) : html`<${Badge} kind=${kind}>${count(times)}<//>`;
}

/** What the box knows of the registry of its site. */
function Registry({ registry }: { readonly registry: NonNullable<Relays["registry"]> }): VNode {
  const { address, node, isConnected, heardMs, nodes, held, unconfirmed, standby, conflicts } = registry;
  const facts: readonly [string, ComponentChildren][] = [
    [t("address"), address],
    [t("lastHeard"), heardMs === null ? t("never") : t("ago", duration(heardMs / 1000))],
    [t("thisNode"), node],
    [t("nodes"), html`<a href="#/cluster">${count(nodes)}</a>`],
    [t("heldStreams"), `${count(held)}${unconfirmed > 0 ? ` (${t("unconfirmed", count(unconfirmed))})` : ""}`],
    [t("standby"), count(standby)],
    [t("conflicts"), count(conflicts)],
  ];
  return html`<section>
    <h3>${t("registry")} <${Badge} kind=${isConnected ? "good" : "bad"}>${t(isConnected ? "up" : "down")}<//></h3>
    ${!isConnected && html`<p class="quiet-text">${t("registryHint")}</p>`}
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}
