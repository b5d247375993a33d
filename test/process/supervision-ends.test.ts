// How a box ends: asked to, asked twice, with a child that does not answer, and by a kill that nothing can answer. Whatever
// way it goes, no process of it is left.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv, type FlvPlayer } from "../helpers/flv-reader.js";
import { assertOnlyChildren, freeze, waitUntilGone } from "../helpers/processes.js";
import { player, type RtmpPlayer, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { show } from "../helpers/show.js";
import { within } from "../helpers/wait.js";

const stopTimeoutMs = 5000;

for (const { what, args, frozen } of [
  { what: "", args: [], frozen: null },
  { what: ", not even one that is stopped", args: [], frozen: "edge-1" },
  { what: ", not even an origin of its own that is stopped", args: ["--origin-process", "child"], frozen: "origin" },
  { what: ", not even a server of plan b that is stopped", args: ["--plan", "b"], frozen: "server-1" },
]) {
  void test(`a master that is killed leaves no process behind${what}`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: promptConf, args });
    await watched(t, dolphin);
    if (frozen !== null) await freeze(dolphin.pids[frozen] ?? 0);
    dolphin.signal("SIGKILL");
    await waitUntilGone(Object.values(dolphin.pids), 3000);
  });
}

for (const what of ["a rolling restart", "an upgrade"]) {
  void test(`SIGTERM in the middle of ${what} ends everything with code 0`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: promptConf });
    await watched(t, dolphin);
    const from = dolphin.logLength;
    if (what === "an upgrade") void dolphin.ask("upgrade").catch(() => undefined);
    else dolphin.signal("SIGUSR2");
    await dolphin.waitFor("child.started", { from });
    dolphin.signal("SIGTERM");
    assert.deepEqual(await within(dolphin.ended, stopTimeoutMs, "the box to stop"), { code: 0, signal: null });
    const seen = dolphin.logLines().flatMap((line) => [line["pid"], line["childPid"]]);
    await waitUntilGone(
      [...new Set(seen)].filter((pid) => typeof pid === "number"),
      3000,
    );
    assert.deepEqual(
      dolphin.logLines(({ event }) => event === "process.crashed"),
      [],
    );
  });
}

for (const [signal, plan, stopped, other] of [
  ["SIGTERM", "a", "edge-1", "edge-2"],
  ["SIGINT", "a", "edge-1", "edge-2"],
  ["SIGTERM", "b", "proxy-1", "proxy-2"],
  ["SIGINT", "b", "server-1", "server-2"],
] as const) {
  void test(`${signal} ends a box of plan ${plan} with viewers within the bound, and with code 0`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--plan", plan] });
    const viewers = await watched(t, dolphin);
    dolphin.signal(signal);
    assert.deepEqual(await within(dolphin.ended, stopTimeoutMs, "the box to stop"), { code: 0, signal: null });
    for (const { ended } of viewers) await within(ended, 1000, "every viewer to be let go");
    await dolphin.assertCleanLog();
    const lives = dolphin.logLines(({ event }) => event === "child.exited").map(({ child, reason }) => `${child}: ${reason}`);
    const { master: _, ...children } = dolphin.pids;
    assert.deepEqual(
      lives.sort(),
      Object.keys(children)
        .map((name) => `${name}: exit 0`)
        .sort(),
      "children end by themselves",
    );
  });

  void test(`a second ${signal} ends a box of plan ${plan} at once, even with ${stopped} stopped`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--plan", plan] });
    await watched(t, dolphin);
    await freeze(dolphin.pids[stopped] ?? 0);
    dolphin.signal(signal);
    const atMs = Date.now();
    await dolphin.waitFor("child.exited", { where: ({ child }) => child === other });
    dolphin.signal(signal);
    assert.deepEqual(await within(dolphin.ended, 2000, "the box to end"), { code: 0, signal: null });
    assert.ok(Date.now() - atMs < stopTimeoutMs, "it did not wait for the bound of a single one");
    await dolphin.assertCleanLog({ allow: ({ event }) => event === "dolphin.killing" });
  });
}

void test("a single SIGTERM ends a box with an edge that is stopped, once the bound is over", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { stop_timeout 1; }` });
  await watched(t, dolphin);
  await freeze(dolphin.pids["edge-1"] ?? 0);
  dolphin.signal("SIGTERM");
  assert.deepEqual(await within(dolphin.ended, 3500, "the box to end"), { code: 0, signal: null });
  await dolphin.assertCleanLog();
});

void test("signals that a terminal or an operator sends to the children instead of the master end nothing", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--origin-process", "child"] });
  const viewers = await watched(t, dolphin);
  const children = Object.entries(dolphin.pids).flatMap(([name, pid]) => (name === "master" ? [] : [pid]));
  // A terminal sends its SIGINT to all, but what it means is the master's to say.
  for (const pid of children) for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"]) process.kill(pid, signal);
  await allGoOn(viewers);
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
    await allGoOn(viewers);
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
  await allGoOn(viewers);
  for (const one of [source.connection, ...viewers]) one.close();
  for (const edge of ["edge-1", "edge-2"]) {
    await dolphin.waitFor("child.exited", { where: ({ child, reason }) => child === edge && reason === "exit 0" });
  }
  assert.equal((await dolphin.status()).processes.length, 3);
  await dolphin.stop();
});

void test("QUIT takes connections for a while, lets the viewers finish, and ends when the last has left", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} grace_start_wait 1000; grace_final_wait 100;` });
  const { source, viewers } = await showAt(t, dolphin);
  dolphin.signal("SIGQUIT");
  await dolphin.waitFor("dolphin.quitting");
  const late = await player(dolphin.rtmpUrl("show"));
  await late.waitForMedia(5);
  await dolphin.waitFor("dolphin.draining");
  await allGoOn(viewers);
  for (const one of [source.connection, late, ...viewers]) one.close();
  assert.deepEqual(await within(dolphin.ended, 10_000, "the box to end"), { code: 0, signal: null });
  await dolphin.assertCleanLog();
});

type Viewers = readonly (RtmpPlayer | FlvPlayer)[];

/** A show that is watched over HTTP-FLV, too; returns the viewers once all of them have media. */
async function watched(t: TestContext, dolphin: Dolphin): Promise<Viewers> {
  return (await showAt(t, dolphin)).viewers;
}

async function showAt(t: TestContext, dolphin: Dolphin): Promise<{ readonly source: RtmpPublisher; readonly viewers: Viewers }> {
  const { source, viewers } = await show(t, dolphin, "show");
  const flv = await watchFlv(dolphin.flvUrl("show"));
  t.after(() => flv.close());
  await flv.waitForMedia(10);
  return { source, viewers: [...viewers, flv] };
}

async function allGoOn(viewers: Viewers): Promise<void> {
  await Promise.all(viewers.map((one) => one.waitForMedia(one.media.length + 25)));
}
