import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DolphinError } from "../../../src/base/errors.js";
import { maxPrefaceBytes, readPreface, writePreface } from "../../../src/codec/preface.js";

const signature = "0d0a0d0a000d0a515549540a";
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const at = (host: string, port: number) => ({ host, port });
const nobody = { client: null, local: null };
const nowhere = at("", 0);

/** Each is read from its bytes, and written to them. */
const rows = [
  {
    name: "version 1, IPv4",
    form: "v1",
    bytes: Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 50000 1935\r\n"),
    value: { client: at("192.0.2.1", 50_000), local: at("198.51.100.2", 1935) },
  },
  {
    name: "version 1, IPv6",
    form: "v1",
    bytes: Buffer.from("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"),
    value: { client: at("2001:db8::1", 1), local: at("::1", 65_535) },
  },
  { name: "version 1, unknown", form: "v1", bytes: Buffer.from("PROXY UNKNOWN\r\n"), value: nobody },
  {
    name: "version 2, IPv4",
    form: "v2",
    bytes: hex(`${signature} 21 11 000c c0000201 c6336402 c350 078f`),
    value: { client: at("192.0.2.1", 50_000), local: at("198.51.100.2", 1935) },
  },
  {
    name: "version 2, IPv6",
    form: "v2",
    bytes: hex(`${signature} 21 21 0024 20010db8000000000000000000000001 00000000000000000000000000000001 0001 ffff`),
    value: { client: at("2001:db8::1", 1), local: at("::1", 65_535) },
  },
  { name: "version 2, unknown", form: "v2", bytes: hex(`${signature} 21 00 0000`), value: nobody },
  { name: "SRS's prefix", form: "srs", bytes: hex("f3 0004 c0000201"), value: { client: at("192.0.2.1", 0), local: null } },
  { name: "SRS's prefix, unknown", form: "srs", bytes: hex("f3 0004 00000000"), value: nobody },
] as const;

for (const { name, form, bytes, value } of rows) {
  test(`preface: ${name} is read and written`, () => {
    assert.deepEqual(readPreface(bytes), { ...value, sizeBytes: bytes.length });
    assert.equal(writePreface(form, value.client ?? nowhere, value.local ?? nowhere).toString("hex"), bytes.toString("hex"));
  });

  test(`preface: ${name} needs all of its bytes, and takes none behind them`, () => {
    for (let size = 0; size < bytes.length; size++) assert.equal(readPreface(bytes.subarray(0, size)), null, `${size} bytes`);
    assert.equal(readPreface(Buffer.concat([bytes, Buffer.from("\x03rest")]))?.sizeBytes, bytes.length);
  });
}

for (const [name, bytes, value] of [
  ["unknown with addresses", Buffer.from("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), nobody],
  ["a balancer's own check", hex(`${signature} 20 11 000c c0000201 c6336402 c350 078f`), nobody],
  ["a datagram", hex(`${signature} 21 12 000c c0000201 c6336402 c350 078f`), nobody],
  [
    "additions behind the addresses",
    hex(`${signature} 21 11 0013 c0000201 c6336402 c350 078f 04 0004 01020304`),
    { client: at("192.0.2.1", 50_000), local: at("198.51.100.2", 1935) },
  ],
  ["SRS's prefix with more than an address", hex("f3 0006 c0000201 ffff"), { client: at("192.0.2.1", 0), local: null }],
] as const) {
  test(`preface: ${name} is read`, () => assert.deepEqual(readPreface(bytes), { ...value, sizeBytes: bytes.length }));
}

for (const [name, bytes] of [
  ["RTMP", Buffer.from([3, 0, 0, 0, 0])],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
  ["a PUT of HTTP, which begins like version 1", Buffer.from("PUT / HTTP/1.1\r\n")],
] as const) {
  test(`preface: ${name} is none`, () => assert.deepEqual(readPreface(bytes), { ...nobody, sizeBytes: 0 }));
}

for (const [name, bytes] of [
  ["a line without an end", Buffer.from(`PROXY TCP4 ${"1".repeat(120)}`)],
  ["an address of the other family", Buffer.from("PROXY TCP4 ::1 ::1 1 2\r\n")],
  ["an address that is none", Buffer.from("PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n")],
  ["a port beyond 65535", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n")],
  ["a port with a leading zero", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n")],
  ["too few words", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n")],
  ["version 3", hex(`${signature} 31 11 000c c0000201 c6336402 c350 078f`)],
  ["a third command", hex(`${signature} 22 11 000c c0000201 c6336402 c350 078f`)],
  ["addresses cut off", hex(`${signature} 21 11 0008 c0000201 c6336402`)],
  ["a length beyond the limit, before it has come", hex(`${signature} 21 11 ffff`)],
  ["SRS's prefix without an address", hex("f3 0003 c00002")],
  ["SRS's prefix of 1025 bytes, before they have come", hex("f3 0401")],
] as const) {
  test(`preface: ${name} is refused`, () => {
    assert.throws(
      () => readPreface(bytes),
      (error) => error instanceof DolphinError && error.code === "PROXY_HEADER",
    );
  });
}

test("preface: any bytes are one, none, too few, or refused with the code", () => {
  const start = fc.constantFrom("", "PROXY ", "PROXY TCP4 ", "PROXY TCP6 ::1 ", "\xf3", "\xf3\0");
  const text = fc.tuple(start, fc.string({ maxLength: 130 })).map(([front, rest]) => Buffer.from(front + rest, "latin1"));
  const binary = fc.uint8Array({ maxLength: 300 }).map((rest) => Buffer.concat([hex(signature), rest]));
  fc.assert(
    fc.property(fc.oneof(text, binary), (bytes) => {
      try {
        const found = readPreface(bytes);
        assert.ok(found === null || found.sizeBytes <= Math.min(bytes.length, maxPrefaceBytes));
      } catch (error) {
        assert.ok(error instanceof DolphinError && error.code === "PROXY_HEADER", String(error));
      }
    }),
  );
});

test("preface: every address that is written is read again", () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  const pair = fc.oneof(fc.tuple(fc.ipV4(), fc.ipV4()), fc.tuple(fc.ipV6(), fc.ipV6()));
  fc.assert(
    fc.property(pair, port, port, fc.constantFrom("v1" as const, "v2" as const), ([from, to], fromPort, toPort, form) => {
      const bytes = writePreface(form, at(from, fromPort), at(to, toPort));
      const read = readPreface(bytes);
      assert.deepEqual([read?.sizeBytes, read?.client?.port, read?.local?.port], [bytes.length, fromPort, toPort]);
      assert.ok(writePreface(form, read?.client ?? nowhere, read?.local ?? nowhere).equals(bytes));
    }),
  );
});

test("preface: an IPv4 peer of an IPv6 socket is written as IPv4, a mixed pair as unknown", () => {
  const mapped = at("::ffff:192.0.2.1", 5);
  assert.equal(writePreface("v1", mapped, at("::ffff:192.0.2.2", 6)).toString(), "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n");
  assert.equal(writePreface("srs", mapped, nowhere).toString("hex"), "f30004c0000201");
  assert.equal(writePreface("v1", at("192.0.2.1", 5), at("::1", 6)).toString(), "PROXY UNKNOWN\r\n");
  assert.equal(writePreface("v2", nowhere, at("::1", 6)).toString("hex"), `${signature}21000000`);
});

test("preface: SRS's form says that there is a client even where it cannot say which, so that the client cannot", () => {
  assert.equal(writePreface("srs", at("2001:db8::1", 5), at("::1", 6)).toString("hex"), "f3000400000000");
});
