// Other servers as the console shows them: those that streams come from and go to, those behind the proxies, those that are asked where
// streams are, and those that are called. Pure.
import type { Config } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { BoxFacts } from "../../ipc/box.js";
import type { StreamStatus } from "../../ipc/streams.js";
import { nameWithPid, ownProcess } from "../box/own.js";
import type { LostRelay } from "./health.js";
import type { Relays } from "./shapes.js";

/** All of them. */
export function relaysOf(facts: BoxFacts, config: Config, all: readonly StreamStatus[]): Relays {
  const streams = all.filter(({ state }) => state !== "wait");
  const vhosts = config.vhosts.filter(({ enabled }) => enabled);
  const down = new Set(lostIn(facts).map(({ server }) => server));
  const upstreams = vhosts.flatMap(({ name, cluster }) => {
    if (cluster.mode !== "remote") return [];
    return cluster.origins.map((origin) => {
      const server = formatEndpoint(origin);
      const count = streams.filter(({ vhost, source }) => vhost === name && source?.peer === server).length;
      return { vhost: name, server, streams: count, ...failuresOf(facts, server), isDown: down.has(server) };
    });
  });
  const forwards = vhosts.flatMap(({ name, forward }) => {
    if (!forward.enabled) return [];
    const count = streams.filter(({ vhost, state }) => vhost === name && state === "publish").length;
    return forward.destinations.map((destination) => {
      const server = formatEndpoint(destination);
      return { vhost: name, server, streams: count, ...failuresOf(facts, server), isDown: down.has(server) };
    });
  });
  const hooks = facts.hooks.map(({ action, url, calls, failures, refusals, dropped, latencySumMs }) => {
    return { url, on: action, calls, failures, refusals, dropped, meanMs: calls > 0 ? latencySumMs / calls : null };
  });
  return { upstreams, forwards, servers: serversOf(facts), coworkers: facts.coworkers ?? [], registry: facts.registry ?? null, hooks };
}

/** Plan b's. */
export function serversOf({ backends = [] }: BoxFacts): Relays["servers"] {
  return backends.map(({ name, rtmp, isUp, isDraining, connections, weight }) => {
    return { name, address: formatEndpoint(rtmp), isUp, isDraining, connections, weight };
  });
}

/** What the processes wait for now, by server. */
export function lostIn(facts: BoxFacts): LostRelay[] {
  const found = new Map<string, { server: string; isOwn: boolean; code: string; processes: string[] }>();
  for (const { name, presents } of facts.counts) {
    for (const { server, code } of presents.flatMap(({ lost }) => lost)) {
      const own = ownProcess(facts, server);
      const shown = own === null ? server : nameWithPid(own);
      const known = found.get(server) ?? { server: shown, isOwn: own !== null, code, processes: [] };
      if (!known.processes.includes(name)) known.processes.push(name);
      found.set(server, known);
    }
  }
  return [...found.values()];
}

/** What all processes have found of a server, since the start. */
function failuresOf({ counts }: BoxFacts, server: string): { readonly failures: number; readonly code: string } {
  const codes = new Map<string, number>();
  for (const [key, count] of counts.flatMap(({ tally }) => Object.entries(tally.upstreamFailures))) {
    const [upstream, code = ""] = key.split(" ");
    if (upstream === server) codes.set(code, (codes.get(code) ?? 0) + count);
  }
  const [most = ["", 0]] = [...codes].toSorted(([, one], [, other]) => other - one);
  return { failures: [...codes.values()].reduce((sum, count) => sum + count, 0), code: most[0] };
}
