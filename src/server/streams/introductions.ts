// What this process tells another server of itself and of the stream that it asks for or gives, in the second object of `connect`:
// servers that are not ours leave it out of account. Pure.
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { ServerSetup } from "../../ipc/messages.js";
import { upnodeArgs } from "../../wire/client.js";
import { hopsArgs, placeOf, viaArgs } from "../peers/via.js";

type Self = Pick<ServerSetup, "isEdge" | "name" | "edgeKey" | "config">;

/**
 * The place that this process is to a stream's way. A box is one place, for a stream enters it once; servers of plan b are places of
 * their own, who may have a stream from each other. An heir is where the one before it was.
 */
export function ownPlace({ name, edgeKey, config }: Self, vhost: Vhost, request: StreamRequest): string | null {
  const isOneOfMany = edgeKey !== "" && config.dolphin.plan === "b";
  return placeOf(isOneOfMany ? `${edgeKey}/${name.replace(/\.\d+$/, "")}` : edgeKey, vhost.name, request);
}

/** To the origin of an edge; null: nothing. */
export function toOrigin(self: Self, vhost: Vhost, request: StreamRequest): AmfObject | null {
  const { via = [], hops = 0 } = request;
  if (self.isEdge) return { ...upnodeArgs(self.name, self.edgeKey), ...viaArgs(via), ...hopsArgs(hops) };
  return vhost.cluster.debugSrsUpnode ? { ...upnodeArgs(self.name, ""), ...onwards(self, vhost, request) } : null;
}

/** To a server that a stream is passed on to. */
export function toOther(self: Self, vhost: Vhost, request: StreamRequest): AmfObject {
  return { ...upnodeArgs(self.name, ""), ...onwards(self, vhost, request) };
}

/** To another box of the site, which has the stream. */
export function toPeer(self: Self, vhost: Vhost, request: StreamRequest): AmfObject {
  return { ...toOther(self, vhost, request), ...hopsArgs((request.hops ?? 0) + 1) };
}

/** Where a stream has been, this place included. */
function onwards(self: Self, vhost: Vhost, request: StreamRequest): AmfObject {
  const place = ownPlace(self, vhost, request);
  return viaArgs([...(request.via ?? []), ...(place === null ? [] : [place])]);
}
