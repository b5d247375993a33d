import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { flvHeader, tagOverhead, writeTag } from "../../../src/codec/flv.js";
import { FlvReader, maxTagBytes, type FlvTag } from "../../../src/codec/flv-reader.js";
import { flvTags } from "./flv-tags.js";
import { hex, throwsOnly } from "./hex.js";

const head = flvHeader(true, true);

/** What a reader finds in pieces, and how many bytes it says are left over. */
function read(...pieces: readonly Buffer[]): { readonly tags: FlvTag[]; readonly left: number } {
  const tags: FlvTag[] = [];
  const reader = new FlvReader((tag) => tags.push(tag));
  for (const piece of pieces) {
    const copy = Buffer.from(piece);
    reader.push(copy);
    copy.fill(0xee); // the caller's again
  }
  return { tags, left: reader.end() };
}

for (const { name, type, timestamp, payload, bytes } of flvTags) {
  test(`flv reader: ${name}`, () => {
    assert.deepEqual(read(head, bytes), { tags: [{ type, timestamp: timestamp % 2 ** 32, payload }], left: 0 });
  });
}

const short = flvTags.filter(({ bytes }) => bytes.length < 100);
const file = Buffer.concat([head, ...short.map(({ bytes }) => bytes)]);
const whole = read(file);

test("flv reader: the flags of the head promise nothing", () => {
  assert.equal(whole.tags.length, short.length);
  assert.deepEqual(read(flvHeader(false, false), file.subarray(head.length)), whole);
});

test("flv reader: a file reads the same however it is cut", () => {
  for (let size = 1; size <= file.length; size++) {
    const pieces = Array.from({ length: Math.ceil(file.length / size) }, (_, at) => file.subarray(at * size, (at + 1) * size));
    assert.deepEqual(read(...pieces), whole, `pieces of ${size}`);
  }
});

test("flv reader: a file that ends anywhere gives the tags that are whole, and tells what is left", () => {
  for (let end = head.length; end < file.length; end++) {
    const { tags, left } = read(file.subarray(0, end));
    assert.deepEqual(tags, whole.tags.slice(0, tags.length));
    const taken = tags.reduce((bytes, { payload }) => bytes + payload.length + tagOverhead, head.length);
    assert.equal(taken + left, end);
  }
});

test("flv reader: a file that ends within its head is none", () => {
  for (let end = 0; end < head.length; end++)
    assert.throws(() => read(head.subarray(0, end)), {
      code: "FLV_FILE",
      message: `ends after ${end} bytes, before an FLV file has begun`,
    });
});

const damaged: readonly [name: string, bytes: Buffer, message: RegExp][] = [
  ["another signature", hex("00 00 00 20 66 74 79 70 69 73 6f 6d 00"), /^begins with 000000206674797069, as no FLV file does$/],
  ["another version", hex('"FLV" 02 05 00 00 00 09 00 00 00 00'), /^begins with/],
  ["a head of another length", hex('"FLV" 01 05 00 00 00 0a 00 00 00 00'), /^begins with/],
  ["a tag of no known type", Buffer.concat([head, hex("0a 00 00 00 00 00 00 00 00 00 00")]), /at byte 13: there is no tag of type 10$/],
  ["an encrypted tag", Buffer.concat([head, hex("29 00 00 00 00 00 00 00 00 00 00")]), /encrypted at byte 13: .* type 41$/],
  ["a tag that is too long", Buffer.concat([head, hex("09 80 00 01 00 00 00 00 00 00 00")]), /at byte 13: a tag of 8388609 bytes/],
  ["a tag of all that 24 bits say", Buffer.concat([head, hex("09 ff ff ff 00 00 00 00 00 00 00")]), /a tag of 16777215 bytes/],
  [
    "a back pointer of another length",
    Buffer.concat([head, hex("08 00 00 02 00 00 00 00 00 00 00 af 01 00 00 00 0e")]),
    /before byte 26: a tag of 13 bytes ends as one of 14$/,
  ],
];

for (const [name, bytes, message] of damaged) {
  test(`flv reader: ${name} is refused`, () => {
    assert.throws(() => read(bytes), { code: "FLV_FILE", message });
    assert.throws(() => read(...Array.from(bytes, (byte) => Buffer.of(byte))), { code: "FLV_FILE", message }, "byte by byte");
  });
}

test("flv reader: the longest tag is taken", () => {
  const bytes = Buffer.alloc(maxTagBytes + tagOverhead);
  writeTag(bytes, 0, 9, 1, Buffer.alloc(maxTagBytes, 7));
  const { tags, left } = read(head, bytes.subarray(0, 100_000), bytes.subarray(100_000));
  assert.deepEqual([tags.length, tags[0]?.payload.length, tags[0]?.payload.at(-1), left], [1, maxTagBytes, 7, 0]);
});

test("flv reader: what comes after damage is not taken for tags that were before", () => {
  const { bytes } = flvTags[0]!;
  const tags: FlvTag[] = [];
  const reader = new FlvReader((tag) => tags.push(tag));
  assert.throws(() => reader.push(Buffer.concat([head, bytes, hex("ff 00 00 00 00 00 00 00 00 00 00"), bytes])), { code: "FLV_FILE" });
  assert.equal(tags.length, 1);
});

test("flv reader: whatever was written is read, and any bytes are read or refused", () => {
  const parts = fc.tuple(fc.constantFrom(8, 9, 18), fc.nat({ max: 2 ** 32 - 1 }), fc.uint8Array({ maxLength: 40 }));
  const tag = parts.map(([type, timestamp, bytes]): FlvTag => ({ type, timestamp, payload: Buffer.from(bytes) }));
  fc.assert(
    fc.property(fc.array(tag, { maxLength: 5 }), fc.integer({ min: 1, max: 60 }), (tags, size) => {
      const bytes = Buffer.concat([
        head,
        ...tags.map(({ type, timestamp, payload }) => {
          const out = Buffer.alloc(payload.length + tagOverhead);
          writeTag(out, 0, type, timestamp, payload);
          return out;
        }),
      ]);
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
      assert.deepEqual(read(...pieces), { tags, left: 0 });
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      throwsOnly(["FLV_FILE"], () => read(head, Buffer.from(bytes)));
      throwsOnly(["FLV_FILE"], () => read(Buffer.from(bytes)));
    }),
  );
});
