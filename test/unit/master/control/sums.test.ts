import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noStats, type ServerStats } from "../../../../src/ipc/messages.js";
import { noTally } from "../../../../src/ipc/tally.js";
import { Sums } from "../../../../src/master/control/sums.js";

const stats = (bytesOut: number, plays = 0, ends: Record<string, number> = {}): ServerStats => ({
  ...noStats,
  bytesOut,
  innerBytesOut: 1,
  lagMs: 7,
  cpuSeconds: bytesOut / 10,
  tally: { ...noTally(), plays, ends },
});

describe("what processes have counted", () => {
  it("stays when one dies, and its heir adds to it", () => {
    const sums = new Sums();
    sums.heard("edge-1", stats(100, 3, { none: 2, RTMP_SLOW: 1 }), 0);
    sums.gone("edge-1");
    sums.gone("edge-1");
    const [dead] = sums.counts(1000);
    assert.deepEqual([dead?.bytesOut, dead?.tally.plays, dead?.cpuSeconds, dead?.reportAgeSeconds], [100, 3, 10, null]);
    sums.heard("edge-1", stats(5, 1, { none: 1 }), 2000);
    const [heir, ...rest] = sums.counts(2500);
    assert.deepEqual(rest, []);
    assert.deepEqual([heir?.bytesOut, heir?.innerBytesOut, heir?.tally.plays, heir?.reportAgeSeconds], [105, 2, 4, 0.5]);
    assert.deepEqual(heir?.tally.ends, { none: 3, RTMP_SLOW: 1 });
  });

  it("is one sum for a place whose process is replaced while it still serves", () => {
    const sums = new Sums();
    sums.heard("edge-1", stats(100), 0);
    sums.heard("edge-1.2", stats(10), 0);
    assert.deepEqual(
      sums.counts(0).map(({ name, bytesOut }) => [name, bytesOut]),
      [["edge-1", 110]],
    );
    sums.gone("edge-1");
    assert.equal(sums.counts(0)[0]?.bytesOut, 110);
  });

  it("counts a beginning once, and deaths by few words", () => {
    const sums = new Sums();
    sums.up("edge-1", 10);
    sums.up("edge-1", 10);
    assert.equal(sums.counts(0)[0]?.restarts, 0);
    sums.died("edge-1", "SIGKILL");
    sums.up("edge-1", 20);
    sums.died("edge-1", "killed by SIGKILL");
    sums.died("edge-1", "code 70");
    sums.died("edge-1", "not started: EMFILE, who knows why");
    sums.died("edge-1", "not heard for 10 s");
    assert.equal(sums.counts(0)[0]?.restarts, 1);
    assert.deepEqual(sums.counts(0)[0]?.deaths, { SIGABRT: 0, SIGKILL: 2, "exit 70": 1, "not started": 1, other: 1 });
  });

  it("has the lateness of each second in its class", () => {
    const sums = new Sums();
    sums.heard("edge-1", stats(1), 0);
    sums.heard("edge-1", stats(1), 1000);
    const [row] = sums.counts(1000);
    assert.equal(row?.lag.counts[2], 2, "5 to 10 ms");
    assert.equal(row?.lag.sumMs, 14);
  });
});
