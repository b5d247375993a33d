import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { rtmpContainer } from "../../../src/stream/container.js";
import { Fanout, maxBacklogBytes, type Seat } from "../../../src/stream/fanout.js";
import type { Packet } from "../../../src/stream/packet.js";
import { StartCache } from "../../../src/stream/start-cache.js";
import { chunkSize, FakeConsumer, packetOf, type Kind } from "./fakes.js";

/** More than any limit, whatever a consumer was given to start with. */
const farBehind = 2 * maxBacklogBytes;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
  mock.timers.tick(1_000_000);
});

/** A fan-out with its cache, fed as a source feeds it; `joins` counts how often packets were joined. */
class Bench {
  readonly cache = new StartCache({ gopCache: true, gopCacheMaxFrames: 0 });
  readonly fanout: Fanout;
  joins = 0;
  private next = 0;

  constructor(delayMs = 350, queueLengthMs = 30_000, shortMs?: number) {
    const container = rtmpContainer(chunkSize);
    const counted = (packets: readonly Packet[]): Buffer => {
      this.joins++;
      return container(packets);
    };
    const ends = shortMs === undefined ? {} : { shortMs };
    this.fanout = new Fanout(counted, this.cache, { delayMs, queueLengthMs, keepsRecent: true, slowCode: "RTMP_SLOW", ...ends });
  }

  /** Pushes packets that are named by their kind and number. */
  push(...kinds: readonly Kind[]): void {
    for (const kind of kinds) {
      const packet = packetOf(kind, this.next * 40, this.next++);
      this.cache.push(packet);
      this.fanout.push(packet);
    }
  }

  seat(): { consumer: FakeConsumer; seat: Seat } {
    const consumer = new FakeConsumer();
    const seat = this.fanout.add(consumer);
    consumer.onDrop = () => void this.fanout.remove(seat);
    return { consumer, seat };
  }

  /** A seat that is not new any more, whose consumer has forgotten what it got. */
  settled(): FakeConsumer {
    const { consumer } = this.seat();
    this.push("audio");
    this.fanout.flush();
    consumer.sent.length = 0;
    return consumer;
  }
}

test("fanout: a batch is joined once, and everybody gets the same bytes with one call", () => {
  const bench = new Bench();
  const consumers = [bench.settled(), bench.settled(), bench.settled()];
  for (const consumer of consumers) consumer.sent.length = consumer.shared.length = 0;
  bench.joins = 0;
  bench.push("key", "audio", "inter");
  mock.timers.tick(350);
  assert.equal(bench.joins, 1);
  for (const { sent, shared } of consumers) {
    assert.equal(sent.length, 1);
    assert.equal(shared[0], consumers[0]?.shared[0]);
  }
  assert.deepEqual(consumers[0]?.names(), ["key 3", "audio 4", "inter 5"]);
});

test("fanout: a batch is sent when the first of its packets has waited, not before", () => {
  const bench = new Bench();
  const consumer = bench.settled();
  bench.push("key");
  mock.timers.tick(349);
  bench.push("inter");
  assert.deepEqual(consumer.names(), []);
  mock.timers.tick(1);
  assert.deepEqual(consumer.names(), ["key 1", "inter 2"]);
  bench.push("inter");
  mock.timers.tick(349);
  assert.equal(consumer.sent.length, 1);
  mock.timers.tick(1);
  assert.equal(consumer.sent.length, 2);
});

test("fanout: no timer runs while nothing comes", () => {
  const bench = new Bench();
  const consumer = bench.settled();
  mock.timers.tick(1_000_000);
  assert.equal(consumer.sent.length, 0);
});

test("fanout: without a delay a batch is sent at the end of the turn", () => {
  const bench = new Bench(0);
  const consumer = bench.settled();
  bench.push("key", "audio");
  assert.equal(consumer.sent.length, 0);
  mock.timers.tick(0);
  assert.equal(consumer.sent.length, 1);
  assert.deepEqual(consumer.names(), ["key 1", "audio 2"]);
});

test("fanout: a flush sends at once, and the timer then sends nothing", () => {
  for (const delayMs of [0, 350]) {
    const bench = new Bench(delayMs);
    const consumer = bench.settled();
    bench.push("key");
    bench.fanout.flush();
    assert.deepEqual(consumer.names(), ["key 1"]);
    mock.timers.tick(350);
    assert.equal(consumer.sent.length, 1);
  }
});

test("fanout: after close nothing is sent by itself", () => {
  for (const delayMs of [0, 350]) {
    const bench = new Bench(delayMs);
    const consumer = bench.settled();
    bench.push("key");
    bench.fanout.close();
    bench.fanout.close();
    mock.timers.tick(1000);
    assert.equal(consumer.sent.length, 0);
  }
});

test("fanout: packets are not kept while nobody drinks", () => {
  const bench = new Bench();
  bench.push("key", "inter");
  bench.joins = 0;
  mock.timers.tick(1000);
  assert.equal(bench.joins, 0);
});

test("fanout: a newcomer to an empty stream gets nothing, then everything", () => {
  const bench = new Bench();
  const { consumer } = bench.seat();
  assert.equal(consumer.sent.length, 0);
  bench.push("meta", "avc", "key");
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["meta 0", "avc 1", "key 2"]);
});

test("fanout: a newcomer gets the start at once, and from the next batch what it does not have", () => {
  const bench = new Bench();
  bench.settled();
  bench.push("meta", "avc", "key", "inter");
  const { consumer } = bench.seat();
  assert.deepEqual(consumer.names(), ["meta 1", "avc 2", "key 3", "inter 4"]);
  bench.push("audio", "inter");
  mock.timers.tick(350);
  assert.deepEqual(consumer.names().slice(4), ["audio 5", "inter 6"]);
  bench.push("inter");
  mock.timers.tick(350);
  assert.deepEqual(consumer.names().slice(6), ["inter 7"]);
});

test("fanout: newcomers of one batch share their start and their rest", () => {
  const bench = new Bench();
  bench.settled();
  bench.push("avc", "key");
  bench.joins = 0;
  const first = bench.seat().consumer;
  bench.push("inter", "key");
  const second = bench.seat().consumer;
  bench.push("inter");
  mock.timers.tick(350);
  assert.equal(bench.joins, 3, "start, batch, rest");
  for (const { sent, shared } of [first, second]) {
    assert.equal(sent.length, 2);
    assert.equal(shared[0], first.shared[0]);
    assert.equal(shared[1], first.shared[1]);
  }
  assert.deepEqual(second.names(), ["avc 1", "key 2", "inter 3", "key 4", "inter 5"]);
});

test("fanout: a newcomer that has the whole batch gets nothing twice", () => {
  const bench = new Bench();
  bench.settled();
  bench.push("avc", "key");
  const { consumer } = bench.seat();
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["avc 1", "key 2"]);
});

test("fanout: a newcomer of a turn in which nothing came misses nothing when another joins later", () => {
  const bench = new Bench();
  const first = bench.seat().consumer;
  bench.fanout.flush();
  bench.push("avc", "key");
  const second = bench.seat().consumer;
  bench.push("inter");
  mock.timers.tick(350);
  assert.deepEqual(first.names(), ["avc 0", "key 1", "inter 2"]);
  assert.deepEqual(second.names(), ["avc 0", "key 1", "inter 2"]);
});

test("fanout: who leaves gets nothing more, and leaving twice is told", () => {
  const bench = new Bench();
  const { consumer, seat } = bench.seat();
  bench.push("key");
  assert.equal(bench.fanout.size, 1);
  assert.equal(bench.fanout.remove(seat), true);
  assert.equal(bench.fanout.remove(seat), false);
  assert.equal(bench.fanout.size, 0);
  mock.timers.tick(350);
  assert.equal(consumer.sent.length, 0);
});

test("fanout: begin and end of the stream are told to everybody", () => {
  const bench = new Bench();
  const consumers = [bench.seat().consumer, bench.seat().consumer];
  bench.fanout.onLive(true);
  bench.fanout.onLive(false);
  for (const { lives } of consumers) assert.deepEqual(lives, [true, false]);
});

test("fanout: a consumer with as much as the limit in its socket is still in step", () => {
  const bench = new Bench();
  const consumer = bench.settled();
  consumer.backlogBytes = maxBacklogBytes;
  bench.push("inter");
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["inter 1"]);
});

test("fanout: a start buffer that is still on its way does not make a newcomer slow", () => {
  const bench = new Bench();
  bench.push("avc", "key");
  const { consumer } = bench.seat();
  consumer.backlogBytes = maxBacklogBytes + consumer.sent[0]!.length;
  bench.push("inter");
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["avc 0", "key 1", "inter 2"]);
  consumer.backlogBytes++;
  bench.push("inter");
  mock.timers.tick(350);
  assert.equal(consumer.sent.length, 2);
});

test("fanout: a slow consumer is left out, and the others are not", () => {
  const bench = new Bench();
  const slow = bench.settled();
  const quick = bench.settled();
  slow.sent.length = 0;
  slow.backlogBytes = farBehind;
  bench.push("key", "inter");
  mock.timers.tick(350);
  assert.deepEqual(slow.names(), []);
  assert.deepEqual(quick.names(), ["key 2", "inter 3"]);
});

test("fanout: a slow consumer that has drained only partly stays out", () => {
  const bench = new Bench();
  const slow = bench.settled();
  slow.backlogBytes = farBehind;
  bench.push("inter");
  mock.timers.tick(350);
  slow.backlogBytes = 1;
  bench.push("key");
  mock.timers.tick(350);
  assert.equal(slow.sent.length, 0);
});

test("fanout: a drained consumer comes back at the next key frame, with headers of no later time than what follows", () => {
  const bench = new Bench();
  bench.push("meta", "aac", "avc");
  const slow = bench.settled();
  slow.backlogBytes = farBehind;
  bench.push("inter");
  mock.timers.tick(350);
  slow.backlogBytes = 0;
  bench.push("inter", "audio");
  mock.timers.tick(350);
  assert.deepEqual(slow.names(), [], "no key frame yet");
  bench.push("inter", "key", "audio", "key", "inter");
  mock.timers.tick(350);
  assert.deepEqual(slow.names(), ["meta 0", "aac 1", "avc 2", "key 10", "inter 11"]);
  assert.deepEqual(
    slow.messages().map(({ timestamp }) => timestamp),
    [0, 360, 400, 400, 440],
  );
  bench.push("inter");
  mock.timers.tick(350);
  assert.deepEqual(slow.names().slice(5), ["inter 12"], "and is in step again");
});

test("fanout: a drained consumer of audio comes back at once, though video was announced", () => {
  const bench = new Bench();
  bench.push("aac", "avc");
  const slow = bench.settled();
  slow.backlogBytes = farBehind;
  bench.push("audio");
  mock.timers.tick(350);
  slow.backlogBytes = 0;
  bench.push("audio", "audio");
  mock.timers.tick(350);
  assert.deepEqual(slow.names(), ["aac 0", "avc 1", "audio 4", "audio 5"]);
});

test("fanout: those who come back share their bytes", () => {
  const bench = new Bench();
  const slow = [bench.settled(), bench.settled()];
  for (const consumer of slow) consumer.backlogBytes = farBehind;
  bench.push("inter");
  mock.timers.tick(350);
  for (const consumer of slow) {
    consumer.backlogBytes = 0;
    consumer.sent.length = 0;
  }
  bench.push("key");
  mock.timers.tick(350);
  assert.equal(slow[0]?.sent.length, 1);
  assert.equal(slow[0]?.shared.at(-1), slow[1]?.shared.at(-1));
});

test("fanout: a stream of audio alone needs no key frame to come back to", () => {
  const bench = new Bench();
  bench.push("aac");
  const slow = bench.settled();
  slow.backlogBytes = farBehind;
  bench.push("audio");
  mock.timers.tick(350);
  slow.backlogBytes = 0;
  bench.push("audio", "audio");
  mock.timers.tick(350);
  assert.deepEqual(slow.names(), ["aac 0", "audio 3", "audio 4"]);
});

test("fanout: a consumer that stays behind for the queue's length is dropped", () => {
  const bench = new Bench(350, 1000);
  const slow = bench.settled();
  slow.backlogBytes = farBehind;
  for (let i = 0; i < 3; i++) {
    bench.push("inter");
    mock.timers.tick(350);
  }
  assert.deepEqual(slow.drops, [], "700 ms after it fell behind");
  assert.deepEqual(bench.fanout.behind(), { players: 1, bytes: farBehind }, "operators see that it waits");
  bench.push("inter");
  mock.timers.tick(350);
  assert.deepEqual(slow.drops, ["RTMP_SLOW"], "1050 ms after");
  assert.equal(bench.fanout.size, 0);
  assert.equal(slow.sent.length, 0);
});

test("fanout: a consumer that drained in time is not dropped, however long the key frame takes", () => {
  const bench = new Bench(350, 1000);
  bench.push("avc");
  const slow = bench.settled();
  slow.backlogBytes = farBehind;
  bench.push("inter");
  mock.timers.tick(350);
  slow.backlogBytes = 0;
  for (let i = 0; i < 10; i++) {
    bench.push("inter");
    mock.timers.tick(350);
  }
  assert.deepEqual(slow.drops, []);
  bench.push("key");
  mock.timers.tick(350);
  assert.deepEqual(slow.names(), ["avc 0", "key 13"]);
});

test("fanout: dropping one consumer in a flush leaves the others their batch", () => {
  const bench = new Bench(350, 0);
  const before = bench.settled();
  const slow = bench.settled();
  const after = bench.settled();
  slow.backlogBytes = farBehind;
  bench.push("inter");
  mock.timers.tick(350);
  for (const consumer of [before, after]) consumer.sent.length = 0;
  bench.push("inter");
  mock.timers.tick(350);
  assert.equal(slow.drops.length, 1);
  assert.deepEqual(before.names(), ["inter 4"]);
  assert.deepEqual(after.names(), ["inter 4"]);
});

test("fanout: a long batch ends with a key frame, and a short one waits for its time", () => {
  const bench = new Bench(1000, 30_000, 80);
  const consumer = bench.settled();
  const pushed = (...kinds: Kind[]): readonly string[] => {
    consumer.sent.length = 0;
    bench.push(...kinds);
    mock.timers.tick(0);
    return consumer.names();
  };
  assert.deepEqual(pushed("key", "inter"), []);
  assert.deepEqual(pushed("key"), ["key 1", "inter 2", "key 3"]);
  assert.deepEqual(pushed("inter", "key", "inter"), []);
  mock.timers.tick(999);
  assert.deepEqual(consumer.names(), []);
  mock.timers.tick(1);
  assert.deepEqual(consumer.names(), ["inter 4", "key 5", "inter 6"]);
});
