// Players that are sent to the origin which has their stream, as SRS's origins do it (RTMP 302), by what `cluster_play` says and by what
// they can do. Everybody else stays, and the stream is pulled for them (the hub's finding.ts).
import { defaultVhost } from "../../base/host-name.js";
import { makeCommand } from "../../codec/rtmp/command.js";
import { playStarted } from "../../codec/rtmp/dialogue.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { Asked, Caller } from "../peers/caller.js";
import type { Hub } from "../streams/hub.js";
import { keyOf } from "../streams/live-stream.js";
import type { Connection } from "./connection.js";

interface SentFrom {
  readonly connection: Connection;
  close(reason: string): void;
}

/** How long a player that was sent on may take to leave by itself. */
const sentOnTimeoutMs = 3_000;

/** Looks for a player's stream elsewhere, where it may be sent there; null: it stays. `told` hears of a server, or null, later. */
export function seekElsewhere(hub: Hub, caller: Caller, asked: Asked, told: (server: Endpoint | null) => void): { leave(): void } | null {
  const { vhost, request } = asked;
  const { clusterPlay } = hub.setup.config.dolphin;
  if ((request.hops ?? 0) > 0) return null; // a box of the site, which has chosen this one
  const isAsked = clusterPlay === "redirect" || (clusterPlay === "auto" && caller.follows);
  if (!isAsked || !vhost.cluster.isInOriginCluster || caller.edgeName !== null) return null;
  if (hub.streams.get(keyOf(vhost, request))?.source.hasPublisher === true) return null; // it flows here
  const asking = new AbortController();
  hub.locate(vhost, request, asking.signal).then(
    ({ isHere, servers: [first = null] }) => asking.signal.aborted || told(isHere ? null : first),
    () => asking.signal.aborted || told(null), // nobody could be asked: it waits here
  );
  return { leave: () => asking.abort() };
}

/** Sends a player on, and gives it a moment to go by itself. */
export function sendOn(owner: SentFrom, streamId: number, asked: Asked, server: Endpoint): void {
  const { connection } = owner;
  connection.write([...playStarted(streamId), sentOnNotice(asked, server)]);
  connection.tell({ event: "play.sent-on", upstream: formatEndpoint(server) });
  connection.deadline.set(sentOnTimeoutMs, () => owner.close(`it was sent on to ${formatEndpoint(server)}`));
}

/** In the words of SRS: the server's stream in `redirect2`, and its app for old players in `redirect`. */
function sentOnNotice({ vhost, request }: Pick<Asked, "vhost" | "request">, server: Endpoint): Message {
  const app = `rtmp://${formatEndpoint(server)}/${request.app}`;
  const named = vhost.name === defaultVhost ? "" : `${request.params === "" ? "?" : "&"}vhost=${request.vhost}`;
  const ex = { code: 302, redirect: app, redirect2: `${app}/${request.stream}${request.params}${named}` };
  const information = { level: "error", code: "NetConnection.Connect.Rejected", description: "RTMP 302 Redirect", ex };
  return makeCommand(0, "onStatus", 0, null, information);
}
