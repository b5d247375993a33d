// Signals that do not end a box, or not yet: to the master HUP, USR1, USR2 and QUIT, and any to its children. Who watches goes on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { waitForMore } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { assertOnlyChildren } from "../helpers/processes.js";
import { player } from "../helpers/rtmp-client.js";
import { within } from "../helpers/wait.js";
import { showAt, watched } from "../helpers/watched.js";

void test("signals that a terminal or an operator sends to the children instead of the master end nothing", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--origin-process", "child"] });
  const viewers = await watched(t, dolphin);
  const children = Object.entries(dolphin.pids).flatMap(([name, pid]) => (name === "master" ? [] : [pid]));
  // A terminal sends its SIGINT to all, but what it means is the master's to say.
  for (const pid of children) for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"]) process.kill(pid, signal);
  await waitForMore(viewers, 25);
  const { processes } = await dolphin.status();
  assert.deepEqual(
    processes.map(({ pid, state, restarts, isStale }) => ({ pid, state, restarts, isStale })),
    Object.values(dolphin.pids).map((pid) => ({ pid, state: "up", restarts: 0, isStale: false })),
  );
  assertOnlyChildren(dolphin.pid, children);
  await dolphin.stop();
});

for (const [plan, args] of [
  ["a", ["--origin-process", "child"]],
  ["b", ["--plan", "b"]],
] as const) {
  void test(`HUP without a change, and USR1, disturb nobody on plan ${plan}`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: promptConf, args });
    const viewers = await watched(t, dolphin);
    dolphin.signal("SIGHUP");
    await dolphin.waitFor("reload.unchanged");
    dolphin.signal("SIGUSR1");
    await dolphin.waitFor("log.reopened");
    await waitForMore(viewers, 25);
    await dolphin.stop();
  });
}

void test("USR2 replaces the edges one by one; without carry_sessions the old ones serve their viewers on until they leave", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { carry_sessions off; }` });
  const { source, viewers } = await showAt(t, dolphin);
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted");
  const { processes } = await dolphin.status();
  assert.deepEqual(
    processes.map(({ name, state }) => `${name} ${state}`),
    ["master up", "edge-1 draining", "edge-2 draining", "edge-1.2 up", "edge-2.2 up"],
  );
  await waitForMore(viewers, 25);
  for (const one of [source.connection, ...viewers]) one.close();
  for (const edge of ["edge-1", "edge-2"]) {
    await dolphin.waitFor("child.exited", { where: ({ child, reason }) => child === edge && reason === "exit 0" });
  }
  assert.equal((await dolphin.status()).processes.length, 3);
  await dolphin.stop();
});

void test("QUIT takes connections for a while, lets the viewers finish, and ends when the last has left", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} grace_start_wait 2000; grace_final_wait 100;` });
  const { source, viewers } = await showAt(t, dolphin);
  dolphin.signal("SIGQUIT");
  await dolphin.waitFor("dolphin.quitting");
  const late = await player(dolphin.rtmpUrl("show"));
  await late.waitForMedia(5);
  await dolphin.waitFor("dolphin.draining");
  await waitForMore(viewers, 25);
  for (const one of [source.connection, late, ...viewers]) one.close();
  assert.deepEqual(await within(dolphin.ended, 10_000, "the box to end"), { code: 0, signal: null });
  await dolphin.assertCleanLog();
});
