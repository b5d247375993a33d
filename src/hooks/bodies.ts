// What hooks tell, member by member as SRS 7 writes them. Pure.
import { defaultVhost } from "../base/host-name.js";
import type { HookBody } from "../ipc/dues.js";
import type { Identity } from "../ipc/identity.js";
import { streamId } from "../ipc/identity.js";

/** A client, and the stream that it asks for. */
export interface Visitor {
  /** The connection's id, as lines of the log have it. */
  readonly conn: string;
  /** The client's, as the API has it: the connection's, but of a message stream beyond its first. */
  readonly id: string;
  readonly ip: string;
  /** The vhost that serves it. */
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** With its question mark; empty where there is none. */
  readonly params: string;
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** Of a publisher on a site with a registry: above those of all who came before him under this name. */
  readonly fence?: number;
}

/** The hooks about a client. */
export type VisitAction = "on_connect" | "on_close" | "on_publish" | "on_unpublish" | "on_play" | "on_stop" | "on_forward";

/** `clients`: how many play the stream, where the hook tells that. */
export function bodyOf(action: VisitAction, visitor: Visitor, identity: Identity, clients: number | null = null): HookBody {
  const { conn, id, ip, vhost, app, stream, params: param, tcUrl, pageUrl } = visitor;
  const clientId = action === "on_connect" || action === "on_close" ? conn : id;
  const common = { server_id: identity.serverId, service_id: identity.serviceId, action, client_id: clientId, ip, vhost, app };
  const url = { stream_url: streamUrlOf(visitor), stream_id: streamId(`${vhost}/${app}/${stream}`) };
  const fenced = visitor.fence === undefined ? {} : { fence: visitor.fence };
  const counted = clients === null ? {} : { clients };
  switch (action) {
    case "on_connect":
      return { ...common, stream, param, tcUrl, pageUrl };
    case "on_close":
      return { ...common, send_bytes: 0, recv_bytes: 0 };
    case "on_publish":
    case "on_unpublish":
      return { ...common, tcUrl, stream, param, ...url, ...fenced };
    case "on_play":
      return { ...common, stream, tcUrl, param, pageUrl, ...url, ...counted };
    case "on_stop":
      return { ...common, tcUrl, stream, param, ...url, ...counted };
    case "on_forward":
      break;
  }
  return { ...common, tcUrl, stream, param };
}

/** `/live/livestream`, behind the name of a vhost that is not the default one. */
function streamUrlOf({ vhost, app, stream }: Pick<Visitor, "vhost" | "app" | "stream">): string {
  return `${vhost === defaultVhost ? "" : vhost}/${app}/${stream}`;
}
