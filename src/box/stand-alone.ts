// The one server of plan single, as far as another takes its place: its streams live in it, so its heir follows them over an address
// that only they use, until connections and publishers have come over.
import { until } from "../base/until.js";
import type { Endpoint } from "../conf/meaning/config.js";
import type { FromChild, StreamReport } from "../ipc/messages.js";
import type { Listener } from "../ipc/listener.js";
import type { MirroredOrigin } from "../ipc/succession.js";
import type { ProcessSpec } from "../master/processes/plan.js";
import { loopback } from "../conf/meaning/endpoint.js";
import { liveOf, publishersLeaveWithinMs, type Origin } from "./estate.js";

/** What such a server listens on beside the public addresses, as its last one. */
export const ownAddress: Listener = { protocol: "rtmp", endpoint: { host: loopback, port: 0 }, fd: null };

/** What is left in it when its streams have gone has nothing to wait for. */
const lingersMs = 10_000;

export interface StandAloneParts {
  readonly edgeKey: string;
  /** Whether connections can go to another process. */
  readonly isCarried: boolean;
  /** The name of the process that serves now. */
  readonly name: () => string | undefined;
  readonly streamsOf: (name: string) => Promise<readonly StreamReport[]>;
  /** Has a child follow these streams; resolves when they flow, or do not. */
  readonly askToMirror: (name: string, origin: MirroredOrigin) => Promise<unknown>;
  readonly endMirror: () => void;
}

/** Whether it is the one server of plan single. */
export function isStandAlone({ duty, isPublic }: ProcessSpec): boolean {
  return duty === "server" && isPublic;
}

/** The stand-alone servers of one box: one, or two while one replaces the other. */
export class StandAlone implements Origin {
  private readonly parts: StandAloneParts;
  private readonly addresses = new Map<string, Endpoint>();

  constructor(parts: StandAloneParts) {
    this.parts = parts;
  }

  /** Takes what a child said. */
  heard(spec: ProcessSpec, message: FromChild): void {
    const own = message.type === "ready" && isStandAlone(spec) ? message.endpoints.at(-1) : undefined;
    if (own !== undefined) this.addresses.set(spec.name, own.endpoint);
  }

  /** A child is gone: whoever has followed it stands alone. */
  gone(name: string): void {
    if (this.addresses.delete(name)) this.parts.endMirror();
  }

  /** Has an heir follow the streams of the one that it replaces. */
  async prepare(heir: string, from: string): Promise<void> {
    const origin = this.parts.isCarried ? await this.mirroredAt(from) : null;
    if (origin !== null) await this.parts.askToMirror(heir, origin);
  }

  /** Where connections do not move, clients come back to the heir sooner when the one before does not linger. */
  lingers(spec: ProcessSpec, drainTimeoutMs: number | null): number | null {
    if (!isStandAlone(spec)) return drainTimeoutMs;
    return this.parts.isCarried ? Math.min(drainTimeoutMs ?? Infinity, lingersMs) : 0;
  }

  mirrored(): Promise<MirroredOrigin | null> {
    return this.mirroredAt(this.parts.name() ?? "");
  }

  async mirror(origin: MirroredOrigin): Promise<void> {
    await this.parts.askToMirror(this.parts.name() ?? "", origin);
  }

  endMirror(): void {
    this.parts.endMirror();
  }

  /** It lets them go by itself when its viewers have gone, and leaves. */
  async leavePublishers(): Promise<number> {
    await until(() => this.addresses.size === 0, publishersLeaveWithinMs);
    return 0;
  }

  private async mirroredAt(name: string): Promise<MirroredOrigin | null> {
    const endpoint = this.addresses.get(name);
    if (endpoint === undefined) return null;
    return { endpoint, edgeKey: this.parts.edgeKey, streams: liveOf(await this.parts.streamsOf(name)) };
  }
}
