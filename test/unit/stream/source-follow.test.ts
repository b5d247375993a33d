// The time of a source, for edges that come late and for what an origin that died is told again.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { PacketType } from "../../../src/stream/packet.js";
import { nameOf } from "./fakes.js";
import { Owned, timed } from "./owned.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
  mock.timers.tick(1_000_000);
});

test("source: what is repeated is known by the publisher's time where the source has given another", () => {
  const owned = new Owned({ timeline: "follow" });
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  owned.push("key", 9000);
  owned.source.unpublish(owned.publisher);
  owned.source.publish(owned.publisher);
  owned.push("key", 0);
  owned.push("inter", 40);
  owned.source.expectRepeats();
  owned.push("inter", 40);
  owned.push("inter", 80);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer), ["key 9000 at 9000", "key 0 at 9010", "inter 40 at 9050", "inter 80 at 9090"]);
});

for (const aheadMs of [450, -450, 3000]) {
  test(`source: an edge that comes late gives every packet the origin's time, with pictures ${aheadMs} ms ahead of their sound`, () => {
    const origin = new Owned();
    origin.source.publish(origin.publisher);
    const send = (from: number, to: number): void => {
      for (let at = from; at < to; at += 40) {
        origin.push(at % 1000 === 0 ? "key" : "inter", 5000 + at + aheadMs);
        origin.push("audio", 5000 + at);
      }
    };
    origin.push("avc", 5000 + aheadMs);
    origin.push("aac", 5000);
    const early = origin.join("edge").consumer;
    send(0, 2000);
    mock.timers.tick(350);
    const late = origin.join("edge").consumer;
    send(2000, 4000);
    mock.timers.tick(350);
    const edge = new Owned({ timeline: "follow" });
    const viewer = edge.join("rtmp").consumer;
    edge.source.publish(edge.publisher);
    for (const { type, timestamp, payload } of late.messages()) edge.source.push(type as PacketType, timestamp, payload);
    mock.timers.tick(350);
    const seen = timed(viewer).filter((name) => !/^(?:aac|avc)/.test(name));
    const sent = timed(early).filter((name) => !/^(?:aac|avc)/.test(name));
    assert.deepEqual(seen, sent.slice(sent.indexOf(seen[0] ?? "")));
    assert.ok(seen.length > 50);
  });
}

test("source: the memory of the last packet of each type is still needed, for repeats are known by it", () => {
  const owned = new Owned({ gopCache: false });
  owned.source.publish(owned.publisher);
  for (const kind of ["key", "inter", "audio", "text"] as const) owned.push(kind);
  const needed: Buffer[] = [];
  assert.equal(owned.source.hold({ add: (payload) => needed.push(payload) > 0 }), true);
  assert.deepEqual(needed.map(nameOf), ["audio 0", "inter 0", "text 0"]);
});
