// What describes a stream and its tracks, to those who are there and to those who come.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { packetKey } from "../../../src/base/position.js";
import { FakeConsumer, payloadOf } from "./fakes.js";
import { Owned } from "./owned.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
  mock.timers.tick(1_000_000);
});

test("source: metadata is sent without a time, whenever it comes, to whoever is there and whoever comes", () => {
  for (const timeline of ["full", "zero", "off", "adopt", "follow"] as const) {
    const owned = new Owned({ timeline });
    const early = (["rtmp", "prompt"] as const).map((tap) => owned.join(tap).consumer);
    owned.source.publish(owned.publisher);
    owned.push("meta", 5000);
    owned.push("key", 5000);
    owned.push("meta", 5040, "changed");
    owned.push("inter", 5040);
    mock.timers.tick(350);
    for (const consumer of [...early, owned.join().consumer]) {
      const times = consumer
        .messages()
        .filter(({ type }) => type === 18)
        .map(({ timestamp }) => timestamp);
      assert.deepEqual(new Set(times), new Set([0]), timeline);
    }
    assert.deepEqual(early[0]?.names(), ["meta 5000", "key 5000", "meta changed", "inter 5040"], "in its place among the others");
  }
});

test("source: who goes on for another process finds its place behind metadata, which has no time", () => {
  const owned = new Owned();
  owned.join();
  owned.source.publish(owned.publisher);
  for (const at of [0, 40, 80]) owned.push(at === 0 ? "key" : "inter", at);
  owned.push("meta", 80);
  mock.timers.tick(350);
  const consumer = new FakeConsumer();
  owned.source.readmit("rtmp", consumer, { timestamp: 40, packet: packetKey(9, payloadOf("inter", 40).length) });
  owned.push("inter", 120);
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["inter 80", "meta 80", "inter 120"]);
});
