// Which nodes live, as far as is known: what each says of itself, remembered for a moment, and a knock at the door of one of which much
// depends on whether it is there.
import { connect } from "node:net";
import { errnoOf } from "../base/errors.js";
import type { Endpoint } from "../conf/meaning/config.js";
import { parseServer } from "../conf/meaning/endpoint.js";
import { parseRecord, type NodeRecord } from "../ipc/site.js";
import type { Keys, Pointer } from "./scripts.js";
import type { Store } from "./store.js";

/** How long what a node has said is taken for what it would say now. */
const freshMs = 1_000;
const maxKnown = 10_000;
const knockMs = 300;

/** What a node says of itself, in one of its lives. */
type KnownNode = NodeRecord & { readonly epoch: string };

/** The nodes of a site. Nothing to close. */
export class Nodes {
  private readonly store: Store;
  private readonly keys: Keys;
  private readonly known = new Map<string, { readonly record: KnownNode | null; readonly atMs: number }>();

  constructor(store: Store, keys: Keys) {
    this.store = store;
    this.keys = keys;
  }

  /** What a node says of itself; null: it is dead. Rejects where the store does not answer. */
  async get(id: string): Promise<KnownNode | null> {
    const known = this.known.get(id);
    if (known !== undefined && performance.now() - known.atMs < freshMs) return known.record;
    const record = parseRecord((await this.store.get(this.keys.node(id))) ?? "");
    this.known.delete(id);
    this.known.set(id, { record, atMs: performance.now() });
    if (this.known.size > maxKnown) for (const [oldest] of this.known) if (this.known.size > maxKnown) this.known.delete(oldest);
    return record;
  }

  /** Whether the process that a stream's key names lives, by what it has said. */
  async hasSaid({ node, epoch }: Pointer): Promise<boolean> {
    const record = await this.get(node);
    return record !== null && record.epoch === epoch;
  }

  /** The same where a publisher waits: a process that has just died is found by nobody listening where it was. */
  async isAlive(pointer: Pointer): Promise<boolean> {
    this.known.delete(pointer.node);
    if (!(await this.hasSaid(pointer))) return false;
    return !(await isDeserted(parseServer(pointer.rtmp)));
  }
}

/** Whether a machine answers that nobody listens there. One that says nothing may be cut off, and alive. */
function isDeserted({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: knockMs });
    const end = (isRefused: boolean): void => {
      socket.destroy();
      resolve(isRefused);
    };
    socket.once("connect", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("error", (error) => end(errnoOf(error) === "ECONNREFUSED"));
  });
}
