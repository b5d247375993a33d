// The rows of PlanB: one proxy process against HAProxy with and without splice and nginx's stream module, all in the same run.
import { findHaproxy, findNginxStreamModule } from "../test/helpers/haproxy.js";
import { median } from "./measure.js";
import { measureRelays, measureStorm, type RelayLoad, type RelaySample } from "./relay-runs.js";
import { dolphinRelay, haproxyRelay, nginxRelay, type RelayKind } from "./relays.js";
import type { Context, Limit, Result, Row } from "./row.js";
import { percent } from "./runs.js";

const ours = "dolphin";
const spliced = "HAProxy with splice";
const plainPeer = "HAProxy";

export const relayRows: readonly Row[] = [
  relay("PlanB relay, 500 players × 1 Mbps", { players: 500, kbps: 1000 }, spliced),
  relay("PlanB relay, 2000 players × 200 kbps", { players: 2000, kbps: 200 }, plainPeer),
  { name: "PlanB connection set-up", run: setUp },
];

type Samples = ReadonlyMap<string, readonly RelaySample[]>;

function relay(name: string, load: RelayLoad, against: string): Row {
  return {
    name,
    async run(context) {
      const kinds = await relayKinds(context);
      const samples = new Map<string, RelaySample[]>(kinds.map((kind) => [kind.name, []]));
      for (let i = 0; i < context.runs; i++) {
        const measured = await measureRelays(kinds, load);
        for (const [kind, sample] of measured) samples.get(kind)?.push(sample);
        context.say(`${name}: ${Array.from(measured, ([kind, { cpu }]) => `${kind} ${percent(cpu)}`).join(", ")}`);
      }
      const kib = (kind: string): number | null => medianOf(samples, kind, ({ bytesPerConnection }) => bytesPerConnection / 1024);
      const [ourKib, theirKib] = [kib(ours), kib("nginx stream")];
      const memory = Array.from(samples.keys(), (kind) => `${kind} ${kib(kind)?.toFixed(1)}`).join(", ");
      return [
        compared(name, samples, against, { bar: 1.1, aim: 0.9 }),
        {
          name: `${name}, memory per connection`,
          dolphin: `${ourKib?.toFixed(1)} KiB`,
          peer: theirKib === null ? "none" : `nginx stream ${theirKib.toFixed(1)} KiB`,
          value: theirKib === null || ourKib === null ? null : ourKib / theirKib,
          digits: 2,
          limit: { bar: 1, aim: 0.5 },
          remarks: [`KiB: ${memory}`],
        },
      ];
    },
  };
}

function compared(name: string, samples: Samples, against: string, limit: Limit): Result {
  const cpu = (kind: string): number | null => medianOf(samples, kind, (sample) => sample.cpu);
  const [own, theirs] = [cpu(ours), cpu(against)];
  const all = Array.from(samples.keys(), (kind) => `${kind} ${percent(cpu(kind) ?? Number.NaN)}`).join(", ");
  return {
    name,
    dolphin: percent(own ?? Number.NaN),
    peer: theirs === null ? "none" : `${against} ${percent(theirs)}`,
    value: own === null || theirs === null ? null : own / theirs,
    digits: 2,
    limit,
    remarks: [all, ...problemsIn(samples)],
  };
}

async function setUp(context: Context): Promise<Result[]> {
  const kinds = await relayKinds(context);
  const samples = new Map<string, RelaySample[]>(kinds.map((kind) => [kind.name, []]));
  for (let i = 0; i < context.runs; i++) {
    for (const kind of kinds) {
      const sample = await measureStorm(kind);
      samples.get(kind.name)?.push(sample);
      context.say(`set-up, ${kind.name}: ${sample.perSecond} connections a second at ${percent(sample.cpu)}`);
    }
  }
  const rate = (kind: string): number | null => medianOf(samples, kind, ({ perSecond }) => perSecond);
  const cost = (kind: string): number | null => medianOf(samples, kind, ({ cpu, perSecond }) => (cpu * 1e4) / perSecond);
  const all = Array.from(samples.keys(), (kind) => `${kind} ${cost(kind)?.toFixed(0)}`).join(", ");
  return [
    {
      name: "PlanB connections set up and ended per second",
      dolphin: `${rate(ours)?.toFixed(0)}`,
      peer: `${plainPeer} ${rate(plainPeer)?.toFixed(0) ?? "none"}`,
      value: rate(ours),
      digits: 0,
      limit: null,
      remarks: [`µs of CPU each: ${all}`, ...problemsIn(samples)],
    },
  ];
}

async function relayKinds({ nginx, say }: Context): Promise<RelayKind[]> {
  const haproxy = await findHaproxy();
  if (typeof haproxy === "string") say(haproxy);
  const peers = typeof haproxy === "string" ? [] : [haproxyRelay(haproxy, false), haproxyRelay(haproxy, true)];
  const nginxes = typeof nginx === "string" ? [] : [nginxRelay(nginx, await findNginxStreamModule())];
  return [dolphinRelay("auto"), ...peers, ...nginxes, dolphinRelay("plain")];
}

function medianOf(samples: Samples, kind: string, figure: (sample: RelaySample) => number): number | null {
  const some = samples.get(kind);
  return some === undefined || some.length === 0 ? null : median(some.map(figure));
}

function problemsIn(samples: Samples): string[] {
  return Array.from(samples, ([kind, some]) => {
    const problems = some.map(({ problem }) => problem).filter((problem) => problem !== null);
    return problems.length === 0 ? null : `${kind}: ${problems.length} of ${some.length} runs fell short (${problems[0]})`;
  }).filter((line) => line !== null);
}
