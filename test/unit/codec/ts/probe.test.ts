import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { probeTs } from "../../../../src/codec/ts/probe.js";
import { patSection } from "../../../../src/codec/ts/tables.js";

const sps = Buffer.from("67640028acd94078", "hex");

/** A packet with that payload, filled up by an adaptation field. */
function packet(pid: number, payload: Buffer): Buffer {
  const out = Buffer.alloc(188, 0xff);
  const stuffing = 184 - payload.length;
  out.set([0x47, 0x40 | (pid >> 8), pid & 0xff, stuffing > 0 ? 0x30 : 0x10]);
  if (stuffing > 0) out[4] = stuffing - 1;
  if (stuffing > 1) out[5] = 0;
  payload.copy(out, 188 - payload.length);
  return out;
}

function pes(ticks: number, body: Buffer): Buffer {
  const time = Buffer.alloc(5);
  time[0] = 0x21 | ((Math.floor(ticks / 2 ** 30) & 7) << 1);
  time.writeUInt16BE(((Math.floor(ticks / 2 ** 15) & 0x7fff) << 1) | 1, 1);
  time.writeUInt16BE(((ticks & 0x7fff) << 1) | 1, 3);
  return Buffer.concat([Buffer.from([0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5]), time, body]);
}

/** Program map of H.264 on 0x100 and AAC on 0x101. */
const pmt = Buffer.from("0002b0170001c10000e100f0001be100f0000fe101f00000000000", "hex");
const pat = Buffer.concat([Buffer.from([0]), patSection]);
const picture = Buffer.concat([Buffer.from([0, 0, 0, 1]), sps, Buffer.from([0, 0, 0, 1, 0x65, 1, 2])]);

test("probe: a segment tells its tracks, its parameter set and its first time", () => {
  for (const ticks of [0, 90_000, 2 ** 33 - 1, 2 ** 30 + 12_345]) {
    const bytes = Buffer.concat([packet(0, pat), packet(0x1001, pmt), packet(0x100, pes(ticks, picture)), packet(0x100, pes(1, picture))]);
    assert.deepEqual(probeTs(bytes), { make: `1b@100 f@101 ${sps.toString("hex")}`, startTicks: ticks });
  }
});

test("probe: what is no transport stream is none", () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(188), Buffer.alloc(100, 0x47), Buffer.from("root:x:0:0:".repeat(188))])
    assert.equal(probeTs(bytes), null);
  assert.equal(probeTs(packet(0x100, pes(0, picture))), null, "without tables");
});

test("probe: whatever stands in the packets, it comes to an end", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 187, maxLength: 187 }), { maxLength: 6 }), fc.boolean(), (parts, isTabled) => {
      const packets = parts.map((part) => Buffer.concat([Buffer.from([0x47]), part]));
      probeTs(Buffer.concat(isTabled ? [packet(0, pat), packet(0x1001, pmt), ...packets] : packets));
    }),
  );
});
