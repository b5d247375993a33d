// The registry on every kind of Redis: with Sentinel through a failover that loses a claim, on a Redis Cluster, over TLS.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../src/registry/store.js";
import { projectRoot } from "../helpers/child.js";
import { freePort } from "../helpers/ports.js";
import { findRedis, joinCluster, reshard, startRedis, type RedisProgram } from "../helpers/redis.js";
import { registryBlock, siteNode, take, whereIs, type SiteNode } from "../helpers/site.js";
import { eventually } from "../helpers/wait.js";

const program = await findRedis();
const skip = typeof program === "string" ? program : false;
const heard = (node: SiteNode): Promise<boolean> =>
  eventually(() => node.registry.report().heardMs !== null, { what: "the registry to be heard" });

void test("through a failover of Sentinel that has lost a claim, one of two publishers stays, and fences grow", { skip }, async (t) => {
  const redis = program as RedisProgram;
  const primary = await startRedis(redis);
  t.after(() => primary.stop());
  const replica = await startRedis(redis, [`replicaof 127.0.0.1 ${primary.port}`]);
  t.after(() => replica.stop());
  await eventually(async () => /master_link_status:up/.test(await replica.ask("INFO", "replication")), { what: "the replica to follow" });
  const watch = [
    `sentinel monitor site 127.0.0.1 ${primary.port} 1`,
    "sentinel down-after-milliseconds site 500",
    "sentinel failover-timeout site 3000",
  ];
  const sentinel = await startRedis(redis, watch, { kind: "sentinel" });
  t.after(() => sentinel.stop());
  await eventually(async () => (await sentinel.ask("SENTINEL", "replicas", "site")).includes(String(replica.port)), {
    timeoutMs: 15_000,
    what: "the sentinel to know the replica",
  });

  const block = registryBlock(`redis+sentinel://127.0.0.1:${sentinel.port}/site`, { prefix: "ha:" });
  const [a, b] = await Promise.all([siteNode(t, block), siteNode(t, block)]);
  await Promise.all([a, b].map(heard));
  const kept = await take(a, "kept");
  await eventually(async () => (await replica.ask("GET", "ha:1:s:{__defaultVhost__/live/kept}")).includes(String(a.port)));
  // What the primary says from now on no replica hears: the claim is lost with it.
  await replica.ask("REPLICAOF", "127.0.0.1", "1");
  const lost = await take(a, "lost");
  const fence = Number(/\d{16}/.exec(await primary.ask("GET", "ha:1:s:{__defaultVhost__/live/lost}"))?.[0]);
  primary.kill("SIGKILL");
  await replica.ask("REPLICAOF", "NO", "ONE");
  await eventually(async () => (await sentinel.ask("SENTINEL", "get-master-addr-by-name", "site")).includes(String(replica.port)), {
    timeoutMs: 20_000,
    what: "the failover",
  });
  // Either of them may be first: the other publisher, or who tells his claim again.
  const { other } = await eventually(
    async () => {
      const taken = await take(b, "lost").catch(() => null);
      const isTold = (await replica.ask("GET", "ha:1:s:{__defaultVhost__/live/lost}")).includes(String(a.port));
      return taken !== null || isTold ? { other: taken } : null;
    },
    { what: "the claim of one of them" },
  );
  await eventually(() => a.registry.report().isConnected, { timeoutMs: 10_000, what: "the new primary to be found" });
  if (other !== null)
    await eventually(() => lost.by.lost.length + other.by.lost.length === 1, { timeoutMs: 10_000, what: "one of them to lose" });
  const now = await eventually(async () => /(\d{16}) \S+/.exec(await replica.ask("GET", "ha:1:s:{__defaultVhost__/live/lost}")), {
    timeoutMs: 10_000,
  });
  assert.ok(Number(now[1]) >= fence, "the fence has not gone back");
  assert.deepEqual(kept.by.lost, []);
  await eventually(async () => (await whereIs(b, "kept")).length === 1);
});

void test("a connection that is given up while Sentinel is asked for the primary is made all the same", { skip }, async (t) => {
  const redis = program as RedisProgram;
  const primary = await startRedis(redis);
  t.after(() => primary.stop());
  const sentinel = await startRedis(redis, [`sentinel monitor site 127.0.0.1 ${primary.port} 1`], { kind: "sentinel" });
  t.after(() => sentinel.stop());
  let connected = 0;
  const events = { onConnected: () => (connected += 1), onLost: () => undefined };
  const store = await openStore(registryBlock(`redis+sentinel://127.0.0.1:${sentinel.port}/site`), events);
  t.after(() => store.close());
  store.renew(); // as after commands that were not answered
  await eventually(() => connected === 1, { what: "the connection" });
  store.renew();
  await eventually(() => connected === 2, { what: "another one" });
});

void test("a primary that has become a replica is left for the new one", { skip }, async (t) => {
  const redis = program as RedisProgram;
  const one = await startRedis(redis);
  t.after(() => one.stop());
  const block = registryBlock(one.url, { prefix: "ro:" });
  const node = await siteNode(t, block);
  await heard(node);
  const first = await take(node, "first");
  await one.ask("REPLICAOF", "127.0.0.1", "1");
  const { claim } = await take(node, "show");
  assert.equal(claim.isStandby, false, "READONLY is no reason to refuse anybody");
  assert.equal(node.registry.report().unconfirmed, 1);
  await one.ask("REPLICAOF", "NO", "ONE");
  await eventually(() => node.registry.report().unconfirmed === 0, { timeoutMs: 10_000, what: "the claim to be confirmed" });
  assert.deepEqual(first.by.lost, []);
});

void test("on a Redis Cluster streams lie on all of its servers, and each claim on one", { skip }, async (t) => {
  const redis = program as RedisProgram;
  const servers = await Promise.all(
    [1, 2, 3].map(async () => {
      const port = await freePort();
      return startRedis(redis, ["cluster-enabled yes", `cluster-port ${await freePort()}`, "cluster-node-timeout 3000"], { port });
    }),
  );
  for (const server of servers) t.after(() => server.stop());
  await joinCluster(redis, servers);
  const block = registryBlock(`redis+cluster://127.0.0.1:${servers[0]!.port},127.0.0.1:${servers[1]!.port}`, {
    secondPublisher: "takeover",
  });
  const [a, b] = await Promise.all([siteNode(t, block), siteNode(t, block)]);
  await Promise.all([a, b].map(heard));
  const names = Array.from({ length: 30 }, (_, at) => `show${at}`);
  const held = await Promise.all(names.map((name) => take(a, name)));
  assert.ok(held.every(({ claim }) => !claim.isStandby));
  assert.equal(a.registry.report().unconfirmed, 0);
  for (const name of names) assert.deepEqual(await whereIs(b, name), [a.port]);
  const sizes = await Promise.all(servers.map(async (server) => Number(/:(\d+)/.exec(await server.ask("DBSIZE"))?.[1])));
  assert.ok(
    sizes.every((size) => size > 0),
    `keys: ${sizes.join(", ")}`,
  );
  await take(b, "show0");
  await eventually(() => held[0]!.by.lost.length === 1);
  // Slots move to another server while streams come and go: each claim is held once, and none waits for the registry to come back.
  const [moved = "", to = ""] = await Promise.all(
    [servers[0]!, servers[1]!].map(async (one) => /[0-9a-f]{40}/.exec(await one.ask("CLUSTER", "MYID"))?.[0]),
  );
  const state = { isMoving: true };
  const moving = reshard(redis, servers[0]!, { from: moved, to, slots: 300 }).finally(() => (state.isMoving = false));
  let turns = 0;
  for (; state.isMoving || turns < 40; turns++) {
    const { claim } = await take(turns % 2 === 0 ? a : b, `young${turns % 40}`);
    assert.equal(claim.isStandby, false);
    claim.release();
  }
  await moving;
  await eventually(() => a.registry.report().unconfirmed + b.registry.report().unconfirmed === 0);
  for (const name of names.slice(1)) assert.deepEqual(await whereIs(b, name), [a.port]);
  assert.deepEqual(
    held.slice(1).flatMap(({ by }) => by.lost),
    [],
  );
});

void test("over TLS the server's certificate is checked, and a wrong one keeps nobody from publishing", { skip }, async (t) => {
  const redis = program as RedisProgram;
  const pem = join(projectRoot, "test/fixtures/self-signed.pem");
  const port = await freePort();
  const lines = [
    "port 0",
    `tls-port ${port}`,
    `tls-cert-file ${pem}`,
    `tls-key-file ${pem}`,
    `tls-ca-cert-file ${pem}`,
    "tls-auth-clients no",
  ];
  const folder = mkdtempSync(join(tmpdir(), "dolphin-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const secret = join(folder, "password");
  writeFileSync(secret, "secret\n");
  const server = await startRedis(redis, [...lines, "requirepass secret"], { port, isSilent: true });
  t.after(() => server.stop());
  const none = { ca: null, cert: null, key: null, serverName: null };
  const known = await siteNode(t, registryBlock(`rediss://localhost:${port}`, { passwordFile: secret, tls: { ...none, ca: pem } }));
  await heard(known);
  await take(known, "show");
  assert.equal(known.registry.report().unconfirmed, 0);
  const stranger = await siteNode(t, registryBlock(`rediss://127.0.0.1:${port}`, { passwordFile: secret, tls: none }));
  const { claim } = await take(stranger, "show");
  assert.equal(claim.isStandby, false);
  assert.equal(stranger.registry.report().isConnected, false);
});
