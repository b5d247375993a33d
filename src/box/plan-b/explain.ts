// The answer of `dolphin explain`: where a stream lives or would go now, with the same functions that the proxies choose by.
// A policy that draws lots is asked without chance, so its answer is one of several that are as good.
import type { BackendState, Lease, PolicyName } from "../../ipc/balance.js";
import type { Explanation } from "../../master/control/status.js";
import { candidatesOf, policies } from "../../proxy/balance/policy.js";

export interface ExplainFacts {
  readonly key: string;
  readonly policy: PolicyName;
  readonly routing: "stream" | "connection";
  readonly lease: Lease | null;
  readonly servers: readonly BackendState[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

const reasons: Readonly<Record<PolicyName, string>> = {
  least: "it carries the fewest bytes per second for its weight, or the fewest connections where none carries any",
  round_robin: "it is one of those that take turns",
  fill: "it is the first that is not full",
  hash: "the stream's name leads to it, and it has no more than its share",
  random2: "it is the better one of two that are drawn",
};

/** Explains one stream. Pure. */
export function explainStream({ key, policy, routing, lease, servers, nowMs }: ExplainFacts): Explanation {
  const candidates = candidatesOf(servers, new Set(), nowMs);
  const common = { key, policy, routing, lease, servers, candidates: candidates.map(({ name }) => name) };
  if (lease !== null && routing === "stream") {
    return { ...common, decision: lease.backend, why: `it is published there, through ${lease.proxy}` };
  }
  const chosen = policies[policy](candidates, { key, turn: 0, random: () => 0 });
  if (chosen === null) return { ...common, decision: null, why: "no server is up, not draining and below its cap" };
  const who =
    routing === "stream" ? "nobody publishes it; the next publisher goes there by" : "each connection is placed by itself; the next by";
  return { ...common, decision: chosen.name, why: `${who} ${policy}: ${reasons[policy]}` };
}
