// What a process tells of its clients and streams when it is asked, some hundred rows in a turn of the event loop, and how it sends
// clients away. Nothing here is done while nobody asks.
import type { Dispersing } from "../../base/crowd.js";
import { DolphinError } from "../../base/errors.js";
import { pageRows, type Listed, type ListPage } from "../../ipc/lists.js";
import type { StreamReport, Whom } from "../../ipc/messages.js";
import type { Client } from "../peers/clients.js";

/** The parts of a hub that are listed. */
export interface Listable {
  readonly clients: Iterable<Client>;
  /** By the order in which they came. */
  reports(after: number, most: number): readonly { readonly order: number; readonly report: StreamReport }[];
}

/** The rows behind the one of this order. */
export function listPage(hub: Listable, what: Listed, after: number): ListPage {
  const rows = what === "streams" ? hub.reports(after, pageRows) : clientsBehind(hub.clients, after);
  const last = rows.length < pageRows ? null : (rows.at(-1)?.order ?? null);
  return { rows: rows.map(({ report }) => JSON.stringify(report)).join(","), next: last };
}

/** Those of a set that is in the order of coming; the box's own pulls are passed over. */
function clientsBehind(clients: Iterable<Client>, after: number): { readonly order: number; readonly report: unknown }[] {
  const rows: { readonly order: number; readonly report: unknown }[] = [];
  for (const client of clients) {
    if (client.order <= after) continue;
    const report = client.report();
    if (report !== null) rows.push({ order: client.order, report });
    if (rows.length === pageRows) break;
  }
  return rows;
}

/** Sends clients away. Gives how many. */
export function kick(clients: Iterable<Client>, whom: Whom): number {
  const isMeant = (client: Client): boolean => {
    if ("client" in whom) return client.id === whom.client;
    const report = client.report();
    return report !== null && `${report.vhost}/${report.app}/${report.stream}` === whom.stream;
  };
  const meant = [...clients].filter(isMeant);
  for (const client of meant) client.dismiss(new DolphinError("RTMP_KICKED", "an operator has ended this connection"));
  return meant.length;
}

/** Those who can be sent away when a process drains, in the order of coming: viewers first, for publishers have viewers. */
export function leaversOf(clients: ReadonlySet<Client>, reason: string): Dispersing {
  // Over HLS there is no connection that lasts: the next request goes elsewhere.
  const hasConnection = ({ protocol }: Client): boolean => protocol !== "hls";
  const those = (does: Client["does"]): Client[] => [...clients].filter((one) => hasConnection(one) && one.does === does);
  return {
    left: () => [...clients].filter(hasConnection).length,
    sendAway(count) {
      let more = count;
      for (const client of [...those("play"), ...those("publish")]) {
        if (more === 0) return;
        if (client.report() === null) continue; // the box's own
        client.dismiss(new DolphinError("RTMP_DRAINED", reason));
        more -= 1;
      }
    },
  };
}
