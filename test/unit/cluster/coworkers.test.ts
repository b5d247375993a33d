// Coworkers of an origin cluster: stand-ins of SRS's API over loopback, of which some are dead, slow, or say what nobody understands.
import assert from "node:assert/strict";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createNetServer } from "node:net";
import { test } from "node:test";
import { Coworkers, originIn } from "../../../src/cluster/coworkers.js";
import { formatEndpoint } from "../../../src/conf/meaning/endpoint.js";
import type { Cleanup } from "../../helpers/dolphin.js";
import { freePort } from "../../helpers/ports.js";
import { eventually } from "../../helpers/wait.js";
import { memoryLog } from "../proxy/rtmp/rig.js";
import { configOf } from "../server/rig.js";

interface StandIn {
  readonly address: string;
  readonly asked: string[];
  /** The server that it says has every stream; null: none. */
  has: { readonly ip: string; readonly port: number } | null | "nonsense";
}

/** An SRS as coworkers see it. */
async function standIn(t: Cleanup, port = 0): Promise<StandIn> {
  const asked: string[] = [];
  const server: HttpServer = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    const query = Object.fromEntries(new URL(request.url ?? "", "http://host").searchParams);
    const origin = one.has === null || one.has === "nonsense" ? null : { ...one.has, vhost: query["vhost"], api: "", routers: [] };
    response.end(one.has === "nonsense" ? "<html>" : JSON.stringify({ code: 0, data: { query, origin } }));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const one: StandIn = { address: `127.0.0.1:${address.port}`, asked, has: null };
  return one;
}

/** Accepts, and says nothing. */
async function silent(t: Cleanup): Promise<string> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return `127.0.0.1:${address.port}`;
}

interface Askers {
  readonly ask: (stream: string) => Promise<string[]>;
  readonly lost: () => number;
  readonly states: () => readonly string[];
}

function askers(t: Cleanup, ...coworkers: readonly string[]): Askers {
  const { log, lines } = memoryLog();
  const config = configOf(`vhost __defaultVhost__ { cluster { origin_cluster on; coworkers ${coworkers.join(" ")}; } }`);
  const all = new Coworkers(() => config, log);
  t.after(() => all.close());
  const ask = async (stream: string): Promise<string[]> =>
    (await all.locate({ vhost: "__defaultVhost__", app: "live", stream })).servers.map(formatEndpoint);
  return {
    ask,
    states: () => all.report().map(({ state }) => state),
    lost: () => lines.filter(({ event }) => event === "coworker.lost").length,
  };
}

test("coworkers: each is asked in SRS's form, and the one that has the stream names its server", async (t) => {
  const [one, other] = [await standIn(t), await standIn(t)];
  other.has = { ip: "10.0.0.5", port: 19350 };
  const { ask } = askers(t, one.address, other.address);
  assert.deepEqual(await ask("s"), ["10.0.0.5:19350"]);
  const query = `vhost=__defaultVhost__&ip=127.0.0.1&app=live&stream=s&coworker=${encodeURIComponent(one.address)}`;
  assert.deepEqual(one.asked, [`POST /api/v1/clusters?${query}`]);
});

test("coworkers: one that is dead, and one that is silent, keep nobody waiting who asks after that, and are told of once", async (t) => {
  const [dead, mute, live] = [`127.0.0.1:${await freePort()}`, await silent(t), await standIn(t)];
  const { ask, lost, states } = askers(t, dead, mute, live.address);
  assert.deepEqual(states(), ["unknown", "unknown", "unknown"]);
  assert.deepEqual(await ask("first"), []);
  assert.deepEqual(states(), ["down", "down", "up"]);
  const from = performance.now();
  for (let i = 0; i < 20; i++) assert.deepEqual(await ask(`s${i}`), []);
  assert.ok(performance.now() - from < 1_000, "the silent one was waited for again");
  assert.equal(live.asked.length, 21);
  assert.equal(lost(), 2);
});

test("coworkers: one that says what nobody understands counts as lost, and where none answers nothing is known", async (t) => {
  const odd = await standIn(t);
  odd.has = "nonsense";
  const { ask, lost } = askers(t, odd.address);
  await assert.rejects(ask("s"), /no coworker could be asked for __defaultVhost__\/live\/s/);
  await assert.rejects(ask("t"), /no coworker could be asked/);
  assert.equal(odd.asked.length, 1);
  assert.equal(lost(), 1);
});

test("coworkers: one that is there again is asked again", async (t) => {
  const port = await freePort();
  const { ask, states } = askers(t, `127.0.0.1:${port}`);
  await assert.rejects(ask("s"));
  assert.deepEqual(states(), ["down"]);
  const back = await standIn(t, port);
  back.has = { ip: "10.0.0.5", port: 1935 };
  let tries = 0;
  await eventually(async () => (await ask(`s${tries++}`).catch(() => [])).length === 1, { what: "its answer", timeoutMs: 5000 });
  assert.deepEqual(states(), ["up"]);
});

test("coworkers: of two copies the one where the stream was before comes first, whoever answers first", async (t) => {
  const [one, other] = [await standIn(t), await standIn(t)];
  other.has = { ip: "10.0.0.2", port: 1935 };
  const { ask } = askers(t, one.address, other.address);
  assert.deepEqual(await ask("s"), ["10.0.0.2:1935"]);
  one.has = { ip: "10.0.0.1", port: 1935 };
  await eventually(async () => (await ask("s")).length === 2, { what: "both", timeoutMs: 3000, everyMs: 200 });
  assert.equal((await ask("s"))[0], "10.0.0.2:1935");
});

test("coworkers: who asks for one stream at once is one question", async (t) => {
  const one = await standIn(t);
  const { ask } = askers(t, one.address);
  await Promise.all(Array.from({ length: 50 }, () => ask("s")));
  assert.equal(one.asked.length, 1);
});

test("coworkers: a vhost that is in no origin cluster asks nobody", async (t) => {
  const one = await standIn(t);
  const config = configOf(`vhost __defaultVhost__ { cluster { coworkers ${one.address}; } }`);
  const all = new Coworkers(() => config, memoryLog().log);
  t.after(() => all.close());
  assert.deepEqual(await all.locate({ vhost: "__defaultVhost__", app: "live", stream: "s" }), { isHere: false, servers: [] });
  assert.deepEqual(one.asked, []);
});

const coworker = { host: "10.0.0.9", port: 9090 };
for (const [what, answer, expected] of [
  ["none", { code: 0, data: { origin: null } }, null],
  ["one", { code: 0, data: { origin: { ip: "10.0.0.1", port: 1935 } } }, { host: "10.0.0.1", port: 1935 }],
  ["one over IPv6", { code: 0, data: { origin: { ip: "fd00::1", port: 1935 } } }, { host: "fd00::1", port: 1935 }],
  ["itself by loopback", { code: 0, data: { origin: { ip: "127.0.0.1", port: 19350 } } }, { host: "10.0.0.9", port: 19350 }],
] as const) {
  test(`coworkers: an answer that names ${what} is understood`, () => assert.deepEqual(originIn(answer, coworker), expected));
}

for (const answer of [
  null,
  [],
  "x",
  { code: 100 },
  { code: 0 },
  { code: 0, data: { origin: { ip: 1, port: 2 } } },
  { code: 0, data: { origin: { ip: "a b", port: 1 } } },
  { code: 0, data: { origin: { ip: "a", port: 70_000 } } },
]) {
  test(`coworkers: ${JSON.stringify(answer)} is no answer`, () => {
    assert.throws(() => originIn(answer, coworker));
  });
}
