// What `publish` and `play` have in common before anything begins: a name that is one, a vhost that serves it, and that lets in whoever
// is new. Own edges ask for somebody whom they have let in.
import { DolphinError } from "../../base/errors.js";
import type { AmfValue } from "../../codec/rtmp/amf0.js";
import type { ClientReport } from "../../ipc/lists.js";
import { checkAccess } from "../peers/access.js";
import { requestOf, type Asked } from "../peers/caller.js";
import { sessionIdOf, type Client } from "../peers/clients.js";
import { clientOf } from "../peers/peer.js";
import { namesOf } from "./connection.js";
import type { EntryOwner } from "./entry.js";
import { reportOf } from "./showing.js";

export interface Wish extends Pick<Client, "dismiss" | "letGo"> {
  readonly does: Client["does"];
  /** As the command names it. */
  readonly name: AmfValue;
  /** The message stream that the command came on. */
  readonly streamId: number;
  /** Whether no process has let it in before. */
  readonly isNew: boolean;
}

/** Throws what keeps it from beginning. */
export function askedFor(owner: EntryOwner, { does, name, streamId, isNew, dismiss, letGo }: Wish): Asked {
  const { hub, connection, caller } = owner;
  connection.doing = `asking to ${does}`;
  if (typeof name !== "string") throw new DolphinError("RTMP_COMMAND", `${does} names no stream`);
  const request = requestOf(caller, name);
  const vhost = hub.vhostOf(request);
  connection.concern(namesOf({ request, vhost }));
  if (isNew && caller.edgeName === null) checkAccess(vhost, { does, host: clientOf(connection.socket).host, page: caller.pageUrl });
  const id = sessionIdOf(connection.conn, streamId);
  const report = (): ClientReport | null => reportOf(owner, { does, id, request, vhost });
  const order = hub.nextOrder();
  return { name, request, vhost, client: { does, protocol: "rtmp", asked: request.vhost, vhost, id, order, report, dismiss, letGo } };
}
