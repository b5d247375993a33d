// The time of a source for viewers whom another process has served.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { packetKey } from "../../../src/base/position.js";
import { FakeConsumer } from "./fakes.js";
import { Owned, timed } from "./owned.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
  mock.timers.tick(1_000_000);
});

const far = { timestamp: 7314, packet: packetKey(9, 1) };

for (const timeline of ["full", "zero"] as const) {
  test(`source: a clock of ${timeline} that begins goes on behind what viewers have seen in another process`, () => {
    for (const isPublished of [true, false]) {
      const owned = new Owned({ timeline });
      const consumer = new FakeConsumer();
      if (isPublished) owned.source.publish(owned.publisher);
      owned.source.readmit("rtmp", new FakeConsumer(), { ...far, timestamp: 7000 });
      owned.source.readmit("rtmp", consumer, far);
      owned.source.readmit("rtmp", new FakeConsumer(), { ...far, timestamp: 7100 });
      assert.equal(owned.source.seenMs, 7314);
      if (!isPublished) owned.source.publish(owned.publisher);
      owned.push("key", 0);
      owned.push("inter", 40);
      mock.timers.tick(350);
      assert.deepEqual(timed(consumer), ["key 0 at 7324", "inter 40 at 7364"]);
    }
  });
}

test("source: an origin whose edges have seen the stream tells its publisher's edge to begin behind that", () => {
  const owned = new Owned();
  const { consumer } = owned.join("edge");
  owned.source.noteSeen(7000);
  owned.source.noteSeen(7314);
  owned.source.noteSeen(6000);
  owned.source.publish(owned.publisher, 0);
  assert.equal(owned.source.clock.timeMs, 7314);
  // As that edge gives them: its video is ahead of its audio.
  owned.push("key", 7774);
  owned.push("audio", 7324);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer), ["key 7774 at 7774", "audio 7324 at 7324"]);
});

test("source: an origin whose edges have seen the stream takes on the clock of a publisher who goes on", () => {
  for (const isPublished of [true, false]) {
    const owned = new Owned();
    if (isPublished) owned.source.publish(owned.publisher, 7);
    owned.source.noteSeen(7314);
    if (!isPublished) owned.source.publish(owned.publisher, 7);
    owned.push("key", 7000);
    assert.deepEqual(owned.source.clock, { id: 7, timeMs: 7000 });
  }
});

for (const timeline of ["full", "follow", "adopt"] as const) {
  test(`source: the clock of ${timeline} goes on behind somebody who has seen more than there is, and all go on with it`, () => {
    const owned = new Owned({ timeline });
    const here = owned.join().consumer;
    owned.source.publish(owned.publisher);
    owned.push("key", 0);
    owned.push("inter", 40);
    mock.timers.tick(350);
    const carried = new FakeConsumer();
    owned.source.readmit("rtmp", carried, far);
    owned.push("inter", 80);
    owned.push("key", 120);
    owned.push("audio", 110);
    mock.timers.tick(350);
    assert.deepEqual(timed(carried), ["key 120 at 7364", "audio 110 at 7354"]);
    assert.deepEqual(timed(here).slice(2), ["inter 80 at 7324", "key 120 at 7364", "audio 110 at 7354"]);
  });
}

test("source: with the timeline off nobody's time is moved", () => {
  const owned = new Owned({ timeline: "off" });
  const consumer = new FakeConsumer();
  owned.source.readmit("rtmp", consumer, far);
  owned.source.publish(owned.publisher);
  owned.push("key", 0);
  mock.timers.tick(350);
  owned.push("key", 40);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer), ["key 40 at 40"]);
});
