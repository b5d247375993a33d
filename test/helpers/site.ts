// Nodes of a site inside the test's own process: the registry's room without a box around it, each behind a port where somebody listens.
import { createServer, type AddressInfo, type Server } from "node:net";
import { pino } from "pino";
import type { DolphinError } from "../../src/base/errors.js";
import type { RegistryBlock } from "../../src/conf/meaning/config.js";
import { parseRegistry } from "../../src/conf/meaning/registry.js";
import type { Claim, Claimant } from "../../src/ipc/locating.js";
import { Registry } from "../../src/registry/registry.js";
import type { Cleanup } from "./dolphin.js";

export interface SiteNode {
  readonly registry: Registry;
  readonly port: number;
  /** As a process that is killed: its port refuses, and it says nothing more. */
  die(): void;
}

interface Holder extends Claimant {
  readonly lost: DolphinError[];
  airs: number;
}

let publishes = 0;

/** What a box goes by. */
export function registryBlock(url: string, more: Partial<RegistryBlock> = {}): RegistryBlock {
  const servers = parseRegistry(url);
  if (typeof servers === "string") throw new Error(servers);
  return {
    servers,
    passwordFile: null,
    sentinel: { username: null, password: null, passwordFile: null },
    tls: { ca: null, cert: null, key: null, serverName: null },
    prefix: "dolphin:",
    advertise: null,
    zone: "",
    leaseMs: 2000,
    timeoutMs: 2000,
    secondPublisher: "refuse",
    whenAway: "accept",
    ...more,
  };
}

/** Joins the site and waits until it is heard. */
export async function siteNode(t: Cleanup, block: RegistryBlock, at?: number): Promise<SiteNode> {
  const door: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => door.listen(at ?? 0, "127.0.0.1", resolve));
  const { port } = door.address() as AddressInfo;
  const registry = await Registry.open(
    block,
    { host: "127.0.0.1", port },
    { log: pino({ level: process.env["REGISTRY_LOG"] ?? "silent" }), epoch: `e${++publishes}` },
  );
  t.after(() => {
    door.close();
    registry.close();
  });
  const die = (): void => {
    door.close();
    // Without the last word that `close` says.
    const { store } = registry as unknown as { store: { close(): void } };
    store.close();
    registry.close();
  };
  return { registry, port, die };
}

function holder(underWaySinceMs: number | null): Holder {
  const one: Holder = {
    id: `p${++publishes}`,
    underWaySinceMs,
    lost: [],
    airs: 0,
    onAir: () => void (one.airs += 1),
    onLost: (reason) => void one.lost.push(reason),
    onSure: () => undefined,
  };
  return one;
}

function named(stream: string): { vhost: string; app: string; stream: string } {
  return { vhost: "__defaultVhost__", app: "live", stream };
}

interface Taken {
  readonly by: Holder;
  readonly claim: Claim;
}

/** Publishes a stream at a node, or goes on there with what another process of it has let go. */
export async function take({ registry }: SiteNode, stream: string, underWaySinceMs: number | null = null): Promise<Taken> {
  const by = holder(underWaySinceMs);
  return { by, claim: await registry.claim(named(stream), by) };
}

/** The ports of the nodes that a node would fetch a stream from. */
export async function whereIs({ registry }: SiteNode, stream: string): Promise<readonly number[] | "here"> {
  const located = await registry.locate(named(stream), new AbortController().signal, true);
  return located.isHere ? "here" : located.servers.map(({ port }) => port);
}
