import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asObject, decodeAmf, ecmaArray, encodeAmf, maxDepth, maxNodes, type AmfValue } from "../../../../src/codec/rtmp/amf0.js";
import { hex, throwsOnly } from "../hex.js";

const long = "x".repeat(0x10000);

const bothWays: { name: string; bytes: Buffer; value: AmfValue }[] = [
  { name: "a number", bytes: hex("00 3f f0 00 00 00 00 00 00"), value: 1 },
  { name: "a negative number with a fraction", bytes: hex("00 c0 04 00 00 00 00 00 00"), value: -2.5 },
  { name: "infinity", bytes: hex("00 7f f0 00 00 00 00 00 00"), value: Infinity },
  { name: "true", bytes: hex("01 01"), value: true },
  { name: "false", bytes: hex("01 00"), value: false },
  { name: "a string", bytes: hex('02 00 07 "connect"'), value: "connect" },
  { name: "an empty string", bytes: hex("02 00 00"), value: "" },
  { name: "a string of UTF-8", bytes: hex("02 00 03 e2 82 ac"), value: "€" },
  { name: "a string of 65535 bytes", bytes: Buffer.concat([hex("02 ff ff"), Buffer.from(long.slice(1))]), value: long.slice(1) },
  { name: "a long string", bytes: Buffer.concat([hex("0c 00 01 00 00"), Buffer.from(long)]), value: long },
  { name: "null", bytes: hex("05"), value: null },
  { name: "undefined", bytes: hex("06"), value: undefined },
  { name: "an empty object", bytes: hex("03 00 00 09"), value: {} },
  { name: "an object", bytes: hex('03 00 03 "app" 02 00 04 "live" 00 00 09'), value: { app: "live" } },
  { name: "an object in an object", bytes: hex('03 00 01 "a" 03 00 01 "b" 05 00 00 09 00 00 09'), value: { a: { b: null } } },
  { name: "a member without a name", bytes: hex("03 00 00 01 01 00 00 09"), value: { "": true } },
  {
    name: "a member named __proto__",
    bytes: hex('03 00 09 "__proto__" 01 01 00 00 09'),
    value: JSON.parse('{"__proto__":true}') as AmfValue,
  },
  {
    name: "an ECMA array",
    bytes: hex('08 00 00 00 01 00 05 "width" 00 40 94 00 00 00 00 00 00 00 00 09'),
    value: ecmaArray({ width: 1280 }),
  },
  { name: "an empty strict array", bytes: hex("0a 00 00 00 00"), value: [] },
  { name: "a strict array", bytes: hex("0a 00 00 00 02 05 01 01"), value: [null, true] },
];

const oneWay: { name: string; bytes: Buffer; value: AmfValue }[] = [
  { name: "any byte but 0 as true", bytes: hex("01 7f"), value: true },
  { name: "a date as its milliseconds, whatever the time zone", bytes: hex("0b 40 8f 40 00 00 00 00 00 12 34"), value: 1000 },
  { name: "XML as text", bytes: hex('0f 00 00 00 04 "<a/>"'), value: "<a/>" },
  { name: "a typed object without its class", bytes: hex('10 00 03 "cls" 00 01 "a" 05 00 00 09'), value: { a: null } },
  { name: "a reference as undefined", bytes: hex("07 00 01"), value: undefined },
  { name: "unsupported as undefined", bytes: hex("0d"), value: undefined },
  { name: "a member that comes twice as its last value", bytes: hex('03 00 01 "a" 05 00 01 "a" 01 01 00 00 09'), value: { a: true } },
  { name: "bytes that are no UTF-8 with replacements", bytes: hex("02 00 01 ff"), value: "\ufffd" },
  { name: "an ECMA array with a count of 0", bytes: hex('08 00 00 00 00 00 01 "a" 05 00 00 09'), value: ecmaArray({ a: null }) },
  { name: "an ECMA array with a count of 2³²−1", bytes: hex('08 ff ff ff ff 00 01 "a" 05 00 00 09'), value: ecmaArray({ a: null }) },
];

/** Objects are decoded without a prototype; this gives them one, so that they compare with literals. */
function plain(value: AmfValue): unknown {
  if (Array.isArray(value)) return (value as readonly AmfValue[]).map(plain);
  const members = asObject(value);
  if (members === null) return value;
  const isArray = value !== members;
  return { isArray, members: Object.entries(members).map(([name, member]) => [name, plain(member)]) };
}

for (const { name, bytes, value } of bothWays) {
  test(`amf0: ${name} is read`, () => assert.deepEqual(decodeAmf(bytes).map(plain), [plain(value)]));
  test(`amf0: ${name} is written`, () => assert.deepEqual(encodeAmf(value), bytes));
  if (bytes.length === 1) continue;
  test(`amf0: ${name} that ends at any byte too soon is refused`, () => {
    for (let end = 1; end < bytes.length; end += end < 100 ? 1 : 9973) {
      assert.throws(() => decodeAmf(bytes.subarray(0, end)), { code: "RTMP_AMF" }, `cut at ${end}`);
    }
  });
}

for (const { name, bytes, value } of oneWay) {
  test(`amf0: reads ${name}`, () => assert.deepEqual(decodeAmf(bytes).map(plain), [plain(value)]));
}

test("amf0: not-a-number survives both ways", () => assert.deepEqual(decodeAmf(encodeAmf(NaN)), [NaN]));

test("amf0: a body is a list of values", () => {
  assert.deepEqual(decodeAmf(encodeAmf("play", 0, null, "livestream")), ["play", 0, null, "livestream"]);
  assert.deepEqual(decodeAmf(Buffer.alloc(0)), []);
});

test("amf0: an AMF3 value ends the list, for it is opaque", () => {
  assert.deepEqual(decodeAmf(Buffer.concat([encodeAmf("name", 1), hex("11 0a 0b 01")])), ["name", 1]);
});

for (const kind of ["04", "09", "0e", "12", "7f", "ff"]) {
  test(`amf0: the marker ${kind} is refused, for nothing tells how long its value is`, () => {
    assert.throws(() => decodeAmf(hex(kind)), { code: "RTMP_AMF", message: /unknown AMF0 marker/ });
  });
}

test("amf0: a decoded object has no prototype to confuse", () => {
  const object = asObject(decodeAmf(hex("03 00 00 09"))[0]);
  assert.equal(Object.getPrototypeOf(object), null);
  assert.equal(object?.["constructor"], undefined);
});

test("amf0: only objects and ECMA arrays have names", () => {
  for (const value of [null, undefined, 1, "x", true, [{}]]) assert.equal(asObject(value), null);
  assert.deepEqual(asObject({ a: 1 }), { a: 1 });
  assert.deepEqual(asObject(ecmaArray({ a: 1 })), { a: 1 });
});

/** Objects, ECMA arrays or strict arrays in each other, `depth` deep. */
function nested(open: string, close: string, depth: number): Buffer {
  return hex(`${open.repeat(depth)} 05 ${close.repeat(depth)}`);
}

for (const [what, open, close] of [
  ["objects", '03 00 01 "a"', "00 00 09"],
  ["ECMA arrays", '08 00 00 00 01 00 01 "a"', "00 00 09"],
  ["strict arrays", "0a 00 00 00 01", ""],
  ["typed objects", '10 00 00 00 01 "a"', "00 00 09"],
] as const) {
  test(`amf0: ${what} are read down to the depth limit and refused below it`, () => {
    assert.equal(decodeAmf(nested(open, close, maxDepth)).length, 1);
    assert.throws(() => decodeAmf(nested(open, close, maxDepth + 1)), { code: "RTMP_AMF", message: /nested deeper/ });
    assert.throws(() => decodeAmf(nested(open, close, 70_000)), { code: "RTMP_AMF", message: /nested deeper/ });
  });
}

test("amf0: values are read up to the limit of one message and refused past it", () => {
  assert.equal(decodeAmf(Buffer.alloc(maxNodes, 5)).length, maxNodes);
  assert.throws(() => decodeAmf(Buffer.alloc(maxNodes + 1, 5)), { code: "RTMP_AMF", message: /more than 4096 values/ });
});

test("amf0: a strict array that announces 2³²−1 values costs only what it brings", () => {
  assert.throws(() => decodeAmf(hex("0a ff ff ff ff 05 05")), { code: "RTMP_AMF", message: /ends inside a value/ });
  assert.throws(() => decodeAmf(Buffer.concat([hex("0a ff ff ff ff"), Buffer.alloc(10_000, 5)])), {
    code: "RTMP_AMF",
    message: /more than/,
  });
});

for (const [what, bytes] of [
  ["a string", '02 ff ff "short"'],
  ["a long string", '0c ff ff ff ff "short"'],
  ["XML", '0f 7f ff ff ff "short"'],
  ["a member's name", '03 ff ff "short"'],
  ["a class name", '10 ff ff "short"'],
] as const) {
  test(`amf0: ${what} that announces more bytes than there are is refused`, () => {
    assert.throws(() => decodeAmf(hex(bytes)), { code: "RTMP_AMF", message: /ends inside a value/ });
  });
}

const scalars = fc.oneof(
  fc.double({ noNaN: true }),
  fc.boolean(),
  fc.string({ unit: "grapheme" }),
  fc.constant(null),
  fc.constant(undefined),
);
const values = fc.letrec<{ value: AmfValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    scalars,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "grapheme" }), tie("value"), { maxKeys: 5 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 5 }).map(ecmaArray),
  ),
})).value;

test("amf0: whatever is written is read back", () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 5 }), (list) => assert.deepEqual(decodeAmf(encodeAmf(...list)).map(plain), list.map(plain))),
  );
});

test("amf0: any bytes are read or refused with RTMP_AMF", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => throwsOnly(["RTMP_AMF"], () => void decodeAmf(Buffer.from(bytes)))),
    { numRuns: 2000 },
  );
});

test("amf0: a good message with any byte changed is read or refused with RTMP_AMF", () => {
  const good = encodeAmf("connect", 1, { app: "live", list: [1, "two", { three: null }] }, ecmaArray({ width: 1280 }));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const bytes = Buffer.from(good);
      bytes[at] = byte;
      throwsOnly(["RTMP_AMF"], () => void decodeAmf(bytes));
    }),
    { numRuns: 2000 },
  );
});
