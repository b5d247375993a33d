import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DiskMeter, disksIn, networkIn } from "../../../../src/admin/box/proc.js";

const device = (name: string, recv: number, send: number): string => `  ${name}: ${recv} 1 0 0 0 0 0 0 ${send} 1 0 0 0 0 0 0`;

describe("what the system tells of the machine", () => {
  it("has the bytes of interfaces with an address of the internet, and apart those of all others", () => {
    const text = `Inter-|   Receive\n face |bytes\n${[device("lo", 5, 5), device("eth0", 100, 200), device("eth1", 10, 20)].join("\n")}\n`;
    assert.deepEqual(networkIn(text, new Set(["eth0"])), { recv: 100, send: 200, innerRecv: 15, innerSend: 25 });
    assert.deepEqual(networkIn("", new Set()), { recv: 0, send: 0, innerRecv: 0, innerSend: 0 });
  });

  it("has what disks read and wrote in a second, and how busy the busiest was, parts of disks left out", () => {
    const at = (pages: number, sda: number, vdb: number): ReturnType<typeof disksIn> =>
      disksIn(
        `nr_free_pages 1\npgpgin ${pages}\npgpgout ${2 * pages}\n`,
        `   8  0 sda 1 0 0 0 0 0 0 0 0 ${sda} 0\n   8  1 sda1 1 0 0 0 0 0 0 0 0 99999 0\n 254 0 vdb 1 0 0 0 0 0 0 0 0 ${vdb} 0\n`,
      );
    const meter = new DiskMeter();
    assert.deepEqual(meter.measure(at(1000, 50, 50), 0), { readKBps: 0, writeKBps: 0, busy: 0 }, "the first look has none before it");
    assert.deepEqual(meter.measure(at(1500, 550, 1050), 2000), { readKBps: 250, writeKBps: 500, busy: 0.5 });
    assert.deepEqual(meter.measure(at(1500, 550, 9050), 4000).busy, 1);
    assert.deepEqual(new DiskMeter().measure(disksIn("", ""), 0), { readKBps: 0, writeKBps: 0, busy: 0 }, "where there is no /proc");
  });
});
