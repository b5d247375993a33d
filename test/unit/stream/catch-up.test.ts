import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Position } from "../../../src/base/position.js";
import { rtmpContainer } from "../../../src/stream/container.js";
import { catchUp, isAfter, positionAfter, type CatchUp } from "../../../src/stream/catch-up.js";
import { Fanout } from "../../../src/stream/fanout.js";
import { at as retimed, type Packet } from "../../../src/stream/packet.js";
import { historyMs, StartCache } from "../../../src/stream/start-cache.js";
import { chunkSize, FakeConsumer, nameOf, packetOf, type Kind } from "./fakes.js";

const stream = (...kinds: readonly Kind[]): Packet[] => kinds.map((kind, at) => packetOf(kind, at * 40, at));

test("catch-up: the packet behind the one that was sent last is next", () => {
  const packets = stream("key", "audio", "inter", "audio");
  assert.deepEqual(catchUp(positionAfter(packets[1]!), packets), { from: 2 });
  assert.deepEqual(catchUp(positionAfter(packets[3]!), packets), { from: 4 });
});

test("catch-up: packets of one time are told apart by type and length", () => {
  const [video] = stream("key");
  const audio = { ...packetOf("audio", 0, 7), timestamp: 0 };
  assert.deepEqual(catchUp(positionAfter(video!), [video!, audio]), { from: 1 });
  assert.deepEqual(catchUp(positionAfter(audio), [video!, audio]), { from: 2 });
});

test("catch-up: a stream that has not come so far is waited for, one that is past goes on with a key frame", () => {
  const packets = stream("key", "inter", "inter", "inter");
  const position = positionAfter(packets[2]!);
  assert.equal(catchUp(position, []), "later");
  assert.equal(catchUp(position, packets.slice(0, 2)), "later");
  assert.equal(catchUp(position, packets.slice(3)), "key frame");
});

test("catch-up: who is further than a stream can be behind has seen another clock", () => {
  const [packet] = stream("key");
  const at = (timestamp: number): CatchUp => catchUp({ timestamp, packet: 0 }, [packet!]);
  assert.deepEqual([at(historyMs), at(historyMs + 1), at(0x7fffffff), at(0x80000000)], ["later", "ahead", "ahead", "key frame"]);
});

test("catch-up: time wraps after 2³² ms", () => {
  const before = { ...packetOf("inter", 0, 1), timestamp: 0xffffffff };
  const after = { ...packetOf("inter", 0, 2), timestamp: 0x100000010 };
  assert.ok(isAfter(after, positionAfter(before)));
  assert.ok(!isAfter(before, positionAfter(after)));
});

/** One process with its own rhythm. */
class Process {
  readonly cache: StartCache;
  readonly fanout: Fanout;

  constructor(gopCache: boolean) {
    this.cache = new StartCache({ gopCache, gopCacheMaxFrames: 0 });
    this.fanout = new Fanout(rtmpContainer(chunkSize), this.cache, {
      delayMs: 1e9,
      queueLengthMs: 1e9,
      keepsRecent: true,
      slowCode: "RTMP_SLOW",
    });
    this.fanout.add(new FakeConsumer()); // somebody watches here all the time
  }

  push(packet: Packet): void {
    this.cache.push(packet);
    this.fanout.push(packet);
  }

  close(): void {
    this.fanout.close();
  }
}

test("catch-up: each type goes by its own times", () => {
  // Pictures are stamped three seconds ahead of their sound.
  const packets = [packetOf("key", 3000), packetOf("audio", 0), packetOf("inter", 3040), packetOf("audio", 40)];
  const at = (kind: Kind, timestamp: number): Position => ({ ...positionAfter(packetOf(kind, timestamp)), timestamp });
  assert.equal(catchUp(at("inter", 3080), packets), "later");
  assert.equal(catchUp(at("audio", 80), packets), "later");
  assert.equal(catchUp(at("audio", 20), packets), "key frame");
  assert.deepEqual(
    packets.map((packet) => isAfter(packet, at("audio", 20))),
    [false, false, false, true],
    "what is behind the next of its type was sent behind it",
  );
});

const kinds = fc.array(fc.constantFrom<Kind>("key", "inter", "audio", "inter", "audio"), { minLength: 1, maxLength: 40 });

/** Moves one viewer to and fro between two processes that get the same packets and send them when they like. */
function travel(
  names: readonly Kind[],
  flushes: readonly number[],
  moves: readonly number[],
  { gopCache, leadMs = 0 }: { readonly gopCache: boolean; readonly leadMs?: number },
): [Packet[], FakeConsumer] {
  const processes = [new Process(gopCache), new Process(gopCache)] as const;
  const packets = stream("key", ...names).map((packet) => (packet.type === 9 ? retimed(packet, packet.timestamp + leadMs) : packet));
  const consumer = new FakeConsumer();
  let here = 0;
  for (const process of processes) process.push(packets[0]!);
  for (const process of processes) process.fanout.flush();
  let seat = processes[0].fanout.add(consumer);
  for (const [at, packet] of packets.slice(1).entries()) {
    for (const process of processes) process.push(packet);
    // The two flush at different times.
    if ((flushes[at % flushes.length]! & 1) !== 0) processes[0].fanout.flush();
    if ((flushes[at % flushes.length]! & 2) !== 0) processes[1].fanout.flush();
    if (!moves.includes(at) || consumer.last === null) continue;
    processes[here]!.fanout.remove(seat);
    here = 1 - here;
    seat = processes[here]!.fanout.readmit(consumer, positionAfter(consumer.last));
  }
  for (const process of processes) process.fanout.flush();
  for (const process of processes) process.close();
  return [packets, consumer];
}

const flushing = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 });
const moving = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 8 });

test("catch-up: a viewer that is moved between processes with a GOP cache gets every packet once and in order", () => {
  fc.assert(
    fc.property(kinds, flushing, moving, (names, flushes, moves) => {
      const [packets, consumer] = travel(names, flushes, moves, { gopCache: true });
      const first = packets.findIndex(({ timestamp }) => timestamp === consumer.messages()[0]?.timestamp);
      assert.deepEqual(
        consumer.messages().map(({ timestamp }) => timestamp),
        packets.slice(first).map(({ timestamp }) => timestamp),
      );
    }),
  );
});

test("catch-up: so does one whose pictures are stamped far ahead of their sound", () => {
  fc.assert(
    fc.property(kinds, flushing, moving, fc.constantFrom(450, 3000), (names, flushes, moves, leadMs) => {
      const [packets, consumer] = travel(names, flushes, moves, { gopCache: true, leadMs });
      const seen = consumer.messages().map(({ payload }) => nameOf(payload));
      const sent = packets.map(({ payload }) => nameOf(payload));
      assert.deepEqual(seen, sent.slice(sent.indexOf(seen[0] ?? "")));
    }),
  );
});

test("catch-up: without a GOP cache it may miss some, but gets none twice and none out of order", () => {
  fc.assert(
    fc.property(kinds, flushing, moving, (names, flushes, moves) => {
      const [, consumer] = travel(names, flushes, moves, { gopCache: false });
      const times = consumer.messages().map(({ timestamp }) => timestamp);
      assert.deepEqual(
        times,
        [...new Set(times)].sort((a, b) => a - b),
      );
    }),
  );
});
