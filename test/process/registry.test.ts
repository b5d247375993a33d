// The registry's room before a real Redis: whose a stream is, through all that Redis and the nodes can do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { maxHops } from "../../src/ipc/locating.js";
import { maxDirectPulls } from "../../src/registry/choice.js";
import { redisOfFile } from "../helpers/redis.js";
import { registryBlock, siteNode, take, whereIs, type SiteNode } from "../helpers/site.js";
import { eventually } from "../helpers/wait.js";

const { skip, redis, another } = await redisOfFile();
const show = "__defaultVhost__/live/show";
let sites = 0;

/** A site that nobody else of this file has. */
async function site(
  t: { after(hook: () => void): void },
  count: number,
  more: Parameters<typeof registryBlock>[1] = {},
): Promise<SiteNode[]> {
  const prefix = `site${++sites}:`;
  return Promise.all(Array.from({ length: count }, () => siteNode(t, registryBlock(redis.url, { prefix, ...more }))));
}

const heard = (node: SiteNode): Promise<boolean> =>
  eventually(() => node.registry.report().isConnected && node.registry.report().heardMs !== null, { what: "the registry to be heard" });

void test("a stream is published at one node, and found from every other", { skip }, async (t) => {
  const [a, b, c] = (await site(t, 3)) as [SiteNode, SiteNode, SiteNode];
  await Promise.all([a, b, c].map(heard));
  const name = { vhost: "__defaultVhost__", app: "live", stream: "show" };
  const before = await a.registry.fence(name);
  const { claim } = await take(a, "show");
  const held = (await a.registry.explain("__defaultVhost__/live/show")).place?.fence ?? 0;
  assert.ok(before > 0 && before <= held, `${before} ${held}`);
  await assert.rejects(b.registry.fence(name), { code: "RTMP_BUSY" });
  assert.equal(claim.isStandby, false);
  assert.deepEqual(await whereIs(a, "show"), "here");
  assert.deepEqual(await whereIs(b, "show"), [a.port]);
  await assert.rejects(take(c, "show"), { code: "RTMP_BUSY", message: new RegExp(`at 127.0.0.1:${a.port}`) });
  claim.release();
  const { claim: next } = await eventually(() => take(c, "show"));
  assert.deepEqual(await whereIs(b, "show"), [c.port]);
  next.release();
  await eventually(async () => (await whereIs(b, "show")).length === 0);
  assert.ok((await b.registry.fence(name)) > held);
});

void test("a publisher who comes to another node after his node was killed is taken at once", { skip }, async (t) => {
  const [a, b] = (await site(t, 2, { leaseMs: 60_000 })) as [SiteNode, SiteNode];
  await Promise.all([a, b].map(heard));
  await take(a, "show");
  a.die();
  await eventually(() => take(b, "show"), { timeoutMs: 2000 });
  assert.deepEqual(await whereIs(b, "show"), "here");
});

void test("a node that comes back under its name takes its streams again, and those of its former self are void", { skip }, async (t) => {
  const [a, b] = (await site(t, 2, { leaseMs: 60_000 })) as [SiteNode, SiteNode];
  await Promise.all([a, b].map(heard));
  await take(a, "show");
  await take(a, "other");
  a.die();
  const again = await siteNode(t, registryBlock(redis.url, { prefix: `site${sites}:`, leaseMs: 60_000 }), a.port);
  await heard(again);
  await take(again, "show");
  await take(b, "other");
  assert.deepEqual(await whereIs(again, "other"), [b.port]);
});

void test("with takeover the last publisher wins, and the former hears of it", { skip }, async (t) => {
  const [a, b] = (await site(t, 2, { secondPublisher: "takeover" })) as [SiteNode, SiteNode];
  await Promise.all([a, b].map(heard));
  const first = await take(a, "show");
  await take(b, "show");
  await eventually(() => first.by.lost.length > 0, { timeoutMs: 3000 });
  assert.equal(first.by.lost[0]?.code, "REGISTRY_LOST");
  assert.equal(first.claim.mayPass(), false);
  first.claim.release();
  assert.deepEqual(await whereIs(a, "show"), [b.port]);
});

void test("with takeover a publisher who is moved within its box takes nothing back from one who came after it", { skip }, async (t) => {
  const [a, b] = (await site(t, 2, { secondPublisher: "takeover" })) as [SiteNode, SiteNode];
  await Promise.all([a, b].map(heard));
  const startedAtMs = Date.now() - 1000;
  const first = await take(a, "show");
  const second = await take(b, "show");
  await assert.rejects(take(a, "show", startedAtMs), { code: "RTMP_BUSY" });
  first.claim.release();
  second.claim.release();
  await take(a, "show", startedAtMs);
  const moved = await take(a, "show", startedAtMs);
  assert.deepEqual([moved.by.lost, second.by.lost, await whereIs(b, "show")], [[], [], [a.port]]);
});

void test("with backup the second publisher stands by until the first has left, or died", { skip }, async (t) => {
  const [a, b, c] = (await site(t, 3, { secondPublisher: "backup", leaseMs: 60_000 })) as [SiteNode, SiteNode, SiteNode];
  await Promise.all([a, b, c].map(heard));
  const first = await take(a, "show");
  const second = await take(b, "show");
  assert.equal(second.claim.isStandby, true);
  assert.deepEqual(await whereIs(b, "show"), [a.port]);
  first.claim.release();
  await eventually(() => second.by.airs === 1);
  assert.deepEqual(await whereIs(a, "show"), [b.port]);
  const third = await take(c, "show");
  assert.equal(third.claim.isStandby, true);
  b.die();
  await eventually(() => third.by.airs === 1);
});

void test("two hundred changes of node by one fast encoder leave one owner each time, and none at the end", { skip }, async (t) => {
  const nodes = await site(t, 2, { leaseMs: 60_000 });
  await Promise.all(nodes.map(heard));
  for (let turn = 0; turn < 200; turn++) {
    const node = nodes[turn % 2]!;
    const { claim } = await eventually(() => take(node, "show"), { everyMs: 1 });
    assert.deepEqual(await whereIs(nodes[(turn + 1) % 2]!, "show"), [node.port]);
    claim.release();
  }
  await eventually(async () => (await redis.ask("GET", `site${sites}:1:s:{__defaultVhost__/live/show}`)).startsWith("$-1"));
});

void test("when Redis has lost everything, all is told again and nobody's stream is closed or found elsewhere", { skip }, async (t) => {
  const [a, b] = (await site(t, 2)) as [SiteNode, SiteNode];
  await Promise.all([a, b].map(heard));
  const held = await Promise.all(Array.from({ length: 20 }, (_, at) => take(at % 2 === 0 ? a : b, `s${at}`)));
  assert.deepEqual(await whereIs(b, "s0"), [a.port]);
  await redis.ask("FLUSHALL");
  await eventually(async () => (await whereIs(b, "s0")).length === 1 && (await whereIs(a, "s19")).length === 1, { timeoutMs: 5000 });
  assert.deepEqual(
    held.flatMap(({ by }) => by.lost),
    [],
  );
  await assert.rejects(take(b, "s0"), { code: "RTMP_BUSY" });
});

void test("while Redis is away publishers are accepted, and where both were cut off one of them ends", { skip }, async (t) => {
  const own = await another();
  let now = own;
  t.after(() => now.stop());
  const prefix = "cut:";
  const nodes = await Promise.all([1, 2].map(() => siteNode(t, registryBlock(own.url, { prefix }))));
  const [a, b] = nodes as [SiteNode, SiteNode];
  await Promise.all(nodes.map(heard));
  const before = await take(a, "before");
  assert.deepEqual(await whereIs(b, "before"), [a.port]);
  await own.stop();
  // Nobody waits for Redis, which comes back below.
  const one = await take(a, "show");
  const other = await take(b, "show");
  assert.equal(a.registry.report().unconfirmed, 1);
  assert.deepEqual(await whereIs(b, "before"), [a.port], "what is known is used");
  now = await own.again();
  await eventually(() => one.by.lost.length + other.by.lost.length === 1, { timeoutMs: 10_000, what: "one of the two to lose" });
  const winner = one.by.lost.length === 0 ? a : b;
  await eventually(async () => (await whereIs(winner, "show")) === "here");
  assert.deepEqual(before.by.lost, []);
  await eventually(async () => (await whereIs(b, "before")).length === 1);
});

void test(
  "while Redis stands still who comes to publish waits a second, and who comes to play goes by what was known",
  { skip },
  async (t) => {
    const own = await another();
    t.after(() => own.stop());
    const [a, b] = (await Promise.all([1, 2].map(() => siteNode(t, registryBlock(own.url))))) as [SiteNode, SiteNode];
    await Promise.all([a, b].map(heard));
    const { by } = await take(a, "show");
    assert.deepEqual(await whereIs(b, "show"), [a.port]);
    own.kill("SIGSTOP");
    const young = await take(b, "young");
    assert.equal(young.claim.isStandby, false);
    assert.equal(b.registry.report().unconfirmed, 1);
    assert.deepEqual(await whereIs(b, "show"), [a.port]);
    own.kill("SIGCONT");
    await eventually(() => b.registry.report().unconfirmed === 0, { timeoutMs: 5000, what: "the registry to be told" });
    await eventually(async () => (await whereIs(a, "young")).length === 1);
    assert.deepEqual([by.lost, young.by.lost], [[], []]);
  },
);

void test(
  "a clock that is set by an hour moves no stream, and of two publishers the one who came last still wins",
  { skip, timeout: 20_000 },
  async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() });
    const [a, b] = (await site(t, 2, { secondPublisher: "takeover" })) as [SiteNode, SiteNode];
    await Promise.all([a, b].map(heard));
    const kept = await take(a, "kept");
    let last = await take(a, "show");
    for (const [turn, hours] of [1, -1].entries()) {
      t.mock.timers.setTime(Date.now() + hours * 3_600_000);
      await eventually(() => kept.claim.mayPass()); // a step forward looks like a sleep of the machine: it is asked about
      const node = turn % 2 === 0 ? b : a;
      const next = await take(node, "show");
      await eventually(() => last.by.lost.length === 1, { timeoutMs: 5000, what: "the former one to hear of it" });
      assert.deepEqual([next.by.lost, await whereIs(node, "show")], [[], "here"]);
      last = next;
    }
    await redis.ask("FLUSHALL");
    await eventually(async () => (await whereIs(b, "kept")).length === 1 && (await whereIs(a, "show")) === "here", { timeoutMs: 5000 });
    assert.deepEqual([kept.by.lost, last.by.lost], [[], []]);
  },
);

void test("a strict site takes no publisher while Redis is away, and keeps those it has", { skip }, async (t) => {
  const own = await another();
  t.after(() => own.stop());
  const node = await siteNode(t, registryBlock(own.url, { whenAway: "refuse", timeoutMs: 400 }));
  await heard(node);
  const { by } = await take(node, "show");
  own.kill("SIGSTOP");
  await assert.rejects(take(node, "other"), { code: "REGISTRY_AWAY" });
  assert.deepEqual(by.lost, []);
  own.kill("SIGCONT");
  await eventually(() => take(node, "other"), { timeoutMs: 5000 });
});

void test("the registry needs these commands and keys, and no others", { skip }, async (t) => {
  const rights =
    "~acl:* +eval +evalsha +get +set +del +pexpire +time +zadd +zrem +zrange +zcard +zremrangebyscore +lrange +rpush +ltrim +hget +hset +hdel +hlen +hgetall +sadd +scard";
  const own = await another([`user dolphin on >se:c@ret ${rights}`, "user default off"]);
  t.after(() => own.stop());
  const block = registryBlock(`redis://dolphin:se%3Ac%40ret@127.0.0.1:${own.port}`, { prefix: "acl:", secondPublisher: "takeover" });
  const [a, b] = await Promise.all([siteNode(t, block), siteNode(t, block)]);
  await Promise.all([a, b].map(heard));
  const first = await take(a, "show");
  const second = await take(b, "show");
  await eventually(() => first.by.lost.length > 0);
  a.registry.replicas.tell("", show, `127.0.0.1:${b.port}`);
  assert.deepEqual(await whereIs(a, "show"), [b.port]);
  a.registry.replicas.tell("", show, null);
  const { problem, nodes } = await a.registry.site();
  assert.deepEqual([problem, nodes.length], [null, 2]);
  second.claim.release();
  await eventually(async () => (await whereIs(a, "show")).length === 0);
});

void test("who Redis does not let in, or not far enough, serves meanwhile, and is confirmed when that is mended", { skip }, async (t) => {
  const own = await another(["user mended on >old ~* +@all", "user narrow on >good ~other:* +@all"]);
  t.after(() => own.stop());
  const at = (who: string): Promise<SiteNode> => siteNode(t, registryBlock(`redis://${who}@127.0.0.1:${own.port}`, { prefix: "mine:" }));
  const nodes = await Promise.all([at("mended:new"), at("narrow:good")]);
  const taken = await Promise.all(nodes.map((node, index) => take(node, `show${index}`)));
  assert.deepEqual(
    nodes.map(({ registry }) => [registry.report().unconfirmed, registry.report().heardMs]),
    [
      [1, null],
      [1, null],
    ],
  );
  await own.ask("ACL", "SETUSER", "mended", "resetpass", ">new");
  await own.ask("ACL", "SETUSER", "narrow", "~mine:*");
  await eventually(() => nodes.every(({ registry }) => registry.report().unconfirmed === 0), { timeoutMs: 10_000 });
  assert.deepEqual(
    taken.flatMap(({ by }) => by.lost),
    [],
  );
});

void test("boxes of one zone fetch a stream from afar once, and go on without the box that they had it from", { skip }, async (t) => {
  const prefix = `site${++sites}:`;
  const [owner, b, c] = (await Promise.all(
    ["north", "south", "south"].map((zone) => siteNode(t, registryBlock(redis.url, { prefix, zone, leaseMs: 60_000 }))),
  )) as [SiteNode, SiteNode, SiteNode];
  await Promise.all([owner, b, c].map(heard));
  await take(owner, "show");
  assert.deepEqual(await whereIs(b, "show"), [owner.port]);
  pulls(b, owner);
  assert.deepEqual(await eventually(async () => ledBy(await whereIs(c, "show"), b.port)), [b.port, owner.port]);
  pulls(c, b);
  assert.deepEqual(await whereIs(c, "show"), [b.port, owner.port], "it stays");
  const { route, hasFrom } = await c.registry.trace(show);
  assert.deepEqual([route.servers.length, hasFrom], [2, `127.0.0.1:${b.port}`]);
  // Who has it from c alone is no way for c, whatever becomes of b.
  pulls(b, c);
  pulls(c, null);
  assert.deepEqual(await eventually(async () => ledBy(await whereIs(c, "show"), owner.port)), [owner.port]);
  pulls(b, null);
  assert.match(await redis.ask("SCARD", `${prefix}1:a:{${show}}:south`), /^:[0-2]/, "who asks again is no crowd");
  await eventually(async () => (await redis.ask("HLEN", `${prefix}1:h:{${show}}:south`)).startsWith(":0"));
});

void test("when many boxes want one stream at once, its owner serves some of them and these the others", { skip }, async (t) => {
  const [owner, ...others] = (await site(t, 40)) as [SiteNode, ...SiteNode[]];
  await Promise.all([owner, ...others].map(heard));
  await take(owner, "show");
  const from = await Promise.all(
    others.map(async (node) => {
      const [first] = await whereIs(node, "show");
      node.registry.replicas.tell("", show, `127.0.0.1:${first}`);
      return Number(first);
    }),
  );
  assert.ok(from.filter((port) => port === owner.port).length <= 2 * maxDirectPulls, `${from.length} boxes did not all go to the owner`);
  assert.ok(new Set(from).size > 2);
  const parents = new Map(others.map((node, index) => [node.port, from[index]!]));
  for (const { port } of others) {
    const way = [port];
    while (way.at(-1) !== owner.port && way.length <= maxHops) way.push(parents.get(way.at(-1)!)!);
    assert.equal(way.at(-1), owner.port, way.join(" from "));
  }
});

/** A node has the stream from that one; null: no more. */
function pulls(node: SiteNode, from: SiteNode | null): void {
  node.registry.replicas.tell("", show, from === null ? null : `127.0.0.1:${from.port}`);
}

/** The ports, once that one is the first of them. */
function ledBy(ports: readonly number[] | "here", port: number): readonly number[] | null {
  return ports !== "here" && ports[0] === port ? ports : null;
}
