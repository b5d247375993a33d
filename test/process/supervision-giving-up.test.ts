// An edge that does not stay alive is given up, so that it costs its box no more than its share; a box without edges ends.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAtEachEdge, steadyPublisherAt } from "../helpers/edges.js";
import { Knocker } from "../helpers/knocker.js";
import { assertOnlyChildren, waitUntilGone } from "../helpers/processes.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually, within } from "../helpers/wait.js";

const maxGapMs = 1500;
/** As limitsOf in master/processes/child.ts has it. */
const deathsAllowed = 5;

void describe("an edge that dies again and again", { concurrency: true }, () => {
  void test("is given up after the limit, while the others serve on", async (t) => {
    const dolphin = await Dolphin.start(t, { cores: 2, conf: promptConf });
    const source = await steadyPublisherAt(t, dolphin, "edge-2", "on-and-on");
    const players = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("on-and-on"));
    const other = players.find(({ connection }) => connection.serverPid === dolphin.pids["edge-2"]);
    assert.ok(other !== undefined);
    await other.waitForMedia(10);
    other.resetGap();
    source.longestPauseMs = 0;
    await killEachLife(dolphin, "edge-1");
    const failed = await dolphin.waitFor("child.failed");
    assert.deepEqual([failed.child, failed.code, failed.reason], ["edge-1", "CHILD_GAVE_UP", "killed by SIGKILL"]);

    const knocker = new Knocker(dolphin.rtmpPort);
    t.after(() => knocker.close());
    await eventually(() => knocker.answered >= 30);
    await knocker.close();
    assert.equal(knocker.refused, 0, "nobody is sent to the edge that is no more");
    const newcomer = await player(dolphin.rtmpUrl("on-and-on"));
    t.after(() => newcomer.close());
    await newcomer.waitForMedia(10);
    await other.waitForMedia(other.media.length + 1);
    // Nobody can have what was not sent.
    const mostMs = maxGapMs + source.longestPauseMs;
    assert.ok(other.longestGapMs <= mostMs, `the viewer of the other edge waited ${other.longestGapMs} ms, of ${mostMs} at most`);
    assert.equal(source.connection.endedBy, null);

    const { processes } = await dolphin.status();
    assert.deepEqual(
      processes.filter(({ duty }) => duty === "edge").map(({ state, restarts }) => [state, restarts]),
      [
        ["failed", deathsAllowed - 1],
        ["up", 0],
      ],
    );
    assertOnlyChildren(dolphin.pid, [dolphin.pidOf("edge-2")]);
    dolphin.signal("SIGTERM");
    assert.deepEqual(await within(dolphin.ended, 6000, "the box to stop"), { code: 0, signal: null });
    assert.deepEqual(errors(dolphin), ["child.failed"]);
  });

  void test("ends the box with code 75 when there is no other", async (t) => {
    const dolphin = await Dolphin.start(t, { cores: 1 });
    await killEachLife(dolphin, "edge-1");
    assert.deepEqual(await within(dolphin.ended, 5000, "the box to give up"), { code: 75, signal: null });
    assert.deepEqual(errors(dolphin), ["child.failed", "dolphin.gave-up"]);
    await waitUntilGone(pidsOfAllLives(dolphin), 1000);
  });
});

/** Kills every life of a child until it is not started again. */
async function killEachLife(dolphin: Dolphin, name: string): Promise<void> {
  let from = 0;
  for (let deaths = 0; deaths < deathsAllowed; deaths++) {
    const { childPid } = await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 15_000 });
    from = dolphin.logLength;
    process.kill(Number(childPid), "SIGKILL");
  }
}

function pidsOfAllLives(dolphin: Dolphin): number[] {
  return dolphin.logLines(({ event }) => event === "child.started").map((line) => Number(line["childPid"]));
}

function errors(dolphin: Dolphin): (string | undefined)[] {
  return dolphin.logLines(({ level }) => level === "error" || level === "fatal").map(({ event }) => event);
}
