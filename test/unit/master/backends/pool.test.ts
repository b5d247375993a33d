import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import pino from "pino";
import { defaultConfig } from "../../../../src/conf/load.js";
import { noStats, type FromChild, type ToChild } from "../../../../src/ipc/messages.js";
import { newborn, type ChildState } from "../../../../src/master/processes/child.js";
import type { ProcessSpec, Program } from "../../../../src/master/processes/plan.js";
import { Pool } from "../../../../src/master/backends/pool.js";
import type { ProbeResult } from "../../../../src/master/backends/probe.js";
import { FakeTimers } from "../../fake-timers.js";

const config = defaultConfig();
const program: Program = { argv: ["srs"], env: {}, folder: "/x", files: [], servesHttp: false, api: null, cwd: "/" };
const base = { place: "child", startsAfter: null, config, maxConnections: null } as const;
const server = (number: number, made: Program | null): ProcessSpec => ({
  ...base,
  name: `server-${number}`,
  duty: "server",
  isPublic: false,
  backend: { rtmp: { host: "127.0.0.1", port: 1935 + number }, http: null, api: null, weight: number, program: made },
});
const proxySpec = (number: number): ProcessSpec => ({ ...base, name: `proxy-${number}`, duty: "proxy", isPublic: true });

let timers: FakeTimers;
let sent: { name: string; message: ToChild }[];
let told: FromChild[];
let condemned: string[];
let probed: ProbeResult;
let pool: Pool;
let specs: ProcessSpec[];

beforeEach(() => {
  timers = new FakeTimers();
  sent = [];
  told = [];
  condemned = [];
  probed = null;
  specs = [server(1, null), server(2, program), proxySpec(1), proxySpec(2)];
  pool = new Pool({
    specs,
    maxServerConnections: 9,
    timers,
    log: pino({ level: "silent" }),
    epochMs: () => 1_000_000 + timers.nowMs(),
    supervisor: {
      send: (name, message) => sent.push({ name, message }) > 0,
      tell: (_name, message) => {
        told.push(message);
        if (message.type === "ready" && !pool.backends()[1]?.isUp) change("server-2", "starting", "up");
      },
      condemn: (name, doom) => condemned.push(`${name} ${doom}`),
    },
    probes: { rtmp: () => Promise.resolve(probed), http: () => Promise.resolve(null) },
  });
});

const specOf = (name: string): ProcessSpec => specs.find((spec) => spec.name === name)!;

function change(name: string, from: ChildState, state: ChildState): void {
  const ending = from === "up" && state === "waiting" ? "killed by SIGKILL" : null;
  pool.changed({
    spec: specOf(name),
    pid: 1,
    child: { ...newborn, state },
    from,
    lastPid: 1,
    ending,
    isLeaving: false,
    lastedMs: 0,
    delayMs: null,
  });
}

/** What the proxies were told last, by name of server. */
function upAsTold(): Record<string, boolean> {
  const last = sent.findLast(({ message }) => message.type === "backends")?.message;
  return last?.type === "backends" ? Object.fromEntries(last.backends.map(({ name, isUp }) => [name, isUp])) : {};
}

const taken = (): unknown[] => sent.flatMap(({ name, message }) => (message.type === "taken" ? [[name, message.id, message.backend]] : []));
const leaseNews = (): unknown[] =>
  sent.flatMap(({ name, message }) =>
    message.type === "leases" && name === "proxy-2" ? [[message.begun.map(({ key }) => key), message.ended.map(({ key }) => key)]] : [],
  );

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    timers.pass(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("the pool, of our own servers", () => {
  it("tells all proxies at once when one comes up, and when it is gone", () => {
    change("server-1", "starting", "up");
    assert.deepEqual(
      sent.map(({ name }) => name),
      ["proxy-1", "proxy-2"],
    );
    assert.deepEqual(upAsTold(), { "server-1": true, "server-2": false });
    change("server-1", "up", "waiting");
    assert.deepEqual(upAsTold(), { "server-1": false, "server-2": false });
  });

  it("takes one whose heart is late out of the balance, and back with its next beat", async () => {
    change("server-1", "starting", "up");
    const beat: FromChild = { type: "heartbeat", stats: noStats };
    for (let second = 0; second < 3; second++) {
      await pass(1000);
      pool.heard(specOf("server-1"), beat);
    }
    assert.equal(upAsTold()["server-1"], true);
    await pass(3000);
    assert.equal(upAsTold()["server-1"], false);
    assert.deepEqual(condemned, [], "its end is the supervisor's business");
    pool.heard(specOf("server-1"), beat);
    assert.equal(upAsTold()["server-1"], true);
  });

  it("holds no silence against anybody after it was asleep itself", () => {
    change("server-1", "starting", "up");
    timers.freeze(60_000);
    assert.equal(upAsTold()["server-1"], true);
  });
});

describe("the pool, of foreign servers", () => {
  it("finds out that one serves, says so for it, and gives it a heartbeat with each answer", async () => {
    change("server-2", "down", "starting");
    await pass(2500);
    assert.deepEqual(
      told.filter(({ type }) => type === "ready"),
      Array.from({ length: told.length / 2 }, () => ({
        type: "ready",
        endpoints: [{ protocol: "rtmp", endpoint: { host: "127.0.0.1", port: 1937 } }],
      })),
    );
    assert.ok(told.filter(({ type }) => type === "heartbeat").length >= 2);
    assert.equal(upAsTold()["server-2"], true);
  });

  it("takes one that misses an answer out of the balance at once, and condemns it after three", async () => {
    change("server-2", "down", "starting");
    await pass(200);
    probed = "did not answer within 2 s";
    await pass(1100);
    assert.equal(upAsTold()["server-2"], false);
    assert.deepEqual(condemned, []);
    await pass(2000);
    assert.deepEqual(condemned, ["server-2 hung: it did not answer within 2 s, 3 times"]);
  });

  it("no longer asks one that is gone", async () => {
    change("server-2", "down", "starting");
    await pass(200);
    change("server-2", "up", "waiting");
    told = [];
    await pass(3000);
    assert.deepEqual(told, []);
  });
});

describe("the pool, of loads and drains", () => {
  it("knows what all proxies carry, and tells each what the others do, with weight and cap", async () => {
    const carried = [{ backend: "server-1", connections: 3, total: 5, bytesIn: 1, bytesOut: 2 }];
    pool.heard(specOf("proxy-1"), { type: "heartbeat", stats: noStats, carried });
    pool.heard(specOf("proxy-2"), { type: "heartbeat", stats: noStats, carried });
    assert.equal(pool.backends()[0]?.connections, 6);
    assert.equal(pool.backends("proxy-2")[0]?.connections, 3);
    assert.deepEqual(
      pool.backends().map(({ weight, maxConnections }) => [weight, maxConnections]),
      [
        [1, 9],
        [2, 9],
      ],
    );
    pool.heard(specOf("proxy-2"), { type: "heartbeat", stats: noStats, carried: [{ ...carried[0]!, connections: 1 }] });
    sent = [];
    await pass(1000);
    const toldOf = (proxy: string): (number | undefined)[] =>
      sent.flatMap(({ name, message }) => (name === proxy && message.type === "backends" ? [message.backends[0]?.connections] : []));
    assert.deepEqual([toldOf("proxy-1"), toldOf("proxy-2")], [[1], [3]]);
    change("proxy-1", "up", "waiting");
    assert.equal(pool.backends()[0]?.connections, 1);
  });

  it("repeats itself each second, for what is said once may be lost on a proxy that starts", async () => {
    await pass(3000);
    assert.equal(sent.filter(({ name, message }) => name === "proxy-1" && message.type === "backends").length, 3);
  });

  it("drains a server that it knows", () => {
    assert.equal(pool.drain("server-9", true), false);
    assert.equal(pool.drain("server-1", true), true);
    assert.deepEqual(
      pool.backends().map(({ isDraining }) => isDraining),
      [true, false],
    );
    pool.drain("server-1", false);
    assert.equal(pool.backends()[0]?.isDraining, false);
  });
});

describe("the pool, of leases", () => {
  const take = (from: string, id: number, backend: string): void => pool.heard(specOf(from), { type: "take", id, key: "v/a/s", backend });

  it("answers whoever takes, and tells the news to all", () => {
    take("proxy-1", 7, "server-1");
    take("proxy-2", 8, "server-2");
    assert.deepEqual(taken(), [
      ["proxy-1", 7, "server-1"],
      ["proxy-2", 8, "server-1"],
    ]);
    assert.deepEqual(leaseNews(), [[["v/a/s"], []]]);
    assert.deepEqual(
      pool.listLeases().map(({ proxy, backend }) => [proxy, backend]),
      [["proxy-1", "server-1"]],
    );
  });

  it("tells a proxy that starts of all servers and leases as soon as it can hear", () => {
    take("proxy-1", 1, "server-1");
    sent = [];
    pool.heard(specOf("proxy-2"), { type: "hello" });
    assert.deepEqual(
      sent.map(({ name, message }) => [name, message.type]),
      [
        ["proxy-2", "backends"],
        ["proxy-2", "leases"],
      ],
    );
    assert.deepEqual(leaseNews(), [[["v/a/s"], []]]);
  });

  it("ends one with its publisher, its proxy, or its server", () => {
    take("proxy-1", 1, "server-1");
    pool.heard(specOf("proxy-1"), { type: "release", id: 1 });
    take("proxy-1", 2, "server-1");
    change("proxy-1", "up", "waiting");
    change("server-1", "starting", "up");
    take("proxy-2", 3, "server-1");
    change("server-1", "up", "stopping");
    const began = [["v/a/s"], []];
    const ended = [[], ["v/a/s"]];
    assert.deepEqual(leaseNews(), [began, ended, began, ended, began, ended]);
  });

  it("leaves one where it is while its publisher goes from one proxy to another, and ends it when that comes to nothing", () => {
    for (const [id, key] of [
      [1, "v/live/kept"],
      [2, "v/live/lost"],
    ] as const) {
      pool.heard(specOf("proxy-1"), { type: "take", id, key, backend: "server-1" });
      pool.connectionLeft("proxy-1", `token of ${key}`, id);
    }
    sent = [];
    change("proxy-1", "up", "waiting");
    assert.deepEqual(leaseNews(), []);
    pool.heard(specOf("proxy-2"), { type: "take", id: 1, key: "v/live/kept", backend: "server-1" });
    pool.connectionSettled("token of v/live/kept", "proxy-2");
    pool.connectionSettled("token of v/live/lost", null);
    assert.deepEqual(leaseNews(), [
      [["v/live/kept"], []],
      [[], ["v/live/lost"]],
    ]);
    assert.deepEqual(
      pool.listLeases().map(({ key, proxy }) => [key, proxy]),
      [["v/live/kept", "proxy-2"]],
    );
  });

  it("is silent after its end", async () => {
    pool.close();
    sent = [];
    await pass(3000);
    assert.deepEqual(sent, []);
  });
});

describe("another configuration", () => {
  it("brings other weights and caps to the proxies at once, and leaves what is known of the servers", () => {
    change("server-1", "starting", "up");
    change("proxy-1", "starting", "up");
    pool.heard(specOf("proxy-1"), { type: "hello" });
    const weighing = (spec: ProcessSpec): ProcessSpec =>
      spec.backend === undefined ? spec : { ...spec, backend: { ...spec.backend, weight: 7 } };
    const heavier = specs.map(weighing);
    pool.adopt(heavier, null);
    const last = sent.findLast(({ message }) => message.type === "backends")?.message;
    assert.ok(last?.type === "backends");
    assert.deepEqual(
      last.backends.map(({ name, weight, maxConnections, isUp }) => ({ name, weight, maxConnections, isUp })),
      [
        { name: "server-1", weight: 7, maxConnections: null, isUp: true },
        { name: "server-2", weight: 7, maxConnections: null, isUp: false },
      ],
    );
  });
});
