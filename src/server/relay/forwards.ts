// The forwards of one stream: one for each destination, begun and ended as destinations come and go.
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { Forward, type ForwardOptions } from "./forward.js";

/** All forwards of a stream; without destinations there is nothing to close. */
export class Forwards {
  private readonly options: Omit<ForwardOptions, "endpoint" | "request">;
  private readonly running = new Map<string, Forward>();

  constructor(options: Omit<ForwardOptions, "endpoint" | "request">) {
    this.options = options;
  }

  /** Forwards to exactly these destinations from now on; one that was there before keeps its connection. */
  aim(destinations: readonly Endpoint[], request: StreamRequest): void {
    const wanted = new Map(destinations.map((endpoint) => [`${formatEndpoint(endpoint)}/${request.vhost}`, endpoint]));
    for (const [key, forward] of this.running) {
      if (wanted.has(key)) continue;
      forward.close();
      this.running.delete(key);
    }
    for (const [key, endpoint] of wanted) {
      if (!this.running.has(key)) this.running.set(key, new Forward({ ...this.options, endpoint, request }));
    }
  }

  close(): void {
    for (const forward of this.running.values()) forward.close();
    this.running.clear();
  }
}
