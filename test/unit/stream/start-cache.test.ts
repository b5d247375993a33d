import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { announcedWaitMs, historyMs, keepAllMs, maxGopBytes, StartCache } from "../../../src/stream/start-cache.js";
import { makePacket } from "../../../src/stream/packet.js";
import { nameOf, packetOf, type Kind } from "./fakes.js";

/** A cache that these packets went through, a name each and 40 ms apart. */
function filled(kinds: readonly Kind[], options = { gopCache: true, gopCacheMaxFrames: 0 }): StartCache {
  const cache = new StartCache(options);
  kinds.forEach((kind, i) => cache.push(packetOf(kind, i * 40, i)));
  return cache;
}

function start(cache: StartCache): string[] {
  return cache.start().map(({ payload }) => nameOf(payload));
}

const many = (count: number, kind: Kind): Kind[] => Array.from({ length: count }, () => kind);

const rows: { name: string; kinds: Kind[]; start: string[] }[] = [
  { name: "a stream without packets has no start", kinds: [], start: [] },
  {
    name: "metadata and headers come before media, audio's first",
    kinds: ["avc", "meta", "aac", "key"],
    start: ["meta 1", "aac 2", "avc 0", "key 3"],
  },
  {
    name: "the latest header of each kind counts",
    kinds: ["meta", "aac", "avc", "meta", "aac", "avc"],
    start: ["meta 3", "aac 4", "avc 5"],
  },
  {
    name: "media before the first key frame is not kept",
    kinds: ["avc", "inter", "audio", "key", "inter"],
    start: ["avc 0", "key 3", "inter 4"],
  },
  {
    name: "audio between the frames is kept in its place",
    kinds: ["key", "audio", "inter", "audio"],
    start: ["key 0", "audio 1", "inter 2", "audio 3"],
  },
  { name: "a key frame begins anew", kinds: ["key", "inter", "audio", "key", "audio"], start: ["key 3", "audio 4"] },
  { name: "audio alone is not kept", kinds: ["aac", "audio", "audio"], start: ["aac 0"] },
  { name: "data that is no metadata is not kept", kinds: ["key", "text", "inter"], start: ["key 0", "inter 2"] },
  {
    name: "headers between the frames are not kept among them",
    kinds: ["avc", "key", "avc", "inter", "aac"],
    start: ["aac 4", "avc 2", "key 1", "inter 3"],
  },
  {
    name: "115 audio packets in a row are kept",
    kinds: ["key", ...many(115, "audio")],
    start: ["key 0", ...many(115, "audio").map((_, i) => `audio ${i + 1}`)],
  },
  { name: "116 audio packets in a row mean that video is over", kinds: ["key", ...many(116, "audio")], start: [] },
  {
    name: "video between them counts audio from there",
    kinds: ["key", ...many(100, "audio"), "inter", ...many(100, "audio"), "key"],
    start: ["key 202"],
  },
];

for (const row of rows) {
  test(`start cache: ${row.name}`, () => assert.deepEqual(start(filled(row.kinds)), row.start));
}

test("start cache: headers have the time of the first packet after them", () => {
  const times = filled(["meta", "avc", "aac", "key", "inter", "avc"])
    .start()
    .map(({ timestamp }) => timestamp);
  assert.deepEqual(times, [120, 120, 120, 120, 160]);
});

test("start cache: each header has the time of its own track's next packet, and none lies ahead of it", () => {
  const cache = filled(["meta", "aac", "avc"]);
  const push = (kind: Kind, timestamp: number): void => cache.push(packetOf(kind, timestamp));
  const times = (): [string, number][] =>
    cache
      .start()
      .filter(({ isHeader, type }) => isHeader && type !== 18)
      .map(({ timestamp, payload }) => [nameOf(payload), timestamp]);
  // Pictures are stamped ahead of their sound.
  push("key", 450);
  push("audio", 0);
  push("audio", 20);
  assert.deepEqual(times(), [
    ["aac 1", 0],
    ["avc 2", 450],
  ]);
  push("key", 490);
  assert.deepEqual(times(), [
    ["aac 1", 20],
    ["avc 2", 490],
  ]);
});

test("start cache: the header of a track that has been silent for long has the time of what a newcomer gets", () => {
  const cache = filled(["aac", "audio", "avc"]);
  cache.push(packetOf("key", 3_600_000));
  assert.deepEqual(
    cache.start().map(({ timestamp }) => timestamp),
    [3_600_000, 3_600_000, 3_600_000],
  );
});

test("start cache: the last moments before a key frame are kept of both tracks, however far they are from each other", () => {
  const cache = filled([]);
  for (let at = 0; at <= 4000; at += 40) {
    cache.push(packetOf(at % 4000 === 0 ? "key" : "inter", at + 3000));
    cache.push(packetOf("audio", at));
  }
  const [video, audio] = [9, 8].map((type) => cache.history().filter((packet) => packet.type === type));
  assert.deepEqual([video?.[0]?.timestamp, audio?.[0]?.timestamp], [7000 - historyMs, 4000 - 40 - historyMs]);
});

test("start cache: headers without a GOP have the latest time", () => {
  const times = filled(["avc", "aac", "audio"])
    .start()
    .map(({ timestamp }) => timestamp);
  assert.deepEqual(times, [80, 80]);
});

test("start cache: headers can be had at any time, in memory of their own", () => {
  const cache = filled(["meta", "avc"]);
  assert.deepEqual(
    cache.headers([packetOf("key", 7)]).map(({ timestamp, payload }) => [timestamp, nameOf(payload)]),
    [
      [7, "meta 0"],
      [7, "avc 1"],
    ],
  );
  const packet = packetOf("aac", 0);
  cache.push(packet);
  const kept = cache.headers()[1]?.payload;
  assert.deepEqual(kept, packet.payload);
  assert.notEqual(kept, packet.payload, "the packet's memory holds others too, and must not stay for a header");
});

test("start cache: without a GOP cache a start is headers alone", () => {
  assert.deepEqual(start(filled(["meta", "avc", "key", "inter"], { gopCache: false, gopCacheMaxFrames: 0 })), ["meta 0", "avc 1"]);
});

test("start cache: past its most frames it is given up until the next key frame", () => {
  const options = { gopCache: true, gopCacheMaxFrames: 3 };
  assert.deepEqual(start(filled(["key", "inter", "audio"], options)), ["key 0", "inter 1", "audio 2"]);
  assert.deepEqual(start(filled(["key", "inter", "audio", "inter"], options)), []);
  assert.deepEqual(start(filled(["key", "inter", "audio", "inter", "inter"], options)), []);
  assert.deepEqual(start(filled(["key", "inter", "audio", "inter", "inter", "key"], options)), ["key 5"]);
});

test("start cache: past its most bytes it is given up", () => {
  const cache = filled(["key"]);
  const big = Buffer.alloc(maxGopBytes / 4, 1);
  big[0] = 0x27;
  for (let i = 0; i < 3; i++) cache.push(makePacket(9, i, big));
  assert.equal(cache.start().length, 4);
  cache.push(makePacket(9, 4, big));
  assert.equal(cache.start().length, 0);
});

test("start cache: tiny packets without end do not fill the memory", () => {
  const cache = filled(["key"]);
  const tiny = Buffer.of(0x27, 1);
  let most = 0;
  for (let i = 0; i < 200_000; i++) {
    cache.push(makePacket(9, i, tiny));
    if (i % 1000 === 0) most = Math.max(most, cache.start().length);
  }
  assert.ok(most > 10_000 && most <= 65_536, `${most} packets`);
  assert.equal(cache.start().length, 0);
});

test("start cache: it knows what the stream has shown, until it is cleared", () => {
  const shows = (kinds: Kind[]): boolean[] => {
    const cache = filled(kinds);
    return [cache.hasAudio, cache.hasVideo];
  };
  assert.deepEqual(shows(["meta"]), [false, false]);
  assert.deepEqual(shows(["meta", "audio"]), [true, false]);
  assert.deepEqual(shows(["inter"]), [false, true]);
  assert.deepEqual(shows(["avc", "aac"]), [false, false], "what is announced may never come");
  const cache = filled(["meta", "aac", "avc", "key"]);
  cache.clear();
  assert.deepEqual([cache.hasAudio, cache.hasVideo, cache.start()], [false, false, []]);
});

test("start cache: what a stream has is settled when every announced track has shown a frame, or one has while the other is late", (t) => {
  mock.timers.enable({ apis: ["Date"] });
  t.after(() => mock.timers.reset());
  const settles = (...kinds: Kind[]): boolean => filled(kinds).isSettled;
  assert.deepEqual([settles(), settles("meta", "avc", "aac")], [false, false]);
  assert.deepEqual([settles("inter"), settles("avc", "inter"), settles("aac", "avc", "key", "audio")], [true, true, true]);
  const cache = filled(["avc", "aac", "key"]);
  assert.equal(cache.isSettled, false, "audio is on its way");
  mock.timers.tick(announcedWaitMs - 1);
  assert.equal(cache.isSettled, false);
  mock.timers.tick(1);
  assert.equal(cache.isSettled, true, "or is not");
});

test("start cache: it knows a decoder configuration again, and never metadata", () => {
  const cache = filled(["meta", "aac", "avc", "key"]);
  assert.equal(cache.repeatsHeader(packetOf("avc", 500, 2)), true);
  assert.equal(cache.repeatsHeader(packetOf("aac", 500, 1)), true);
  assert.equal(cache.repeatsHeader(packetOf("avc", 500, "other")), false);
  assert.equal(cache.repeatsHeader(packetOf("meta", 500, 0)), false);
  assert.equal(cache.repeatsHeader(packetOf("key", 500, 3)), false);
  assert.equal(filled([]).repeatsHeader(packetOf("avc")), false);
});

test("start cache: a stream that another process began is kept whole as history, with its headers and before any key frame", () => {
  const cache = filled([], { gopCache: true, gopCacheMaxFrames: 0 });
  cache.keepAll();
  const kinds: Kind[] = ["avc", "inter", "text", "inter"];
  kinds.forEach((kind, i) => cache.push(packetOf(kind, i * 40, i)));
  const history = (): string[] => cache.history().map(({ payload }) => nameOf(payload));
  assert.deepEqual(history(), ["avc 0", "inter 1", "text 2", "inter 3"]);
  cache.push(packetOf("key", 9000, 4));
  cache.push(packetOf("inter", 9040, 5));
  assert.deepEqual(history(), ["avc 0", "inter 1", "text 2", "inter 3"], "however long before the key frame");
  assert.deepEqual(start(cache), ["avc 0", "key 4", "inter 5"]);
});

test("start cache: without a GOP cache such a stream is history from end to end", () => {
  const cache = filled([], { gopCache: false, gopCacheMaxFrames: 0 });
  cache.keepAll();
  for (const kind of ["key", "inter"] as const) cache.push(packetOf(kind));
  assert.equal(cache.history().length, 2);
});

for (const [name, push] of [
  ["after a while", (cache: StartCache) => (mock.timers.tick(keepAllMs + 1), cache.push(packetOf("inter")))],
  ["above what a GOP cache may take", (cache: StartCache) => cache.push(makePacket(9, 0, Buffer.alloc(maxGopBytes, 0x27)))],
  ["with its end", (cache: StartCache) => cache.clear()],
] as const) {
  test(`start cache: such a stream is forgotten ${name}`, (t) => {
    mock.timers.enable({ apis: ["Date"] });
    t.after(() => mock.timers.reset());
    const cache = filled([]);
    cache.keepAll();
    cache.push(packetOf("inter"));
    push(cache);
    assert.deepEqual(cache.history(), []);
  });
}
