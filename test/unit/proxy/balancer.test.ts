import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Config } from "../../../src/conf/meaning/config.js";
import { loadConfig } from "../../../src/conf/load.js";
import type { BackendState } from "../../../src/ipc/balance.js";
import type { FromChild } from "../../../src/ipc/messages.js";
import { routesOf } from "../../../src/proxy/acceptors.js";
import { Balancer } from "../../../src/proxy/balancer.js";
import type { Server } from "../../../src/server/server.js";
import { watchFlv } from "../../helpers/flv-reader.js";
import { pictures } from "../../helpers/media.js";
import { freePort } from "../../helpers/ports.js";
import { player } from "../../helpers/rtmp-client.js";
import { within } from "../../helpers/wait.js";
import { memoryLog, startOwnServer } from "./rtmp/rig.js";
import { Encoder, watch } from "../server/rig.js";

function configOf(balance: string, listen = "1935"): Config {
  const vhosts = "vhost __defaultVhost__ { http_remux { enabled on; } }";
  const text = `listen ${listen}; http_server { enabled on; listen 8080; } dolphin { plan b; send_proxy off; ${balance} } ${vhosts}`;
  const { config, problems } = loadConfig({ file: "test.conf", text });
  assert.ok(config, JSON.stringify(problems));
  return config;
}

interface Rig {
  readonly balancer: Balancer;
  readonly servers: readonly Server[];
  readonly rtmpUrl: string;
  readonly flvUrl: string;
  /** Says of the servers, in their order, whether they are draining. */
  tellServers(...areDraining: readonly boolean[]): void;
}

/** A proxy before two servers of ours, with a master that gives every lease. */
async function startBalancer(t: TestContext, balance: string): Promise<Rig> {
  const started = [await startOwnServer(t, "server-1"), await startOwnServer(t, "server-2")];
  const rtmp = { host: "127.0.0.1", port: await freePort() };
  const http = { host: "127.0.0.1", port: await freePort() };
  const listeners = [
    { protocol: "rtmp", endpoint: rtmp, fd: null },
    { protocol: "http", endpoint: http, fd: null },
  ] as const;
  const setup = { name: "proxy-1", config: configOf(balance), listeners, vhosts: null, maxConnections: null };
  const answer = (message: FromChild): void => {
    if (message.type !== "take") return;
    const { id, key, backend } = message;
    balancer.hear({ type: "taken", id, backend });
    balancer.hear({ type: "leases", begun: [{ key, backend, proxy: "proxy-1", sinceMs: Date.now() }], ended: [] });
  };
  const balancer = await Balancer.create(setup, memoryLog().log, { send: answer, carrier: null, locator: null });
  t.after(() => balancer.close("the test is over"));
  const tellServers = (...areDraining: readonly boolean[]): void => {
    const load = { api: null, isUp: true, upSinceMs: 0, weight: 1, maxConnections: null, connections: 0, bytesPerSecond: 0 };
    const backends = started.map(({ target }, i): BackendState => ({ ...target, ...load, isDraining: areDraining[i] ?? false }));
    balancer.hear({ type: "backends", backends });
  };
  tellServers();
  await balancer.listen();
  const servers = started.map(({ server }) => server);
  return {
    balancer,
    servers,
    rtmpUrl: `rtmp://127.0.0.1:${rtmp.port}/live/s`,
    flvUrl: `http://127.0.0.1:${http.port}/live/s.flv`,
    tellServers,
  };
}

test("balancer: another routing is for those who come, and those who are here go on as they are", async (t) => {
  const rig = await startBalancer(t, "balance fill; routing stream;");
  const encoder = await Encoder.open(t, rig.rtmpUrl);
  const viewer = await watch(t, rig.rtmpUrl);
  const response = watchFlv(rig.flvUrl);
  encoder.send(3);
  const viewerFlv = await response;
  t.after(() => viewerFlv.close());
  rig.tellServers(true, false);
  rig.balancer.reconfigure({ config: configOf("balance fill; routing connection;"), maxConnections: null });
  await watch(t, rig.rtmpUrl);
  const players = rig.servers.map((server) => server.stats().players);
  assert.deepEqual(players, [2, 1], "a newcomer goes where the policy says, and not where the stream is");
  encoder.send(3);
  await viewer.waitUntil("six pictures", (messages) => pictures(messages).length === 6);
  await viewerFlv.waitUntil("six pictures", (tags) => pictures(tags).length === 6);
  assert.equal(rig.balancer.stats().connections, 4);
});

test("balancer: another policy chooses from then on", async (t) => {
  const rig = await startBalancer(t, "balance fill; routing connection;");
  await watch(t, rig.rtmpUrl);
  await watch(t, rig.rtmpUrl);
  rig.balancer.reconfigure({ config: configOf("balance round_robin; routing connection;"), maxConnections: null });
  await watch(t, rig.rtmpUrl);
  await watch(t, rig.rtmpUrl);
  const players = rig.servers.map((server) => server.stats().players);
  assert.deepEqual(players, [3, 1]);
});

test("balancer: other addresses to listen on are refused, and everything is as it was", async (t) => {
  const rig = await startBalancer(t, "balance fill; routing connection;");
  const config = configOf("balance least; routing stream;", "1936");
  assert.throws(() => rig.balancer.reconfigure({ config, maxConnections: 1 }), { code: "CHILD_LISTEN" });
  await watch(t, rig.rtmpUrl);
  await watch(t, rig.rtmpUrl);
  const players = rig.servers.map((server) => server.stats().players);
  assert.deepEqual(players, [2, 0]);
});

test("balancer: a proxy that drains carries whom it has, also for earlier configurations, and lets nobody else in", async (t) => {
  const rig = await startBalancer(t, "balance fill; routing stream;");
  const encoder = await Encoder.open(t, rig.rtmpUrl);
  const early = await watch(t, rig.rtmpUrl);
  rig.balancer.reconfigure({ config: configOf("balance fill; routing connection;"), maxConnections: null });
  const late = await watch(t, rig.rtmpUrl);
  let isOver = false;
  const over = rig.balancer.drain("another process takes its place").then(() => (isOver = true));
  await assert.rejects(player(rig.rtmpUrl), /ECONNREFUSED/);
  encoder.send(3);
  for (const viewer of [early, late]) await viewer.waitUntil("three pictures", (messages) => pictures(messages).length === 3);
  encoder.source.close();
  early.close();
  await early.ended;
  assert.equal(isOver, false, "one viewer is left");
  late.close();
  assert.ok(await within(over, 5000, "the end of the drain"));
});

test("balancer: streams are told apart by the vhosts that are served, or by those that foreign servers have", () => {
  const config = configOf("} vhost off { enabled off; } vhost a {");
  assert.deepEqual(routesOf(config, { vhosts: null }).vhosts, ["a", "__defaultVhost__"]);
  assert.deepEqual(routesOf(config, { vhosts: ["b"] }).vhosts, ["b"]);
});
