// `make bench-site`: what a large site costs its Redis. A real Redis, and simulated nodes that speak the registry's own scripts: a
// thousand nodes with a hundred thousand streams, who come, go, join and die in the rhythm of docs/decisions/0017-registry.md, and then
// the storm behind a restart that has lost everything. It takes a minute, needs no box, and prints a table.
//
//   DOLPHIN_SITE_NODES=1000 DOLPHIN_SITE_STREAMS=100000
import { readFileSync } from "node:fs";
import { Keys, type Call, type Self } from "../src/registry/scripts.js";
import { openStore, type Store } from "../src/registry/store.js";
import { findRedis, startRedis, type Redis } from "../test/helpers/redis.js";
import { registryBlock } from "../test/helpers/site.js";

const nodeCount = Number(process.env["DOLPHIN_SITE_NODES"] ?? 1000);
const streamCount = Number(process.env["DOLPHIN_SITE_STREAMS"] ?? 100_000);
/** Nodes that share a connection, to spare this machine: Redis has the same to do for each. */
const nodesPerConnection = 10;
const leaseMs = 8_000;
const steadyMs = 20_000;
const spreadMs = 10_000;
/** A second of a site whose streams last an hour; of its joins most are answered by what their box asked a moment ago. */
const joinsPerS = streamCount / 200;
const changesPerS = streamCount / 3600;
const auditsPerS = streamCount / 60;
const deathsPerS = 1;

interface SiteNode {
  readonly self: Self;
  readonly store: Store;
}

/** Counts what is asked, and how long each answer takes. */
class Meter {
  private times: number[] = [];
  failures = 0;

  async run<T>(ask: () => Promise<T>): Promise<T | null> {
    const beganMs = performance.now();
    try {
      return await ask();
    } catch {
      this.failures += 1;
      return null;
    } finally {
      this.times.push(performance.now() - beganMs);
    }
  }

  /** The figures since the last time. */
  take(overMs: number): { readonly opsPerS: number; readonly medianMs: number; readonly p99Ms: number; readonly failures: number } {
    const sorted = this.times.toSorted((one, other) => one - other);
    const { failures } = this;
    this.times = [];
    this.failures = 0;
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { opsPerS: (sorted.length / overMs) * 1000, medianMs: at(0.5), p99Ms: at(0.99), failures };
  }
}

const program = await findRedis();
if (typeof program === "string") throw new Error(program);
const redis = await startRedis(program);
try {
  await measure(redis);
} finally {
  await redis.stop();
}
process.exit(0);

async function measure(server: Redis): Promise<void> {
  const keys = new Keys("dolphin:");
  const meter = new Meter();
  const block = registryBlock(server.url, { timeoutMs: 5_000 });
  const stores = await Promise.all(Array.from({ length: Math.ceil(nodeCount / nodesPerConnection) }, () => connected(block)));
  const nodes = Array.from({ length: nodeCount }, (_, at): SiteNode => {
    return { self: selfOf(at, 0), store: stores[at % stores.length]! };
  });
  const owners = Array.from({ length: streamCount }, (_, at) => at % nodeCount);
  const streamsOf = Array.from({ length: nodeCount }, () => new Set<number>());
  for (const [stream, owner] of owners.entries()) streamsOf[owner]!.add(stream);
  const move = (stream: number, to: number): void => {
    streamsOf[owners[stream]!]!.delete(stream);
    streamsOf[to]!.add(stream);
    owners[stream] = to;
    fences[stream] = 0;
  };
  const fences = new Float64Array(streamCount);
  const run = (node: SiteNode, call: Call): Promise<unknown> => meter.run(() => node.store.run(call));
  const speak = (node: SiteNode, isFirst = false): Promise<unknown> =>
    run(node, keys.speak(node.self, { record: recordOf(node), leaseMs, isFirst }));
  const claim = async (stream: number, mayReplace = ""): Promise<void> => {
    const node = nodes[owners[stream]!]!;
    const by = { publish: `p${stream}.${owners[stream]}`, sinceMs: Date.now(), held: fences[stream]!, mayReplace };
    const answer = (await run(node, keys.claim(node.self, keyOf(stream), by))) as readonly [string, string, string] | null;
    if (answer?.[0] === "busy" && mayReplace === "") await claim(stream, answer[2]);
    else if (answer !== null) fences[stream] = Number(answer[1]);
  };
  const locate = async (asker: SiteNode, stream: number): Promise<void> => {
    const pointer = await meter.run(() => asker.store.get(keys.stream(keyOf(stream))));
    const owner = / (\S+)/.exec(pointer ?? "")?.[1];
    if (owner !== undefined) await meter.run(() => asker.store.get(keys.node(owner)));
  };

  const row = async (what: string, work: () => Promise<void>): Promise<void> => {
    meter.take(1);
    const [beganMs, cpu] = [performance.now(), cpuMs(server.pid)];
    await work();
    const overMs = performance.now() - beganMs;
    const { opsPerS, medianMs, p99Ms, failures } = meter.take(overMs);
    const busy = ((cpuMs(server.pid) - cpu) / overMs) * 100;
    const cells = [
      `${(overMs / 1000).toFixed(1)} s`,
      `${Math.round(opsPerS)}`,
      medianMs.toFixed(2),
      p99Ms.toFixed(2),
      `${busy.toFixed(0)} %`,
      `${failures}`,
    ];
    print([what, ...cells]);
  };
  print([`${nodeCount} nodes, ${streamCount} streams`, "took", "ops/s", "median ms", "99 % ms", "Redis CPU", "failed"]);
  await row("all come at once", async () => {
    await Promise.all(nodes.map((node) => speak(node, true)));
    await inTurn(owners.keys(), 500, (stream) => claim(stream));
  });
  await row("an ordinary time", async () => {
    const random = (below: number): number => Math.floor(Math.random() * below);
    await Promise.all([
      steadily(nodeCount / (leaseMs / 4000), (at) => speak(nodes[at % nodeCount]!)),
      steadily(auditsPerS, () => claim(random(streamCount))),
      steadily(joinsPerS, () => locate(nodes[random(nodeCount)]!, random(streamCount))),
      steadily(changesPerS, async () => {
        const stream = random(streamCount);
        const node = nodes[owners[stream]!]!;
        await run(node, keys.release(node.self, keyOf(stream), `p${stream}.${owners[stream]}`));
        move(stream, random(nodeCount));
        await claim(stream);
      }),
      steadily(deathsPerS, async (at) => {
        // A node comes back as another process, and its streams go on at others.
        nodes[at % nodeCount] = { ...nodes[at % nodeCount]!, self: selfOf(at % nodeCount, at + 1) };
        await speak(nodes[at % nodeCount]!, true);
        const orphans = [...streamsOf[at % nodeCount]!];
        for (const stream of orphans) move(stream, random(nodeCount));
        await inTurn(orphans, 10, (stream) => claim(stream));
      }),
    ]);
  });
  await server.ask("FLUSHALL");
  await row("all is lost, and told again", async () => {
    await Promise.all(
      nodes.map(async (node, own) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * spreadMs));
        await speak(node);
        await inTurn(streamsOf[own]!, 100, (stream) => claim(stream));
      }),
    );
  });
  const size = Number(/:(\d+)/.exec(await server.ask("DBSIZE"))?.[1]);
  const bytes = Number(/used_memory:(\d+)/.exec(await server.ask("INFO", "memory"))?.[1]);
  print([`${size} keys, ${(bytes / 2 ** 20).toFixed(0)} MiB`]);
}

/** Does something so often a second, for the time that a steady measurement takes. */
async function steadily(perS: number, work: (at: number) => Promise<unknown>): Promise<void> {
  const beganMs = performance.now();
  const under: Promise<unknown>[] = [];
  let done = 0;
  while (performance.now() - beganMs < steadyMs) {
    const due = Math.floor(((performance.now() - beganMs) / 1000) * perS);
    for (; done < due; done++) under.push(work(done));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await Promise.all(under);
}

/** Does something for each, at most so many at a time. */
async function inTurn(all: Iterable<number>, atOnce: number, work: (one: number) => Promise<unknown>): Promise<void> {
  const list = [...all];
  for (let at = 0; at < list.length; at += atOnce) await Promise.all(list.slice(at, at + atOnce).map(work));
}

function selfOf(at: number, epoch: number): Self {
  const rtmp = { host: `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`, port: 1935 };
  return { id: `${rtmp.host}:${rtmp.port}`, epoch: `e${epoch}`, run: "r", rtmp };
}

function recordOf({ self: { rtmp } }: SiteNode): string {
  return JSON.stringify({ rtmp: `${rtmp.host}:${rtmp.port}`, version: "1.0.0" });
}

function keyOf(stream: number): string {
  return `__defaultVhost__/live/stream-${stream}`;
}

function connected(block: ReturnType<typeof registryBlock>): Promise<Store> {
  return new Promise((resolve, reject) => {
    const opening = openStore(block, { onConnected: () => void opening.then(resolve), onLost: (reason) => reject(new Error(reason)) });
  });
}

/** CPU time of a process so far. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function print([first = "", ...cells]: readonly string[]): void {
  process.stdout.write(`${first.padEnd(32)}${cells.map((cell) => cell.padStart(11)).join("")}\n`);
}
