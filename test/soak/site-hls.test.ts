// HLS of a site whose owner of a stream is frozen: once others have shown the new owner's pictures, nobody is shown the old one's, neither
// by another box nor by the one that wakes up, whose list goes on behind what it had.
import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesOf, encoderAt } from "../helpers/boxes.js";
import type { Dolphin } from "../helpers/dolphin.js";
import { HlsReader } from "../helpers/hls-reader.js";
import { findRedis, startRedis } from "../helpers/redis.js";
import { eventually } from "../helpers/wait.js";

const program = await findRedis();

/** The list of segments that a box gives, once there is one. */
async function variantOf(box: Dolphin): Promise<string> {
  const url = box.flvUrl("show").replace(".flv", ".m3u8");
  const text = await eventually(
    async () => {
      const response = await fetch(url);
      return response.status === 200 ? response.text() : null;
    },
    { what: "the list", timeoutMs: 20_000 },
  );
  return new URL(/^[^#].*$/m.exec(text)?.[0] ?? "", url).href;
}

for (const plan of ["single", "a"] as const)
  void test(
    `plan ${plan}: HLS of a frozen owner goes on behind the new owner's pictures, at every box`,
    { skip: typeof program === "string" ? program : false },
    async (t) => {
      if (typeof program === "string") return;
      const redis = await startRedis(program);
      t.after(() => redis.stop());
      const [a, b, c] = (await boxesOf(t, redis, [plan, "single", "a"], "", "hls { enabled on; hls_fragment 1; hls_window 30; }")) as [
        Dolphin,
        Dolphin,
        Dolphin,
      ];
      await encoderAt(t, a.rtmpUrl("show"));
      const [atA, atC] = [await variantOf(a), await variantOf(c)];
      const reader = new HlsReader(atC);
      await reader.more(3);
      const pids = Object.values(a.pids);
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      await eventually(() => encoderAt(t, b.rtmpUrl("show"), 10_000), { timeoutMs: 15_000, what: "the lease to end" });
      await reader.more(5);
      for (const pid of pids) process.kill(pid, "SIGCONT");
      await a.waitFor("claim.lost");
      await reader.more(3);
      const waker = new HlsReader(atA);
      await waker.more(8);
      await Promise.all([reader.close(), waker.close()]);
      for (const url of [atA, atC]) {
        const owners = await ownersIn(url);
        assert.deepEqual(owners, ["first", "second"], "one change, and no way back");
      }
      assert.equal(reader.discontinuities, 1);
    },
  );

/** Whose pictures the segments of a list hold, in its order, each change once. */
async function ownersIn(list: string): Promise<string[]> {
  const names = (await (await fetch(list)).text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const owners: string[] = [];
  for (const name of names) {
    const bytes = Buffer.from(await (await fetch(new URL(name, list))).arrayBuffer());
    for (const number of numbersIn(bytes)) {
      const owner = number < 10_000 ? "first" : "second";
      if (owners.at(-1) !== owner) owners.push(owner);
    }
  }
  return owners;
}

/** The numbers that `videoFrame` wrote behind the first byte of each slice of H.264, as far as one packet holds them. */
function numbersIn(stream: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + 9 < stream.length; at++) {
    if (stream.readUIntBE(at, 3) === 1 && [0x65, 0x41].includes(stream[at + 3]!)) found.push(stream.readUInt32BE(at + 4));
  }
  return found;
}
