import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { maxBacklogBytes } from "../../../src/stream/fanout.js";
import { maxMetadataBytes, type SavedSource } from "../../../src/stream/source.js";
import { FakeConsumer, nameOf, payloadOf, typeOf } from "./fakes.js";
import { defaults, Owned, timed } from "./owned.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
  mock.timers.tick(1_000_000);
});

test("source: packets reach players and own edges at each delay, packagers of parts sooner, with the source's time", () => {
  const owned = new Owned();
  const later = (["rtmp", "edge"] as const).map((tap) => owned.join(tap).consumer);
  const packager = owned.join("prompt").consumer;
  owned.source.publish(owned.publisher);
  owned.push("avc", 5000);
  owned.push("key", 5000);
  owned.push("inter", 5040);
  mock.timers.tick(99);
  assert.deepEqual(timed(packager), []);
  mock.timers.tick(1);
  const expected = ["avc 5000 at 0", "key 5000 at 0", "inter 5040 at 40"];
  assert.deepEqual(timed(packager), expected);
  assert.deepEqual(later.map(timed), [[], []]);
  mock.timers.tick(250);
  assert.deepEqual(later.map(timed), [expected, expected]);
});

test("source: what was sent before the last key frame is kept for those who may come from another process, and no longer", () => {
  const counts = [false, true].map((isExpected) => {
    const owned = new Owned();
    owned.source.publish(owned.publisher);
    if (isExpected) owned.source.expectViewers();
    for (const [kind, time] of [
      ["key", 0],
      ["inter", 40],
      ["key", 80],
    ] as const)
      owned.push(kind, time);
    return owned.source.history()?.count ?? 0;
  });
  assert.deepEqual(counts, [0, 2]);
  const owned = new Owned();
  const { seat } = owned.join("rtmp");
  owned.source.publish(owned.publisher);
  owned.source.remove("rtmp", seat);
  for (const [kind, time] of [
    ["key", 0],
    ["inter", 40],
    ["key", 80],
  ] as const)
    owned.push(kind, time);
  assert.equal(owned.source.history()?.count, 2, "the one who left may be back");
});

test("source: without a delay own edges get packets at the end of the turn", () => {
  const owned = new Owned({ delayMs: 0 });
  const edge = owned.join("edge").consumer;
  owned.source.publish(owned.publisher);
  owned.push("key", 5000);
  mock.timers.tick(0);
  assert.deepEqual(timed(edge), ["key 5000 at 0"]);
});

test("source: players of HTTP-FLV get tags in HTTP's chunked coding", () => {
  const owned = new Owned();
  const { consumer } = owned.join("flv");
  owned.source.publish(owned.publisher);
  owned.push("key", 5000);
  mock.timers.tick(350);
  assert.equal(consumer.sent.length, 1);
  assert.match(consumer.sent[0]!.toString("latin1"), /^[0-9a-f]{8}\r\n[^]*\r\n$/);
  assert.equal(consumer.sent[0]![10], 9, "a tag of video");
});

test("source: one publisher at a time", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  assert.throws(() => owned.source.publish({}), { code: "RTMP_BUSY" });
  assert.throws(() => owned.source.publish(owned.publisher), { code: "RTMP_BUSY" });
  owned.source.unpublish({});
  assert.equal(owned.source.hasPublisher, true, "another's unpublish is ignored");
  owned.source.unpublish(owned.publisher);
  assert.equal(owned.source.hasPublisher, false);
  owned.source.publish({});
});

test("source: it is live from the first packet of a publisher to its end, and consumers are told once", () => {
  const owned = new Owned();
  const taps = (["rtmp", "edge", "flv"] as const).map((tap) => owned.join(tap).consumer);
  owned.source.publish(owned.publisher);
  assert.equal(owned.source.isLive, false);
  owned.push("meta");
  owned.push("key");
  assert.equal(owned.source.isLive, true);
  owned.source.unpublish(owned.publisher);
  owned.source.unpublish(owned.publisher);
  assert.equal(owned.source.isLive, false);
  for (const { lives } of taps) assert.deepEqual(lives, [true, false]);
});

test("source: a publisher that sent nothing was never live", () => {
  const owned = new Owned();
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  owned.source.unpublish(owned.publisher);
  assert.deepEqual(consumer.lives, []);
});

test("source: consumers stay when the publisher leaves, and go on with the next one without a step back", () => {
  const owned = new Owned();
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  owned.push("key", 5000);
  owned.push("inter", 5040);
  owned.source.unpublish(owned.publisher);
  assert.deepEqual(timed(consumer), ["key 5000 at 0", "inter 5040 at 40"], "what was waiting is sent at the end");
  owned.source.publish({});
  owned.push("key", 9);
  owned.push("inter", 49);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer).slice(2), ["key 9 at 50", "inter 49 at 90"]);
});

test("source: a pull that changes its origin goes on after the last time, wherever the new clock stands", () => {
  for (const restart of [100, 90_000]) {
    const owned = new Owned({ timeline: "adopt" });
    const { consumer } = owned.join();
    owned.source.publish(owned.publisher);
    owned.push("key", 5000);
    owned.source.unpublish(owned.publisher);
    owned.source.publish({});
    owned.push("key", restart);
    mock.timers.tick(350);
    assert.deepEqual(timed(consumer), ["key 5000 at 5000", `key ${restart} at 5010`]);
  }
});

test("source: nothing of one publisher is given to who joins under the next", () => {
  const owned = new Owned();
  owned.join();
  owned.source.publish(owned.publisher);
  for (const kind of ["meta", "aac", "avc", "key", "audio"] as const) owned.push(kind, 5000);
  assert.deepEqual(
    [owned.source.codecs.video, owned.source.codecs.audio, owned.source.shown.hasVideo, owned.source.shown.hasAudio],
    ["H.264", "AAC", true, true],
  );
  owned.source.unpublish(owned.publisher);
  assert.deepEqual([owned.source.shown.hasVideo, owned.source.shown.hasAudio], [false, false]);
  owned.source.publish({});
  assert.deepEqual([owned.source.codecs.video, owned.source.codecs.audio], ["", ""]);
  const { consumer } = owned.join();
  assert.deepEqual(consumer.names(), []);
});

test("source: who joins while nothing is waiting misses nothing of a publisher that comes later", () => {
  const owned = new Owned();
  const early = owned.join().consumer;
  owned.source.publish(owned.publisher);
  owned.source.unpublish(owned.publisher);
  owned.source.publish({});
  owned.push("avc", 0);
  const late = owned.join().consumer;
  owned.push("key", 0);
  mock.timers.tick(350);
  assert.deepEqual(early.names(), ["avc 0", "key 0"]);
  assert.deepEqual(late.names(), ["avc 0", "key 0"]);
});

test("source: empty messages and metadata past its limit go nowhere", () => {
  const owned = new Owned();
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  for (const type of [8, 9, 18] as const) owned.source.push(type, 0, Buffer.alloc(0));
  owned.source.push(18, 0, Buffer.alloc(maxMetadataBytes + 1, 2));
  mock.timers.tick(350);
  assert.deepEqual(consumer.sent, []);
  assert.deepEqual([owned.source.isLive, owned.source.bytesIn], [false, 0]);
  owned.source.push(18, 0, Buffer.alloc(maxMetadataBytes, 2));
  assert.deepEqual([owned.source.isLive, owned.source.bytesIn], [true, maxMetadataBytes]);
});

test("source: data goes out with the time of the media around it", () => {
  const owned = new Owned();
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  owned.push("meta", 0);
  owned.push("key", 5000);
  owned.push("inter", 5040);
  owned.push("text", 0);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer), ["meta 0 at 0", "key 5000 at 0", "inter 5040 at 40", "text 0 at 40"]);
});

test("source: with the timeline off everything keeps its own time, data too", () => {
  const owned = new Owned({ timeline: "off" });
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  owned.push("key", 5000);
  owned.push("text", 77);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer), ["key 5000 at 5000", "text 77 at 77"]);
});

test("source: a repeated sequence header is left out where that is wanted", () => {
  for (const reduceSequenceHeader of [true, false]) {
    const owned = new Owned({ reduceSequenceHeader });
    const { consumer } = owned.join();
    owned.source.publish(owned.publisher);
    for (const name of ["1", "1", "2"]) owned.push("avc", 0, name);
    mock.timers.tick(350);
    assert.deepEqual(consumer.names(), reduceSequenceHeader ? ["avc 1", "avc 2"] : ["avc 1", "avc 1", "avc 2"]);
  }
});

test("source: the codecs are those of the first frames, and of the first behind every header; what is announced is not there", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  owned.source.push(9, 0, Buffer.of(0x12, 0));
  owned.source.push(8, 0, Buffer.of(0x2f, 0xff));
  assert.deepEqual([owned.source.codecs.video, owned.source.codecs.audio], ["H.263", "MP3"]);
  owned.push("inter");
  assert.equal(owned.source.codecs.video, "H.263");
  owned.push("avc");
  owned.push("aac");
  assert.deepEqual([owned.source.codecs.video, owned.source.codecs.audio], ["H.263", "MP3"]);
  owned.push("inter");
  owned.push("audio");
  assert.deepEqual([owned.source.codecs.video, owned.source.codecs.audio], ["H.264", "AAC"]);
});

test("source: the owner is told of the first consumer and of the last, whatever they drink", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  const first = owned.join("rtmp");
  const second = owned.join("flv");
  const third = owned.join("edge");
  assert.deepEqual(
    [owned.source.consumers, owned.source.count("rtmp"), owned.source.count("flv"), owned.source.count("edge")],
    [3, 1, 1, 1],
  );
  assert.deepEqual(owned.told, ["wanted"]);
  owned.source.remove("rtmp", first.seat);
  owned.source.remove("flv", second.seat);
  owned.source.remove("flv", second.seat);
  assert.deepEqual(owned.told, ["wanted"]);
  owned.source.remove("edge", third.seat);
  owned.source.remove("edge", third.seat);
  assert.deepEqual(owned.told, ["wanted", "unwanted"], "a stream with a publisher is not idle");
  owned.source.unpublish(owned.publisher);
  assert.deepEqual(owned.told, ["wanted", "unwanted", "idle"]);
});

test("source: with consumers but without publisher it is not idle", () => {
  const owned = new Owned();
  const { seat } = owned.join();
  owned.source.publish(owned.publisher);
  owned.source.unpublish(owned.publisher);
  assert.deepEqual(owned.told, ["wanted"]);
  owned.source.remove("rtmp", seat);
  assert.deepEqual(owned.told, ["wanted", "unwanted", "idle"]);
});

test("source: consumers may come again after all have left", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  owned.source.remove("rtmp", owned.join().seat);
  owned.source.remove("flv", owned.join("flv").seat);
  assert.deepEqual(owned.told, ["wanted", "unwanted", "wanted", "unwanted"]);
});

/** A source whose one consumer has been too slow for too long, which the next flush finds. */
function withSlow(): Owned {
  const owned = new Owned();
  const { consumer } = owned.join();
  consumer.backlogBytes = 2 * maxBacklogBytes;
  owned.source.publish(owned.publisher);
  owned.push("key", 0);
  mock.timers.tick(350);
  mock.timers.tick(1001);
  owned.push("inter", 40);
  return owned;
}

test("source: a last consumer that is dropped leaves as any other does", () => {
  const owned = withSlow();
  mock.timers.tick(350);
  assert.equal(owned.source.consumers, 0);
  assert.deepEqual(owned.told, ["wanted", "unwanted"]);
});

test("source: a last consumer that is dropped by the publisher's end makes it idle once", () => {
  const owned = withSlow();
  owned.source.unpublish(owned.publisher);
  assert.equal(owned.source.consumers, 0);
  assert.deepEqual(owned.told, ["wanted", "unwanted", "idle"]);
});

test("source: a slow player of HTTP-FLV is told so in its own words", () => {
  const owned = new Owned({ queueLengthMs: 0 });
  const { consumer } = owned.join("flv");
  consumer.backlogBytes = 2 * maxBacklogBytes;
  owned.source.publish(owned.publisher);
  for (const time of [0, 40]) {
    owned.push("inter", time);
    mock.timers.tick(350);
  }
  assert.deepEqual(consumer.drops, ["FLV_SLOW"]);
});

test("source: a tap is given what a player starts with, then every packet at once, until it is stopped", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  for (const kind of ["avc", "inter", "key"] as const) owned.push(kind);
  const tapped: string[] = [];
  const stop = owned.source.tap(({ payload }) => void tapped.push(nameOf(payload)));
  assert.deepEqual(tapped, ["avc 0", "key 0"]);
  owned.push("inter", 40);
  assert.deepEqual(tapped, ["avc 0", "key 0", "inter 40"]);
  stop();
  stop();
  owned.push("inter", 80);
  assert.equal(tapped.length, 3);
  assert.deepEqual(owned.told, [], "a tap is no consumer");
});

test("source: after close no timer sends anything", () => {
  const owned = new Owned();
  const consumers = (["rtmp", "edge", "flv"] as const).map((tap) => owned.join(tap).consumer);
  owned.source.publish(owned.publisher);
  owned.push("key");
  owned.source.close();
  owned.source.close();
  mock.timers.tick(10_000);
  for (const { sent } of consumers) assert.deepEqual(sent, []);
});

test("source: a publisher takes the place of what has brought its packets until now, and neither time nor viewers notice", () => {
  const owned = new Owned({ timeline: "follow" });
  const mirror = {};
  owned.source.publish(mirror);
  const player = owned.join("rtmp").consumer;
  owned.push("key", 5000);
  owned.push("inter", 5040);
  owned.source.adopt({ ...defaults, timeline: "full" });
  const { timeline } = owned.source.save();
  Object.assign(timeline.video, { lastIn: 40 });
  owned.source.takeOver(mirror, owned.publisher, { timeline, headers: [] });
  owned.source.unpublish(mirror); // is not the publisher's any more
  owned.push("inter", 80);
  owned.push("inter", 19_000);
  mock.timers.tick(350);
  assert.deepEqual(
    timed(player).slice(-4),
    ["key 5000 at 5000", "inter 5040 at 5040", "inter 80 at 5080", "inter 19000 at 5090"],
    "its own clock, corrected",
  );
  assert.throws(() => owned.source.takeOver(mirror, {}, { timeline, headers: [] }), { code: "RTMP_BUSY" });
});

test("source: a publisher goes on at another source, with its clock and with headers for those who are there and those who come", () => {
  const before = new Owned();
  before.source.publish(before.publisher);
  for (const kind of ["meta", "avc", "aac"] as const) before.push(kind, 5000, kind);
  before.push("key", 5000, "k");
  before.push("inter", 5040, "i");
  const after = new Owned();
  const early = after.join().consumer;
  after.source.publish(after.publisher);
  after.source.resume(JSON.parse(JSON.stringify(before.source.save())) as SavedSource);
  after.push("inter", 5080, "j");
  mock.timers.tick(350);
  const late = after.join().consumer;
  assert.deepEqual(timed(early), ["meta meta at 0", "aac aac at 0", "avc avc at 40", "inter j at 80"]);
  assert.deepEqual(timed(late), ["meta meta at 0", "aac aac at 80", "avc avc at 80"]);
  assert.equal(after.source.codecs.video, before.source.codecs.video);
});

test("source: a publisher who keeps the clock is taken at its word, and the clock is ours or goes on", () => {
  const fresh = new Owned();
  const own = fresh.source.clock;
  assert.ok(own.id > 0 && own.timeMs === null);
  fresh.source.publish(fresh.publisher, 0);
  fresh.push("key", 0);
  fresh.push("inter", 9000);
  assert.deepEqual(fresh.source.clock, { id: own.id, timeMs: 9000 }, "no jump is repaired");
  const { source } = new Owned();
  source.publish({}, own.id);
  source.push(typeOf("inter"), 9040, payloadOf("inter", 1));
  assert.deepEqual(source.clock, { id: own.id, timeMs: 9040 });
});

test("source: one that has had a clock to follow keeps it, whatever the next publisher asks for", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  owned.push("key", 5000);
  owned.source.unpublish(owned.publisher);
  const { id } = owned.source.clock;
  owned.source.publish({}, id === 7 ? 8 : 7);
  assert.deepEqual(owned.source.clock, { id, timeMs: 0 });
});

test("source: what a publisher repeats is left out, up to the first newer packet of each type; other headers are not", () => {
  const owned = new Owned({ timeline: "follow" });
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  for (const kind of ["meta", "aac", "avc"] as const) owned.push(kind, 5000, 0);
  owned.push("key", 5000);
  owned.push("inter", 5040);
  owned.push("audio", 5020);
  mock.timers.tick(350);
  const before = consumer.messages().length;
  owned.source.expectRepeats();
  for (const kind of ["meta", "aac", "avc"] as const) owned.push(kind, 5000, 0);
  owned.push("key", 5000);
  owned.push("audio", 5020);
  owned.push("inter", 5040);
  owned.push("audio", 5041);
  owned.push("avc", 5045, "other");
  owned.push("inter", 5080);
  owned.push("audio", 5039);
  mock.timers.tick(350);
  assert.deepEqual(timed(consumer).slice(before), ["audio 5041 at 5041", "avc other at 5045", "inter 5080 at 5080", "audio 5039 at 5041"]);
});

for (const [name, had, comes, isShown] of [
  ["the latest one is", 100_000, 100_000, false],
  ["one of a minute before is", 100_000, 40_000, false],
  ["one that lies further back is not, for that is another clock's", 100_000, 39_999, true],
  ["one of before the wrap at 2³² is", 0x10, 0xfffffff0, false],
  ["one behind the wrap is not", 0xfffffff0, 0x10, true],
] as const) {
  test(`source: of what a publisher repeats, ${name} left out`, () => {
    const owned = new Owned({ timeline: "off" });
    const { consumer } = owned.join();
    owned.source.publish(owned.publisher);
    owned.push("key", had, 0);
    owned.source.expectRepeats();
    owned.push("key", comes, 0);
    mock.timers.tick(350);
    assert.equal(consumer.messages().length, isShown ? 2 : 1);
  });
}

test("source: of several packets with the latest time those are left out that were here", () => {
  const owned = new Owned({ timeline: "follow" });
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  const slices = (...names: string[]): void => names.forEach((name) => owned.push("inter", 5000, name));
  slices("a", "b");
  owned.source.expectRepeats();
  slices("a", "b", "c");
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["inter a", "inter b", "inter c"]);
});

test("source: history and start fit together for an edge that comes while another's first batch waits", () => {
  const owned = new Owned();
  const first = owned.join("edge").consumer;
  owned.source.publish(owned.publisher, 7);
  for (const at of [0, 40, 80]) owned.push("inter", at);
  const history = owned.source.history();
  const second = owned.join("edge").consumer;
  second.sent.unshift(history?.bytes ?? Buffer.alloc(0));
  owned.push("inter", 120);
  mock.timers.tick(350);
  assert.equal(history?.count, 3);
  for (const consumer of [first, second]) {
    assert.deepEqual(consumer.names(), ["inter 0", "inter 40", "inter 80", "inter 120"]);
  }
});

test("source: whom nobody but a patient packager follows nobody waits for, and the packager misses nothing", () => {
  const { source, publisher } = new Owned({ keepMs: 1000 });
  source.publish(publisher);
  const packager = new FakeConsumer();
  const seat = source.addWhole("patient", packager, () => undefined);
  assert.deepEqual([source.isWatched, source.ownConsumers, source.consumers], [false, 1, 1]);
  const player = new FakeConsumer();
  const place = source.add("rtmp", player);
  assert.deepEqual([source.isWatched, source.ownConsumers, source.consumers], [true, 1, 2]);
  source.remove("rtmp", place);
  packager.backlogBytes = 1; // what it was given is not written yet, so nobody may write into it
  source.push(9, 0, payloadOf("avc", 0));
  source.push(9, 0, payloadOf("key", 1));
  source.flush();
  const [first] = packager.sent;
  const before = Buffer.from(first!);
  source.push(9, 40, payloadOf("inter", 2));
  source.flush();
  assert.ok(first!.equals(before));
  assert.deepEqual(packager.names().slice(-2), ["key 1", "inter 2"]);
  source.remove("patient", seat);
});
