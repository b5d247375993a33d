import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import * as fc from "fast-check";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { minWarmBytes, poisonFreeSlabs, slabBytes, Slabs, type Holder } from "../../../../src/codec/rtmp/slabs.js";
import { chunk, pattern, setChunkSize, whole } from "./chunks.js";

// Memory that is free is nonsense from here on: whoever still reads it is found.
poisonFreeSlabs();

const { audio, video } = messageType;

/** Keeps the last `most` messages in order, as a GOP cache does, and a copy of each to compare with. */
class Keeper {
  readonly kept: { readonly message: Message; readonly copy: Buffer }[] = [];
  readonly seen: Message[] = [];
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  readonly take = (message: Message): void => {
    this.seen.push({ ...message, payload: Buffer.from(message.payload) });
    this.kept.push({ message, copy: Buffer.from(message.payload) });
    if (this.kept.length > this.most) this.kept.shift();
  };

  readonly hold: Holder = (held) => {
    this.kept.some(({ message }) => held.add(message.payload));
    return true;
  };

  /** Fails when the memory of one that is kept was used again. */
  check(): void {
    for (const { message, copy } of this.kept) assert.ok(message.payload.equals(copy), "a message that is kept was overwritten");
  }
}

/** What is lent here counts for all. */
const readers: ChunkReader[] = [];

afterEach(() => {
  for (const reader of readers.splice(0)) reader.lendTo(null);
});

function readerOf(keeper: Keeper): ChunkReader {
  return lending(new ChunkReader(keeper.take), keeper.hold);
}

function lending(reader: ChunkReader, holder: Holder): ChunkReader {
  reader.lendTo(holder);
  readers.push(reader);
  return reader;
}

test("slabs: what is kept stays as it came over any number of slabs, and what is not is used again", () => {
  const keeper = new Keeper(40);
  const reader = readerOf(keeper);
  reader.push(setChunkSize(4096));
  const memory = new Set<ArrayBufferLike>();
  for (let at = 0; at < 2000; at++) {
    reader.push(whole(4, at % 3 === 0 ? video : audio, at, pattern(at % 3 === 0 ? 1000 : 100, at)));
    memory.add(keeper.kept.at(-1)!.message.payload.buffer);
    keeper.check();
  }
  assert.ok(memory.size < 8, `2000 messages lie in ${memory.size} slabs`);
});

test("slabs: a holder that cannot tell has all of its memory left alone", () => {
  const keeper = new Keeper(2000);
  const reader = lending(new ChunkReader(keeper.take), () => false);
  for (let at = 0; at < 500; at++) reader.push(whole(4, audio, at, pattern(100, at)));
  keeper.check();
});

test("slabs: messages that would have a slab each, and leave the rest of it unused, lie in longer ones together", () => {
  const keeper = new Keeper(20);
  const reader = readerOf(keeper);
  reader.push(setChunkSize(60_000));
  for (let at = 0; at < 20; at++) reader.push(whole(4, video, at, pattern(slabBytes * 0.7, at)));
  keeper.check();
  const memory = new Set(keeper.kept.map(({ message }) => message.payload.buffer));
  assert.ok(memory.size <= 5, `20 messages lie in ${memory.size} slabs`);
});

test("slabs: what was given to one holder is not asked of the next one", () => {
  const [first, second] = [new Keeper(1000), new Keeper(1)];
  let keeper = first;
  const reader = lending(new ChunkReader((message) => keeper.take(message)), first.hold);
  for (let at = 0; at < 300; at++) reader.push(whole(4, audio, at, pattern(100, at)));
  keeper = second;
  reader.lendTo(second.hold);
  for (let at = 0; at < 3000; at++) reader.push(whole(4, audio, at, pattern(100, at)));
  first.check();
  reader.lendTo(null);
  second.check();
});

test("slabs: a message that is under way moves on to the next slab with what has come of it", () => {
  const keeper = new Keeper(100);
  const reader = readerOf(keeper);
  reader.push(setChunkSize(1000));
  for (let at = 0; at < 60; at++) {
    const payload = pattern(30_000, at);
    const bytes = Buffer.concat([
      chunk({ csid: 6, fmt: 0, time: at, type: video, length: payload.length, payload: payload.subarray(0, 1000) }),
      ...Array.from({ length: 29 }, (_, i) => chunk({ csid: 6, fmt: 3, payload: payload.subarray(1000 * (i + 1), 1000 * (i + 2)) })),
    ]);
    for (let from = 0; from < bytes.length; from += 7001) reader.push(bytes.subarray(from, from + 7001));
    assert.ok(keeper.seen.at(-1)!.payload.equals(payload));
  }
  assert.equal(keeper.seen.length, 60);
});

test("slabs: long messages have places of their own there, which are used again, and none is ever overwritten while it is kept", () => {
  for (const readBytes of [9000, 40_000]) {
    const keeper = new Keeper(30);
    const reader = readerOf(keeper);
    reader.push(setChunkSize(4096));
    const memory = new Set<ArrayBufferLike>();
    for (let at = 0; at < 600; at++) {
      const [csid, type, size] = at % 10 > 0 ? [4, audio, 2000] : [6, video, at % 20 > 0 ? 300_000 : 50_000];
      const bytes = Buffer.concat(piecesOf(csid, type, at, pattern(size, at), 4096));
      for (let from = 0; from < bytes.length; from += readBytes) reader.push(bytes.subarray(from, from + readBytes));
      if (at > 200) memory.add(keeper.kept.at(-1)!.message.payload.buffer);
      keeper.check();
    }
    assert.ok(memory.size < 40, `400 messages lie in ${memory.size} pieces of memory`);
  }
});

test("slabs: free ones wait for whoever needs one next, as many as were lent lately, and few once that is long ago", () => {
  const keep: Buffer[] = [];
  const slabs = new Slabs(() => []);
  slabs.lendTo((held) => {
    keep.some((payload) => held.add(payload));
    return true;
  });
  const few = minWarmBytes / slabBytes;
  const fill = (count: number): Set<ArrayBufferLike> => {
    for (let at = 0; at < count; at++) {
      slabs.renew();
      keep.push(slabs.open.subarray(slabs.append(Buffer.of(at & 0xff)), 1));
    }
    return new Set(keep.map(({ buffer }) => buffer));
  };
  const empty = (): void => {
    keep.length = 0;
    slabs.renew(); // asks, and all are free
  };
  const usedAgain = (before: Set<ArrayBufferLike>, after: Set<ArrayBufferLike>): number =>
    [...after].filter((one) => before.has(one)).length;

  const first = fill(3 * few);
  empty();
  const second = fill(3 * few);
  assert.ok(usedAgain(first, second) > 2 * few, `${usedAgain(first, second)} of ${3 * few} slabs were used again`);
  empty();
  for (let at = 0; at < 12 * few; at++) slabs.renew();
  const third = fill(3 * few);
  const again = usedAgain(second, third);
  assert.ok(again > 0 && again <= few + 4, `${again} slabs of ${slabBytes} bytes were used again`);
});

test("slabs: whatever is sent in whatever pieces, interleaved or not, it is read as without them", () => {
  const message = fc.record({
    type: fc.constantFrom(audio, video),
    bytes: fc.oneof(fc.nat(300), fc.integer({ min: 300, max: 70_000 }), fc.integer({ min: 70_000, max: 400_000 })),
  });
  const scenario = fc.record({
    messages: fc.array(message, { minLength: 1, maxLength: 40 }),
    chunkSize: fc.constantFrom(128, 1000, 4096, 60_000),
    isInterleaved: fc.boolean(),
    cuts: fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 }),
    keeps: fc.integer({ min: 1, max: 30 }),
  });
  const property = fc.property(scenario, ({ messages, chunkSize, isInterleaved, cuts, keeps }) => {
    const parts = messages.map(({ type, bytes }, at) => piecesOf(type === audio ? 4 : 6, type, at, pattern(bytes, at), chunkSize));
    const wire = Buffer.concat([setChunkSize(chunkSize), ...(isInterleaved ? interleave(parts) : parts.flat())]);
    const plain = new Keeper(0);
    const keeper = new Keeper(keeps);
    const [without, within] = [new ChunkReader(plain.take), readerOf(keeper)];
    for (let at = 0, cut = 0; at < wire.length; cut++) {
      const piece = wire.subarray(at, at + cuts[cut % cuts.length]!);
      without.push(Buffer.from(piece));
      within.push(Buffer.from(piece));
      keeper.check();
      at += piece.length;
    }
    assert.deepEqual(keeper.seen, plain.seen);
    assert.deepEqual(within.save(), without.save());
  });
  fc.assert(property, { numRuns: 120 });
});

/** The chunks of one message. */
function piecesOf(csid: number, type: number, time: number, payload: Buffer, chunkSize: number): Buffer[] {
  const pieces = [chunk({ csid, fmt: 0, time, type, length: payload.length, payload: payload.subarray(0, chunkSize) })];
  for (let at = chunkSize; at < payload.length; at += chunkSize) {
    pieces.push(chunk({ csid, fmt: 3, payload: payload.subarray(at, at + chunkSize) }));
  }
  return pieces;
}

/** Puts each audio message between the pieces of the video message before it, where there is one. */
function interleave(parts: readonly (readonly Buffer[])[]): Buffer[] {
  const [first, ...rest] = parts;
  if (first === undefined) return [];
  const [second] = rest;
  const isVideo = (first[0]![0]! & 0x3f) === 6;
  if (second === undefined || !isVideo || (second[0]![0]! & 0x3f) !== 4) return [...first, ...interleave(rest)];
  return [...first.slice(0, 1), ...second, ...first.slice(1), ...interleave(rest.slice(1))];
}
