// The forwards of one stream: one for each destination, begun and ended as destinations come and go. What they learn of a destination
// is shared with those of other streams.
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { AmfObject } from "../../codec/rtmp/amf0.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { Forward, type ForwardOptions } from "./forward.js";
import { makeUpstreams, type Upstreams } from "./upstreams.js";

/** What all streams of a process know of the servers that they are forwarded to. */
export class Destinations {
  private readonly known = new Map<string, Upstreams>();

  at(endpoint: Endpoint): Upstreams {
    const key = formatEndpoint(endpoint);
    const upstreams = this.known.get(key) ?? makeUpstreams([endpoint]);
    this.known.set(key, upstreams);
    return upstreams;
  }
}

/** A server, and the stream as it is to be called there. */
export interface ForwardTarget {
  readonly endpoint: Endpoint;
  readonly request: StreamRequest;
}

interface ForwardsOptions extends Omit<ForwardOptions, "upstreams" | "request" | "args"> {
  readonly destinations: Destinations;
}

/** All forwards of a stream; without destinations there is nothing to close. */
export class Forwards {
  private readonly options: ForwardsOptions;
  private readonly running = new Map<string, Forward>();

  constructor(options: ForwardsOptions) {
    this.options = options;
  }

  /** Forwards to exactly these from now on, introduced by `args`; one that was there before keeps its connection. */
  aim(targets: readonly ForwardTarget[], args: AmfObject): void {
    const wanted = new Map(targets.map((target) => [keyOf(target), target]));
    for (const [key, forward] of this.running) {
      if (wanted.has(key)) continue;
      forward.close();
      this.running.delete(key);
    }
    for (const [key, { endpoint, request }] of wanted) {
      if (this.running.has(key)) continue;
      const upstreams = this.options.destinations.at(endpoint);
      this.running.set(key, new Forward({ ...this.options, upstreams, request, args }));
    }
  }

  get list(): readonly Forward[] {
    return [...this.running.values()];
  }

  close(): void {
    for (const forward of this.running.values()) forward.close();
    this.running.clear();
  }
}

function keyOf({ endpoint, request: { vhost, app, stream, params } }: ForwardTarget): string {
  return `${formatEndpoint(endpoint)}/${vhost}/${app}/${stream}${params}`;
}
