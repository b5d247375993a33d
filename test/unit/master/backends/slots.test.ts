import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { chooseSlots, parseListeningPorts, type ServerSlot, type SlotWishes } from "../../../../src/master/backends/slots.js";

const wishes: SlotWishes = { count: 2, above: 1935, taken: [1935, 8080], wanted: null, folder: "/run/x" };
const choose = (more: Partial<SlotWishes>, busy: readonly number[] = []): Promise<ServerSlot[]> =>
  chooseSlots({ ...wishes, ...more }, (port) => Promise.resolve(!busy.includes(port)));
const portsOf = (slots: readonly ServerSlot[]): number[][] => slots.map(({ rtmpPort, httpPort, apiPort }) => [rtmpPort, httpPort, apiPort]);
const isListenError = (thrown: unknown): boolean => thrown instanceof DolphinError && thrown.code === "CHILD_LISTEN";

describe("the slots of servers", () => {
  it("have the ports above the public one, RTMP first, and a name and a folder each", async () => {
    const slots = await choose({});
    assert.deepEqual(portsOf(slots), [
      [1936, 1938, 1940],
      [1937, 1939, 1941],
    ]);
    assert.deepEqual(
      slots.map(({ number, name, folder }) => [number, name, folder]),
      [
        [1, "server-1", "/run/x/server-1"],
        [2, "server-2", "/run/x/server-2"],
      ],
    );
  });

  it("pass over ports that are in use, and over the public ones", async () => {
    assert.deepEqual(portsOf(await choose({ taken: [1935, 1937] }, [1936, 1939])), [
      [1938, 1941, 1943],
      [1940, 1942, 1944],
    ]);
  });

  it("have folders from the root on, for their programs are started elsewhere", async () => {
    const [slot] = await choose({ folder: "run/x" });
    assert.equal(slot?.folder, `${process.cwd()}/run/x/server-1`);
  });

  it("are the same whenever the same ports are free", async () => {
    assert.deepEqual(await choose({}, [1937]), await choose({}, [1937]));
  });

  it("begin again below when the numbers end, and stay above the privileged ones", async () => {
    assert.deepEqual(portsOf(await choose({ count: 1, above: 65_534 })), [[65_535, 1025, 1026]]);
    assert.deepEqual(portsOf(await choose({ count: 1, above: 80 })), [[1025, 1026, 1027]]);
  });

  it("have the ports that were asked for, and chosen ones where none were", async () => {
    assert.deepEqual(portsOf(await choose({ wanted: { rtmp: [1937, 1936], http: [] } })), [
      [1937, 1938, 1940],
      [1936, 1939, 1941],
    ]);
  });

  it("are refused when a port that was asked for is in use", async () => {
    await assert.rejects(choose({ wanted: { rtmp: [1936, 1937], http: [] } }, [1937]), isListenError);
  });

  it("are refused when no port is free", async () => {
    await assert.rejects(
      chooseSlots(wishes, () => Promise.resolve(false)),
      isListenError,
    );
  });
});

describe("the system's table of sockets", () => {
  it("tells who listens, and nobody who is connected", () => {
    const text = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:0790 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1",
      "   1: 0100007F:0791 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1",
      "  12: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000",
    ].join("\n");
    assert.deepEqual([...parseListeningPorts(text)], [1936, 8080]);
  });
});
