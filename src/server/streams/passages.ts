// Publishers whose media goes on to an origin, in a process that is an edge for them: one push each, under the name of its stream.
import { DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint, Vhost } from "../../conf/meaning/config.js";
import type { ServerSetup } from "../../ipc/messages.js";
import type { Publication, Publisher } from "../peers/publication.js";
import type { Traffic } from "../peers/traffic.js";
import { EdgePush } from "../relay/edge-push.js";
import { Replay } from "../relay/replay.js";
import { makePass, makeUpstreams } from "../relay/upstreams.js";
import { toOrigin } from "./introductions.js";
import { busy, keyOf, upstreamRequest, type Passage } from "./live-stream.js";
import { jitterOf } from "./settings.js";
import type { UpstreamLists } from "./upstream-lists.js";

/** The origins that an edge has found on the site; null: it goes by those of its configuration. */
export type OriginsOf = readonly Endpoint[] | null;

interface PassagesParts {
  readonly upstreams: UpstreamLists;
  readonly traffic: Traffic;
  /** As it is now. */
  setup(): ServerSetup;
  nextOrder(): number;
  logOf(vhost: Vhost, request: StreamRequest): Log;
}

/** Those of one process. `close` ends them. */
export class Passages {
  readonly all = new Map<string, Passage>();
  private readonly parts: PassagesParts;

  constructor(parts: PassagesParts) {
    this.parts = parts;
  }

  /** Begins to pass on. Throws RTMP_BUSY while another does under this name. */
  begin(vhost: Vhost, request: StreamRequest, publisher: Publisher, origins: OriginsOf): Publication {
    const { upstreams, traffic } = this.parts;
    const setup = this.parts.setup();
    const key = keyOf(vhost, request);
    if (this.all.has(key)) throw busy(key);
    const push = new EdgePush({
      pass: makePass(origins === null ? upstreams.of(vhost.name) : makeUpstreams(origins)),
      request: upstreamRequest(vhost, request),
      args: toOrigin(setup, vhost, request),
      publisher,
      traffic,
      replay: setup.isEdge && setup.config.dolphin.carriesSessions ? new Replay(jitterOf(vhost)) : null,
      onEnd: () => void this.all.delete(key),
      log: this.parts.logOf(vhost, request),
    });
    this.all.set(key, { order: this.parts.nextOrder(), push, publisher, vhost: vhost.name, request });
    return push;
  }

  /** Goes by another configuration. A push cannot change its origin under way: the encoder comes again. */
  adopt(): void {
    const { vhosts } = this.parts.setup().config;
    for (const { push, publisher, vhost: name, request } of this.all.values()) {
      const vhost = vhosts.find((one) => one.name === name);
      if (vhost === undefined || vhost.cluster.findsOrigin || push.isFor(vhost.cluster.origins, upstreamRequest(vhost, request))) continue;
      publisher.onEnded(new DolphinError("RTMP_RELOAD", `the vhost ${name} has other origins now`));
    }
  }

  close(): void {
    for (const { push } of this.all.values()) push.close();
  }
}
