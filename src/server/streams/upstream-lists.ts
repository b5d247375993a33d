// The upstream servers of each vhost, as the configuration names them. A list that is as it was keeps what was learned of its servers.
import { isDeepStrictEqual } from "node:util";
import type { ServerSetup } from "../../ipc/messages.js";
import { makeUpstreams, ownOriginPauseMs, type Upstreams } from "../relay/upstreams.js";

/** Those of one process. Nothing to close. */
export class UpstreamLists {
  private lists: ReadonlyMap<string, Upstreams> = new Map();

  renew({ config, isEdge }: Pick<ServerSetup, "config" | "isEdge">): void {
    const before = this.lists;
    this.lists = new Map(
      config.vhosts.map(({ name, cluster }) => {
        const known = before.get(name);
        const longestPauseMs = isEdge ? ownOriginPauseMs : undefined;
        return [name, isDeepStrictEqual(known?.endpoints, cluster.origins) ? known! : makeUpstreams(cluster.origins, longestPauseMs)];
      }),
    );
  }

  /** Of a vhost of `mode remote`. */
  of(vhost: string): Upstreams {
    return this.lists.get(vhost)!;
  }
}
