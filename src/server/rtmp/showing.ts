// What operators are shown of somebody who plays or publishes over RTMP: a row of a list, when they ask, and that he publishes.
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { ClientReport } from "../../ipc/lists.js";
import type { Asked, Caller } from "../peers/caller.js";
import type { Client } from "../peers/clients.js";
import { clientOf, peerOf } from "../peers/peer.js";
import type { Hub } from "../streams/hub.js";
import type { Connection } from "./connection.js";

/** Whose connection it is. */
interface Shown {
  readonly hub: Hub;
  readonly connection: Connection;
  readonly caller: Caller;
}

interface Session {
  readonly does: Client["does"];
  readonly id: string;
  readonly request: StreamRequest;
  readonly vhost: Vhost;
}

/** Null for one of the box's own edges. */
export function reportOf({ connection, caller }: Shown, { does, id, request, vhost }: Session): ClientReport | null {
  if (caller.edgeName !== null) return null;
  const { app, stream } = request;
  const { bytesIn, bytesOut } = connection.account();
  const { tcUrl, pageUrl, swfUrl, isFmle } = caller;
  const type = does === "play" ? "rtmp-play" : isFmle ? "fmle-publish" : "flash-publish";
  const { host: ip } = clientOf(connection.socket);
  const said = { ip, tcUrl, pageUrl, swfUrl, name: stream };
  return { id, vhost: vhost.name, app, stream, type, ...said, sinceMs: connection.sinceMs, bytesIn, bytesOut };
}

const words = {
  "publish.started": "is published",
  "publish.resumed": "goes on in another process",
  "publish.ended": "is not published any more",
};

/** Tells operators; what an own edge passes on they hear of from there. */
export function announce({ hub, connection, caller }: Shown, asked: Asked, event: keyof typeof words): void {
  if (caller.edgeName !== null) return;
  const { vhost, request, client } = asked;
  const stream = `${vhost.name}/${request.app}/${request.stream}`;
  hub.tell({ event, msg: `${stream} ${words[event]}`, stream, client: client.id, peer: peerOf(connection.socket) });
}
