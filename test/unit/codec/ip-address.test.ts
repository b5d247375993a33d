import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import * as fc from "fast-check";
import { addressBytes, addressText, canonicalAddress, peerAddress } from "../../../src/codec/ip-address.js";

/** Text, bytes, and the text that they are written as. */
for (const [text, hex, written] of [
  ["0.0.0.0", "00000000", "0.0.0.0"],
  ["192.0.2.255", "c00002ff", "192.0.2.255"],
  ["::", "00".repeat(16), "::"],
  ["::1", `${"00".repeat(15)}01`, "::1"],
  ["2001:DB8::1", `20010db8${"00".repeat(11)}01`, "2001:db8::1"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008", "1:2:3:4:5:6:7:8"],
  ["1::7:8", "00010000000000000000000000070008", "1::7:8"],
  ["1:0:0:4:0:0:0:8", "00010000000000040000000000000008", "1:0:0:4::8"],
  ["::ffff:192.0.2.1", `${"00".repeat(10)}ffffc0000201`, "192.0.2.1"],
  ["::FFFF:c000:0201", `${"00".repeat(10)}ffffc0000201`, "192.0.2.1"],
  ["::fffe:c000:201", `${"00".repeat(10)}fffec0000201`, "::fffe:c000:201"],
  ["1:2:3:4:5:6:192.0.2.1", "000100020003000400050006c0000201", "1:2:3:4:5:6:c000:201"],
] as const) {
  test(`address: ${text} is read, and written as ${written}`, () => {
    const bytes = addressBytes(text);
    assert.equal(bytes?.toString("hex"), hex);
    assert.equal(addressText(bytes), written);
  });
}

for (const text of [
  "",
  "localhost",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "01.2.3.4",
  "1.2.3.4:5",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1::2::3",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8::",
  "1:2:3:4::5:6:7:8",
  ":::",
  "12345::",
  "::1.2.3",
  "1.2.3.4::",
  "[::1]",
  "fe80::1%eth0",
]) {
  test(`address: "${text}" is none`, () => assert.equal(addressBytes(text), null));
}

test("address: node's own judgement of any text is the same", () => {
  const likely = fc.stringMatching(/^[0-9a-f:.]{0,24}$/);
  const groups = fc.array(fc.constantFrom("", "0", "1", "ffff", "1.2.3.4"), { maxLength: 9 }).map((parts) => parts.join(":"));
  fc.assert(
    fc.property(fc.oneof(fc.string(), likely, groups, fc.ipV4(), fc.ipV6()), (text) => {
      const bytes = addressBytes(text);
      assert.equal(bytes === null ? 0 : bytes.length === 4 ? 4 : 6, isIP(text.includes("%") ? "" : text), text);
      if (bytes === null) return;
      const again = addressBytes(addressText(bytes))!;
      assert.ok(again.equals(bytes) || again.equals(bytes.subarray(12)), text); // an IPv4 address may have been one of IPv6
      assert.equal(addressText(again), addressText(bytes));
    }),
    { numRuns: 2000 },
  );
});

test("address: however it is written, there is one text of it", () => {
  for (const [text, canonical] of [
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:c000:0201", "192.0.2.1"],
    ["fe80::1%eth0", "fe80::1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["origin.example", "origin.example"],
  ] as const)
    assert.equal(canonicalAddress(text), canonical);
});

test("address: a peer is known by its canonical address, and one that has gone by none", () => {
  assert.deepEqual(peerAddress({ remoteAddress: "::ffff:203.0.113.9", remotePort: 5 }), { host: "203.0.113.9", port: 5 });
  assert.equal(peerAddress({ remoteAddress: undefined, remotePort: undefined }), null);
});
