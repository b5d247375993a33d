import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DolphinError } from "../../../src/base/errors.js";
import { maxHeaderBytes, readProxyHeader, trustedNetworks, writeProxyHeader } from "../../../src/proxy/proxy-protocol.js";

const signature = "0d0a0d0a000d0a515549540a";
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const at = (host: string, port: number) => ({ host, port });
const nobody = { source: null, destination: null };

/** Each is read from its bytes, and written to them. */
const rows = [
  {
    name: "version 1, IPv4",
    version: 1,
    bytes: Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 50000 1935\r\n"),
    value: { source: at("192.0.2.1", 50_000), destination: at("198.51.100.2", 1935) },
  },
  {
    name: "version 1, IPv6",
    version: 1,
    bytes: Buffer.from("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"),
    value: { source: at("2001:db8::1", 1), destination: at("::1", 65_535) },
  },
  { name: "version 1, unknown", version: 1, bytes: Buffer.from("PROXY UNKNOWN\r\n"), value: nobody },
  {
    name: "version 2, IPv4",
    version: 2,
    bytes: hex(`${signature} 21 11 000c c0000201 c6336402 c350 078f`),
    value: { source: at("192.0.2.1", 50_000), destination: at("198.51.100.2", 1935) },
  },
  {
    name: "version 2, IPv6",
    version: 2,
    bytes: hex(`${signature} 21 21 0024 20010db8000000000000000000000001 00000000000000000000000000000001 0001 ffff`),
    value: { source: at("2001:db8::1", 1), destination: at("::1", 65_535) },
  },
  { name: "version 2, unknown", version: 2, bytes: hex(`${signature} 21 00 0000`), value: nobody },
] as const;

for (const { name, version, bytes, value } of rows) {
  test(`PROXY protocol: ${name} is read and written`, () => {
    assert.deepEqual(readProxyHeader(bytes), { header: value, sizeBytes: bytes.length });
    assert.equal(writeProxyHeader(version, value.source, value.destination).toString("hex"), bytes.toString("hex"));
  });

  test(`PROXY protocol: ${name} needs all of its bytes, and takes none behind them`, () => {
    for (let size = 0; size < bytes.length; size++) assert.equal(readProxyHeader(bytes.subarray(0, size)), null, `${size} bytes`);
    assert.equal(readProxyHeader(Buffer.concat([bytes, Buffer.from("\x03rest")]))?.sizeBytes, bytes.length);
  });
}

for (const [name, bytes, value] of [
  ["unknown with addresses", Buffer.from("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), nobody],
  ["a balancer's own check", hex(`${signature} 20 11 000c c0000201 c6336402 c350 078f`), nobody],
  ["a datagram", hex(`${signature} 21 12 000c c0000201 c6336402 c350 078f`), nobody],
  [
    "additions behind the addresses",
    hex(`${signature} 21 11 0013 c0000201 c6336402 c350 078f 04 0004 01020304`),
    { source: at("192.0.2.1", 50_000), destination: at("198.51.100.2", 1935) },
  ],
] as const) {
  test(`PROXY protocol: ${name} is read`, () => assert.deepEqual(readProxyHeader(bytes), { header: value, sizeBytes: bytes.length }));
}

for (const [name, bytes] of [
  ["RTMP", Buffer.from([3, 0, 0, 0, 0])],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
  ["a PUT of HTTP, which begins like version 1", Buffer.from("PUT / HTTP/1.1\r\n")],
] as const) {
  test(`PROXY protocol: ${name} is no header`, () => assert.deepEqual(readProxyHeader(bytes), { header: null, sizeBytes: 0 }));
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
] as const) {
  test(`PROXY protocol: ${name} is refused`, () => {
    assert.throws(
      () => readProxyHeader(bytes),
      (error) => error instanceof DolphinError && error.code === "PROXY_HEADER",
    );
  });
}

test("PROXY protocol: any bytes are a header, none, too few, or refused with the code", () => {
  const start = fc.constantFrom("", "PROXY ", "PROXY TCP4 ", "PROXY TCP6 ::1 ");
  const text = fc.tuple(start, fc.string({ maxLength: 130 })).map(([front, rest]) => Buffer.from(front + rest, "latin1"));
  const binary = fc.uint8Array({ maxLength: 300 }).map((rest) => Buffer.concat([hex(signature), rest]));
  fc.assert(
    fc.property(fc.oneof(text, binary), (bytes) => {
      try {
        const found = readProxyHeader(bytes);
        assert.ok(found === null || found.sizeBytes <= Math.min(bytes.length, maxHeaderBytes));
      } catch (error) {
        assert.ok(error instanceof DolphinError && error.code === "PROXY_HEADER", String(error));
      }
    }),
  );
});

test("PROXY protocol: every address that is written is read again", () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  const pair = fc.oneof(fc.tuple(fc.ipV4(), fc.ipV4()), fc.tuple(fc.ipV6(), fc.ipV6()));
  fc.assert(
    fc.property(pair, port, port, fc.constantFrom(1 as const, 2 as const), ([from, to], fromPort, toPort, version) => {
      const bytes = writeProxyHeader(version, at(from, fromPort), at(to, toPort));
      const read = readProxyHeader(bytes);
      assert.deepEqual([read?.sizeBytes, read?.header?.source?.port, read?.header?.destination?.port], [bytes.length, fromPort, toPort]);
      const again = writeProxyHeader(version, read?.header?.source ?? null, read?.header?.destination ?? null);
      assert.ok(again.equals(bytes));
    }),
  );
});

test("PROXY protocol: an IPv4 peer of an IPv6 socket is written as IPv4, a mixed pair as unknown", () => {
  assert.equal(
    writeProxyHeader(1, at("::ffff:192.0.2.1", 5), at("::ffff:192.0.2.2", 6)).toString(),
    "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n",
  );
  assert.equal(writeProxyHeader(1, at("192.0.2.1", 5), at("::1", 6)).toString(), "PROXY UNKNOWN\r\n");
  assert.equal(writeProxyHeader(2, null, at("::1", 6)).toString("hex"), `${signature}21000000`);
});

test("trusted networks: addresses within them, of either family and also as mapped ones, are trusted", () => {
  const trusted = trustedNetworks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"]);
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1", "192.0.2.7"]) assert.ok(trusted.has(address), address);
  for (const address of ["11.1.2.3", "192.0.2.8", "fe80::1", "::1", "", "name"]) assert.ok(!trusted.has(address), address);
  assert.ok(!trustedNetworks([]).has("127.0.0.1"));
});

test("trusted networks: what is none is refused with a sentence", () => {
  for (const text of ["10.0.0.0/33", "fd00::/129", "10.0.0.0/8/8", "10.0.0.0/", "10.0.0.0/x", "localhost", ""]) {
    assert.throws(
      () => trustedNetworks([text]),
      (error) => error instanceof DolphinError && error.code === "CONF_VALUE",
      text,
    );
  }
});
