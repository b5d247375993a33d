// How each policy spreads connections, with real processes: four servers behind two proxies, clients that stay, and the counts
// that `dolphin status` tells. Which proxy has a client is told by its answer to `connect`, so each proxy gets as many as it
// is meant to get. What is exact: the turns, the caps and the weights of one proxy for what it gives itself. What two proxies
// do within the same second neither knows of the other, so across proxies there are bounds, and each is given with its reason.
import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { Cleanups } from "../helpers/cleanups.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { parseRtmpUrl, RtmpConnection } from "../helpers/rtmp-connection.js";
import { eventually } from "../helpers/wait.js";

/** Players of streams that nobody publishes are placed at once, and stay. */
const conf = (policy: string): string => `listen 1935; vhost __defaultVhost__ { } dolphin { servers 4; play_wait 0; ${policy} }`;

const servers = ["server-1", "server-2", "server-3", "server-4"];
const proxies = ["proxy-1", "proxy-2"] as const;
type Proxy = (typeof proxies)[number];

const both = (count: number): Record<Proxy, number> => ({ "proxy-1": count, "proxy-2": count });

const cleanups = new Cleanups();
const visitors = new Cleanups();
let dolphin: Dolphin;

/** One box, which is told another policy for each test: a server has its whole share only ten seconds after it came up. */
before(async () => {
  dolphin = await Dolphin.start(cleanups, { args: ["--plan", "b", "--http", "off"], conf: conf("balance fill;") });
  const isGrown = async (): Promise<boolean> => {
    const ages = await Promise.all(servers.map((server) => upSince(server)));
    return Date.now() - Math.max(...ages) > 10_500;
  };
  await eventually(isGrown, { timeoutMs: 20_000, everyMs: 500, what: "the slow start to be over" });
});
after(async () => {
  const isProvoked = ({ event, code }: LogLine): boolean => event === "child.exited" || code?.startsWith("PROXY_") === true;
  try {
    await dolphin.stop({ allow: isProvoked });
  } finally {
    await cleanups.stopAll();
  }
});

/** Chooses servers by a policy, in a box that has no connections. Everybody leaves after the test. */
async function balance(t: TestContext, policy: string): Promise<void> {
  await dolphin.reload(conf(policy));
  t.after(async () => {
    await visitors.stopAll();
    await spread(0);
  });
}

void test("least: each proxy spreads evenly", async (t) => {
  await balance(t, "balance least;");
  await crowd(both(40));
  // Where the master's word comes in the middle of a crowd, those before it weigh half: that is worth one connection.
  for (const counts of await spread(80)) for (const count of counts) assert.ok(Math.abs(count - 10) <= 1, counts.join());
});

void test("least: a server of twice the weight gets twice as many", async (t) => {
  await balance(t, "balance least; server_weight 2 1 1 1;");
  await crowd(both(40));
  for (const counts of await spread(80)) {
    for (const [at, count] of counts.entries()) assert.ok(Math.abs(count - (at === 0 ? 16 : 8)) <= 2, counts.join());
  }
});

void test("fill: one server to its cap, then the next, and nobody beyond all caps", async (t) => {
  await balance(t, "balance fill; server_max_connections 3;");
  await crowd({ "proxy-1": 7 });
  assert.deepEqual(await spread(7), [
    [3, 3, 1, 0],
    [0, 0, 0, 0],
  ]);
  // The other proxy has heard of it when it sends a client to server-3.
  await eventually(async () => (await placeOfOne("proxy-2", "probe")) === "server-3", { what: "proxy-2 to know of it" });
  await crowd({ "proxy-2": 5 });
  assert.deepEqual(await spread(12), [
    [3, 3, 1, 0],
    [0, 0, 2, 3],
  ]);
  const from = dolphin.logLength;
  await assert.rejects(crowd({ "proxy-2": 1 }), /no server can take the stream/);
  await dolphin.waitFor("proxy.closed", { from, where: ({ code }) => code === "PROXY_NO_SERVER" });
});

void test("hash: a stream's clients meet on one server whichever proxy they come to, and none gets much more than its share", async (t) => {
  await balance(t, "balance hash;");
  const hot = await crowd(both(20), () => "hot");
  // Each proxy holds a server to 1.25 times its share of what it knows, rounded up: 7 of its own 20.
  for (const counts of await spread(40)) assert.ok(Math.max(...counts) <= 7, counts.join());
  for (const connection of hot) connection.close();
  await spread(0);

  // With others on all servers, which these names are, none is near that, and each stream has its place.
  await crowd(both(40), (index) => `stay-${index}`);
  for (const counts of await spread(80)) assert.ok(Math.max(...counts) <= 12, counts.join());
  const streams = Array.from({ length: 12 }, (_, index) => `met-${index}`);
  const places: (readonly string[])[] = [];
  for (const stream of streams) places.push(await Promise.all(proxies.map((proxy) => placeOfOne(proxy, stream))));
  for (const [at, [one, two]] of places.entries()) assert.equal(one, two, streams[at]);
  assert.deepEqual(new Set(places.flat()), new Set(servers));
});

void test("random2: the better of two drawn keeps all close", async (t) => {
  await balance(t, "balance random2;");
  await crowd(both(40));
  // By the exact distribution of 40 such draws over four servers, a count is 7 or more off in one of five million crowds.
  for (const counts of await spread(80)) for (const count of counts) assert.ok(Math.abs(count - 10) <= 6, counts.join());
});

// The last one: it kills a server, whose share is small for a while.
void test("round_robin: each proxy gives every server the same number, and less to one that has just come up", async (t) => {
  await balance(t, "balance round_robin;");
  await crowd(both(40));
  assert.deepEqual(await spread(80), [
    [10, 10, 10, 10],
    [10, 10, 10, 10],
  ]);

  const from = dolphin.logLength;
  process.kill(dolphin.pidOf("server-1"), "SIGKILL");
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server-1" });
  const isBack = async (): Promise<boolean> => (await spread())[0]?.[0] === 0 && (await upServers()).length === 4;
  await eventually(isBack, { what: "server-1 back, and its connections forgotten" });
  await crowd({ "proxy-1": 40 });
  const [counts = []] = await spread(100);
  const isSlow = Date.now() - (await upSince("server-1")) < 9000; // else the machine is too slow to see it
  if (isSlow) for (const count of counts.slice(1)) assert.ok(count > 10 + counts[0]!, counts.join());
});

/** That many players through each proxy, all of whom ask in the same moment. They stay. */
async function crowd(
  counts: Readonly<Partial<Record<Proxy, number>>>,
  stream: (index: number, proxy: Proxy) => string = (index, proxy) => `${proxy}-${index}`,
): Promise<RtmpConnection[]> {
  const arrived = new Map<Proxy, RtmpConnection[]>(proxies.map((proxy) => [proxy, []]));
  const isFull = (proxy: Proxy): boolean => arrived.get(proxy)!.length >= (counts[proxy] ?? 0);
  for (let tries = 0; !proxies.every(isFull); tries++) {
    assert.ok(tries < 1000, `${tries} connections did not reach ${JSON.stringify(counts)}`);
    const connection = await RtmpConnection.open(parseRtmpUrl(dolphin.rtmpUrl("s")));
    visitors.after(() => connection.close());
    const proxy = proxies.find((name) => dolphin.pids[name] === connection.serverPid);
    if (proxy === undefined || isFull(proxy)) {
      connection.close();
      continue;
    }
    await connection.call("createStream", []);
    arrived.get(proxy)!.push(connection);
  }
  for (const [proxy, connections] of arrived) {
    for (const [index, connection] of connections.entries()) connection.command("play", [stream(index, proxy), -2000], { streamId: 1 });
  }
  const all = [...arrived.values()].flat();
  await Promise.all(all.map((connection) => connection.waitForStatus("NetStream.Play.Start")));
  return all;
}

/** The server that a player gets through one proxy. It leaves again. */
async function placeOfOne(proxy: Proxy, stream: string): Promise<string> {
  const from = dolphin.logLength;
  const [connection] = await crowd({ [proxy]: 1 }, () => stream);
  connection?.close();
  const isIts = (line: LogLine): boolean => line.child === proxy && line["stream"] === stream;
  return String((await dolphin.waitFor("proxy.closed", { from, where: isIts }))["backend"]);
}

/** The connections of each proxy to each server, once they are as many as there should be. */
async function spread(total: number | null = null): Promise<number[][]> {
  const look = async (): Promise<number[][] | null> => {
    const carried = (await dolphin.status()).balance?.carried ?? [];
    const of = (proxy: string, backend: string): number =>
      carried.find((one) => one.proxy === proxy && one.backend === backend)?.connections ?? 0;
    const counts = proxies.map((proxy) => servers.map((server) => of(proxy, server)));
    const sum = counts.flat().reduce((all, one) => all + one, 0);
    return total === null || sum === total ? counts : null;
  };
  return eventually(look, { what: `${total} connections in the status` });
}

async function upSince(name: string): Promise<number> {
  return (await dolphin.status()).balance?.servers.find((server) => server.name === name)?.upSinceMs ?? Number.POSITIVE_INFINITY;
}

async function upServers(): Promise<string[]> {
  const all = (await dolphin.status()).balance?.servers ?? [];
  return all.flatMap(({ name, isUp }) => (isUp ? [name] : []));
}
