import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRoll, sentencesOf, siteOf, type ReadNode, type StreamReading } from "../../../src/ipc/site.js";
import { maxRollRows, rollText } from "../../../src/registry/roll.js";
import { quietRegistry as registry } from "../../helpers/registry-report.js";

const key = "__defaultVhost__/live/show";

function node(id: string, roll: object, more: { epoch?: string; zone?: string; isLost?: boolean; state?: string } = {}): ReadNode {
  const { epoch = "e1", zone = "north", isLost = false, state = "ready" } = more;
  const record = `${epoch} run ${JSON.stringify({ rtmp: id, version: "1.0.0", zone, state, load: 0.25, clients: 3 })}`;
  return { id, heardMs: 500, record: isLost ? "" : record, roll: JSON.stringify({ epoch, zone, ...roll }) };
}

void test("a stream is listed once, with its owner, the boxes that have it and those where a publisher stands by", () => {
  const site = siteOf({
    registry,
    nodes: [
      node("c:1935", { standby: [key] }),
      node("b:1935", { replicas: [[key, "a:1935"]] }, { zone: "south", state: "draining" }),
      node("a:1935", { own: [[key, 17, 1000]] }),
    ],
  });
  assert.deepEqual(
    site.nodes.map(({ id, zone, state, load, streams, replicas, standby, isThis }) => [
      id,
      zone,
      state,
      load,
      streams,
      replicas,
      standby,
      isThis,
    ]),
    [
      ["a:1935", "north", "ready", 0.25, 1, 0, 0, true],
      ["b:1935", "south", "draining", 0.25, 0, 1, 0, false],
      ["c:1935", "north", "ready", 0.25, 0, 0, 1, false],
    ],
  );
  const replicas = [{ node: "b:1935", from: "a:1935" }];
  assert.deepEqual(site.streams, [{ key, owner: "a:1935", fence: 17, sinceMs: 1000, replicas, standby: ["c:1935"], lostWith: null }]);
});

void test("what a box had is lost with it, also where another process has its name, until another box has it", () => {
  const lost = node("a:1935", { own: [[key, 17, 1000]] }, { isLost: true });
  const reborn = { ...node("a:1935", {}, { epoch: "e2" }), roll: lost.roll };
  for (const gone of [lost, reborn]) {
    const [stream] = siteOf({ registry, nodes: [gone] }).streams;
    assert.deepEqual([stream?.owner, stream?.lostWith], [null, "a:1935"]);
    const [again] = siteOf({ registry, nodes: [gone, node("b:1935", { own: [[key, 18, 2000]] })] }).streams;
    assert.deepEqual([again?.owner, again?.lostWith], ["b:1935", null]);
  }
  assert.equal(siteOf({ registry, nodes: [lost] }).nodes[0]?.state, "lost");
  assert.equal(siteOf({ registry, nodes: [lost] }).nodes[0]?.zone, "north");
});

void test("of two boxes that say they have a stream the one with the higher fence is believed", () => {
  const nodes = [node("a:1935", { own: [[key, 17, 1000]] }), node("b:1935", { own: [[key, 18, 900]] })];
  for (const order of [nodes, nodes.toReversed()]) assert.equal(siteOf({ registry, nodes: order }).streams[0]?.owner, "b:1935");
});

void test("what stands in the registry and cannot be read is left out, whatever it is", () => {
  for (const text of [
    "",
    "{",
    "[]",
    "7",
    "null",
    '{"own":7}',
    '{"own":[7,[1,2],["k","x",3]],"replicas":[["k"]],"standby":[{}],"more":"many"}',
  ])
    assert.deepEqual(parseRoll(text), { epoch: "", zone: "", own: [], replicas: [], standby: [], more: 0 });
  const nodes = [{ id: "x", heardMs: 0, record: "no record", roll: "no roll" }, node("b:1935", {})];
  assert.deepEqual(
    siteOf({ registry, nodes }).nodes.map(({ id, state }) => [id, state]),
    [
      ["b:1935", "ready"],
      ["x", "lost"],
    ],
  );
});

void test("a roll tells of so many streams, and how many more there are", () => {
  const held = Array.from({ length: maxRollRows + 5 }, (_, at) => ({ key: `k${at}`, sinceMs: 0, fence: 1, isStandby: false }));
  const roll = parseRoll(rollText({ epoch: "e", zone: "" }, held, []));
  assert.deepEqual([roll.own.length, roll.more], [maxRollRows, 5]);
});

void test("what is told of a stream is where it came in, who has it, and from where this box would pull it", () => {
  const site = siteOf({
    registry,
    nodes: [
      node("a:1935", {}),
      node("b:1935", { own: [[key, 17, 1000]] }, { zone: "south" }),
      node("c:1935", { replicas: [[key, "b:1935"]] }),
    ],
  });
  const place = { node: "b:1935", rtmp: "b:1935", fence: 17, sinceMs: 1000, isHere: false, isAlive: true };
  const told: StreamReading = {
    key,
    site: { place, why: "" },
    hasFrom: null,
    route: { servers: ["c:1935", "b:1935"], why: "c:1935 is nearer" },
  };
  assert.deepEqual(sentencesOf(told, site, 61_000), [
    `${key} came in at b:1935 in south 60 s ago, with the fence 17`,
    "it is also at c:1935 in north (from b:1935)",
    "this box does not pull it",
    "for its next player it would pull from c:1935, then b:1935: c:1935 is nearer",
  ]);
  const nobody: StreamReading = {
    key: "v/live/none",
    site: { place: null, why: "nobody publishes it" },
    hasFrom: null,
    route: { servers: [], why: "it would wait" },
  };
  assert.deepEqual(sentencesOf(nobody, site, 0), [
    "v/live/none: nobody publishes it",
    "no other box has it",
    "this box does not pull it",
    "it would wait",
  ]);
});
