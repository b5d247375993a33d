import assert from "node:assert/strict";
import { mock, test } from "node:test";
import * as fc from "fast-check";
import { rtmpContainer } from "../../../src/stream/container.js";
import { Fanout, type Seat } from "../../../src/stream/fanout.js";
import { StartCache } from "../../../src/stream/start-cache.js";
import { chunkSize, FakeConsumer, packetOf, type Kind } from "./fakes.js";

// Whatever comes and whoever joins and leaves in whatever order: each consumer sees headers, then every packet from its
// first one to the last, none lost and none twice. Media is numbered in one row, headers in another.

type Step = Kind | "join" | "leave" | "flush" | "tick";

interface Joined {
  readonly consumer: FakeConsumer;
  readonly seat: Seat;
  /** The numbers of the next media packet and of the next header when it joined. */
  readonly media: number;
  readonly headers: number;
  /** The number of the next media packet when it left; null while it stays. */
  until: number | null;
}

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<Step>("audio", "inter", "inter", "audio", "key") },
    { weight: 1, arbitrary: fc.constantFrom<Step>("meta", "aac", "avc") },
    { weight: 3, arbitrary: fc.constantFrom<Step>("join", "leave", "flush", "tick") },
  ),
  { maxLength: 60 },
);

function run(list: readonly Step[], gopCache: boolean, delayMs: number): void {
  const cache = new StartCache({ gopCache, gopCacheMaxFrames: 0 });
  const fanout = new Fanout(rtmpContainer(chunkSize), cache, { delayMs, queueLengthMs: 1000, keepsRecent: true, slowCode: "RTMP_SLOW" });
  const all: Joined[] = [];
  let media = 0;
  let headers = 0;
  for (const step of list) {
    if (step === "join") {
      const consumer = new FakeConsumer();
      all.push({ consumer, media, headers, seat: fanout.add(consumer), until: null });
    } else if (step === "leave") {
      const oldest = all.find(({ until }) => until === null);
      if (oldest === undefined) continue;
      fanout.remove(oldest.seat);
      oldest.until = media;
    } else if (step === "flush") {
      fanout.flush();
    } else if (step === "tick") {
      mock.timers.tick(delayMs);
    } else {
      const packet = packetOf(step, 0, isHeader(step) ? headers++ : media++);
      cache.push(packet);
      fanout.push(packet);
    }
  }
  fanout.flush();
  for (const joined of all) check(joined, media, headers);
}

function isHeader(kind: string): boolean {
  return kind === "meta" || kind === "aac" || kind === "avc";
}

function check({ consumer, media, headers, until }: Joined, mediaEnd: number, headersEnd: number): void {
  const seen = consumer.names().map((name) => name.split(" ") as [Kind, string]);
  const numbers = (areHeaders: boolean): number[] =>
    seen.filter(([kind]) => isHeader(kind) === areHeaders).map(([, number]) => Number(number));
  const mediaSeen = numbers(false);
  mediaSeen.forEach((number, i) => assert.equal(number, mediaSeen[0]! + i, "contiguous"));
  if (until !== null) {
    assert.ok((mediaSeen.at(-1) ?? -1) < until, "nothing came after it left");
    return;
  }
  assert.ok((mediaSeen[0] ?? mediaEnd) <= media, "nothing that came after it joined is missing at the front …");
  assert.equal(mediaSeen.at(-1) ?? media - 1, mediaEnd - 1, "… or at the end");
  const since = numbers(true).filter((number) => number >= headers);
  assert.deepEqual(
    since,
    Array.from({ length: headersEnd - headers }, (_, i) => headers + i),
    "every header since, once, in order",
  );
}

for (const gopCache of [true, false]) {
  for (const delayMs of [0, 350]) {
    test(`fanout: no packet is lost or repeated, ${gopCache ? "with" : "without"} a GOP cache, with a delay of ${delayMs} ms`, () => {
      fc.assert(
        fc.property(steps, (list) => {
          mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
          try {
            run(list, gopCache, delayMs);
          } finally {
            mock.timers.reset();
          }
        }),
        { numRuns: 1000 },
      );
    });
  }
}
