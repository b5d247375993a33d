import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { BatchMemory } from "../../../src/stream/batch-memory.js";
import { Owned } from "./owned.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
});

const place = ({ buffer, byteOffset }: Buffer): readonly [unknown, number] => [buffer, byteOffset];

test("batch-memory: a batch is laid over the one before that was given back, and behind one that was not", () => {
  const memory = new BatchMemory();
  const first = memory.take(1000);
  memory.giveBack(first);
  const second = memory.take(2000);
  assert.deepEqual(place(second), place(first));
  const third = memory.take(10);
  assert.deepEqual(place(third), [second.buffer, 2000]);
  memory.giveBack(second); // it is not the last
  assert.deepEqual(place(memory.take(1)), [second.buffer, 2010]);
});

test("batch-memory: what does not fit into the block has another, and what fits into none has its own", () => {
  const memory = new BatchMemory();
  const [half, rest] = [memory.take(600 << 10), memory.take(600 << 10)];
  assert.notEqual(rest.buffer, half.buffer);
  const large = memory.take((1 << 20) + 1);
  assert.equal(large.length, (1 << 20) + 1);
  memory.giveBack(large);
  assert.deepEqual(place(memory.take(1)), [rest.buffer, 600 << 10]);
});

for (const tap of ["rtmp", "edge", "flv", "ws"] as const) {
  test(`batch-memory: what a socket of ${tap} has not taken yet stays as it is, whoever is sent something after that`, () => {
    const [one, other] = [new Owned(), new Owned()];
    for (const { source, publisher } of [one, other]) source.publish(publisher);
    const [slow, quick, neighbour] = [one.join(tap).consumer, one.join(tap).consumer, other.join(tap).consumer];
    const said: Buffer[] = [];
    for (let at = 0; at < 40; at += 1) {
      slow.backlogBytes = at % 3 === 0 ? 0 : 1; // it holds the very batch that it is sent then
      one.push("audio", at * 40, `one-${at}`);
      other.push("audio", at * 40, `other-${at}`);
      mock.timers.tick(350);
      said.push(Buffer.from(slow.sent.at(-1)!));
    }
    assert.deepEqual(slow.sent, said);
    assert.deepEqual(slow.sent, quick.sent);
    assert.equal(neighbour.sent.length, 40);
  });
}
