import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import * as fc from "fast-check";
import { encodeAmf } from "../../../../src/codec/rtmp/amf0.js";
import type { Message } from "../../../../src/codec/rtmp/message.js";
import { messageOverhead, type Sink } from "../../../../src/server/relay/outlet.js";
import { maxReplayBytes, Replay, replayMs } from "../../../../src/server/relay/replay.js";
import type { PacketType } from "../../../../src/stream/packet.js";
import { Source } from "../../../../src/stream/source.js";
import type { SourceSettings } from "../../../../src/stream/source-settings.js";
import { hex } from "../../codec/hex.js";
import { chunkSize, nameOf, payloadOf, typeOf, type Kind } from "../../stream/fakes.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"] });
});

const nobody = { onWanted: () => {}, onUnwanted: () => {}, onIdle: () => {}, onLive: () => {} };

function sourceOf(timeline: SourceSettings["timeline"]): Source {
  const options = { key: "v/live/s", chunkSize, timeline, delayMs: 350, queueLengthMs: 1000, reduceSequenceHeader: false, keepMs: 0 };
  return new Source({ ...options, gopCache: true, gopCacheMaxFrames: 0 }, nobody);
}

const messageOf = (kind: Kind, timestamp: number, name: number | string = timestamp): Message => ({
  type: typeOf(kind),
  streamId: 1,
  timestamp,
  payload: payloadOf(kind, name),
});

/** An upstream that writes down what it is sent. */
class Sent implements Sink {
  readonly backlogBytes = 0;
  readonly messages: Message[] = [];

  write(messages: readonly Message[]): void {
    this.messages.push(...messages);
  }

  get words(): string[] {
    return this.messages.map(({ timestamp, payload }) => `${nameOf(payload)} at ${timestamp}`);
  }
}

const clock = (timeMs: number | null, id = 7): { id: number; timeMs: number | null } => ({ id, timeMs });

test("replay: an origin gets the messages by the clock that the edge keeps, which begins at 0", () => {
  const replay = new Replay("full");
  const sent = new Sent();
  assert.equal(replay.clockId, 0);
  replay.begin(sent, clock(null));
  replay.write([messageOf("avc", 5000), messageOf("key", 5000), messageOf("inter", 5040), messageOf("inter", 90)]);
  assert.deepEqual(sent.words, ["avc 5000 at 0", "key 5000 at 0", "inter 5040 at 40", "inter 90 at 50"]);
  assert.equal(replay.clockId, 7);
});

test("replay: a publisher who comes after another goes on behind its last time", () => {
  const sent = new Sent();
  const replay = new Replay("full");
  replay.begin(sent, clock(3_600_000));
  replay.write([messageOf("key", 5000)]);
  assert.deepEqual(sent.words, ["key 5000 at 3600010"]);
});

test("replay: an upstream that tells no clock gets every message as it is, and after a loss the headers", () => {
  const replay = new Replay("full");
  replay.begin(new Sent(), null);
  replay.write([messageOf("avc", 5000), messageOf("key", 5000), messageOf("inter", 9000)]);
  const sent = new Sent();
  replay.begin(sent, null);
  assert.deepEqual(
    sent.messages.map(({ payload }) => nameOf(payload)),
    ["avc 5000"],
  );
  replay.write([messageOf("inter", 20)]);
  assert.equal(sent.words.at(-1), "inter 20 at 20");
});

test("replay: another origin with the same clock gets the headers and what was sent in the last second, with the times that it had", () => {
  const replay = new Replay("full");
  replay.begin(new Sent(), clock(null));
  const metadata = { ...messageOf("meta", 0), payload: Buffer.concat([encodeAmf("@setDataFrame"), payloadOf("meta", 0)]) };
  replay.write([metadata, messageOf("aac", 0), messageOf("avc", 0, "old"), messageOf("avc", 0), messageOf("key", 0)]);
  for (let at = 40; at <= 2000; at += 40) {
    mock.timers.tick(40);
    replay.write([messageOf("inter", at)]);
  }
  const sent = new Sent();
  replay.begin(sent, clock(null));
  const first = 2000 - replayMs;
  const headers = ["meta 0 at 0", "aac 0 at 0", `avc 0 at ${first}`]; // there was no sound yet
  const media = Array.from({ length: replayMs / 40 + 1 }, (_, i) => `inter ${first + i * 40} at ${first + i * 40}`);
  assert.deepEqual(sent.words, [...headers, ...media]);
  replay.write([messageOf("inter", 2040)]);
  assert.equal(sent.words.at(-1), "inter 2040 at 2040");
});

test("replay: of every track the headers come again, and a broken one does not take the place of a good one", () => {
  const replay = new Replay("full");
  replay.begin(new Sent(), clock(null));
  const track1 = { ...messageOf("avc", 0), payload: hex('96 00 "avc1" 01 01 42 c0 0c ff e1 00 04 67 42 c0 0c 01 00 02 68 ce') };
  const broken = { ...messageOf("avc", 0), payload: hex("17 00 00 00 00 01 42 c0 0c ff e0 00") };
  replay.write([messageOf("avc", 0), track1, broken, messageOf("key", 0)]);
  mock.timers.tick(replayMs + 1);
  replay.write([messageOf("inter", 40)]);
  const sent = new Sent();
  replay.begin(sent, clock(null));
  assert.deepEqual(
    sent.messages.slice(0, 2).map(({ payload }) => payload),
    [payloadOf("avc", 0), track1.payload],
  );
  assert.equal(sent.messages.length, 3);
});

test("replay: an origin that has had some of it is not sent that again", () => {
  const replay = new Replay("full");
  replay.begin(new Sent(), clock(null));
  replay.write([messageOf("key", 0), messageOf("inter", 40), messageOf("inter", 80)]);
  const [some, all] = [new Sent(), new Sent()];
  replay.begin(some, clock(40));
  assert.deepEqual(some.words, ["inter 80 at 80"]);
  replay.begin(all, clock(80));
  assert.deepEqual(all.words, []);
});

test("replay: an origin whose viewers have another clock gets the headers, and goes on with what comes", () => {
  const replay = new Replay("full");
  replay.begin(new Sent(), clock(null));
  replay.write([messageOf("avc", 0), messageOf("key", 0), messageOf("inter", 40)]);
  const sent = new Sent();
  replay.begin(sent, clock(500, 8));
  replay.write([messageOf("inter", 80)]);
  assert.deepEqual(sent.words, ["avc 0 at 500", "inter 80 at 510"]);
  assert.equal(replay.clockId, 8);
});

test("replay: it remembers no more than its bytes, and the last message however long it is", () => {
  const replay = new Replay("off");
  replay.begin(new Sent(), clock(null));
  const half = (at: number): Message => ({ ...messageOf("inter", at), payload: Buffer.alloc(maxReplayBytes / 2 - messageOverhead, 0x27) });
  const times = (): number[] => {
    const sent = new Sent();
    replay.begin(sent, clock(null));
    return sent.messages.map(({ timestamp }) => timestamp);
  };
  replay.write([half(1), half(2), half(3)]);
  assert.deepEqual(times(), [2, 3]);
  replay.write([{ ...half(4), payload: Buffer.alloc(maxReplayBytes + 1, 0x27) }]);
  assert.deepEqual(times(), [4]);
});

test("replay: an empty message has the time of the others and moves none", () => {
  const replay = new Replay("full");
  const sent = new Sent();
  replay.begin(sent, clock(null));
  replay.write([messageOf("key", 5000), { ...messageOf("audio", 9), payload: Buffer.alloc(0) }, messageOf("inter", 5040)]);
  assert.deepEqual(
    sent.messages.map(({ timestamp }) => timestamp),
    [0, 0, 40],
  );
});

/** What a viewer's edge passes on of a stream whose origins die, each after so many messages of which it passes so many on. */
function seenAcross(
  mode: "full" | "zero" | "off",
  messages: readonly Message[],
  deaths: readonly { after: number; lost: number }[],
): string[] {
  const seen: string[] = [];
  const edge = sourceOf(mode === "off" ? "off" : "follow");
  edge.tap(({ type, timestamp, payload, isHeader }) => void (isHeader || seen.push(`${type} ${nameOf(payload)} at ${timestamp >>> 0}`)));
  edge.publish(edge);
  const replay = new Replay(mode);
  let waiting: { type: PacketType; timestamp: number; payload: Buffer }[] = [];
  const pass = (): void => {
    for (const { type, timestamp, payload } of waiting) edge.push(type, timestamp >>> 0, payload);
    waiting = [];
  };
  const begin = (): void => {
    const origin = sourceOf(mode);
    origin.publish(origin, replay.clockId);
    origin.tap((packet) => void waiting.push(packet));
    const write = (sent: readonly Message[]): void => {
      for (const { type, timestamp, payload } of sent) origin.push(type as PacketType, timestamp, payload);
    };
    replay.begin({ backlogBytes: 0, write }, origin.clock);
    pass();
  };
  begin();
  messages.forEach((message, i) => {
    replay.write([message]);
    const death = deaths.find(({ after }) => after === i);
    if (death !== undefined) waiting.splice(Math.max(0, waiting.length - death.lost));
    const isPassed = death !== undefined || i % 5 === 0; // an origin passes on what one turn of its loop brought
    if (isPassed) pass();
    if (death === undefined) return;
    edge.expectRepeats();
    begin();
  });
  pass();
  return seen;
}

for (const mode of ["full", "zero", "off"] as const) {
  test(`replay: in ${mode} a viewer's edge sees the same at the same time however often the origin dies`, () => {
    const steps =
      mode === "off"
        ? fc.integer({ min: 1, max: 60 })
        : fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 60 }) }, fc.integer({ min: -5000, max: 5000 }));
    const media = fc.array(fc.tuple(fc.constantFrom<Kind>("audio", "inter", "key", "avc", "aac"), steps), { minLength: 1, maxLength: 60 });
    const deaths = fc.array(fc.record({ after: fc.nat(59), lost: fc.nat(4) }), { maxLength: 4 });
    fc.assert(
      fc.property(media, deaths, fc.constantFrom(0, 450, 3000), (kinds, killed, aheadMs) => {
        let at = 5000;
        const isPicture = (kind: Kind): boolean => kind === "inter" || kind === "key" || kind === "avc";
        const messages = kinds.map(([kind, step], i) => {
          at = Math.max(0, at + step);
          return messageOf(kind, at + (isPicture(kind) ? aheadMs : 0), i);
        });
        assert.deepEqual(seenAcross(mode, messages, killed), seenAcross(mode, messages, []));
      }),
      { numRuns: 500 },
    );
  });
}
