// How a box ends: asked to, asked twice, with a child that does not answer, and by a kill that nothing can answer. Whatever
// way it goes, no process of it is left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { freeze, waitUntilGone } from "../helpers/processes.js";
import { within } from "../helpers/wait.js";
import { watched } from "../helpers/watched.js";

const stopTimeoutMs = 10_000;

for (const { what, args, frozen } of [
  { what: "", args: [], frozen: null },
  { what: ", not even one that is stopped", args: [], frozen: "edge-1" },
  { what: ", not even an origin of its own that is stopped", args: ["--origin-process", "child"], frozen: "origin" },
  { what: ", not even a server of plan b that is stopped", args: ["--plan", "b"], frozen: "server-1" },
]) {
  void test(`a master that is killed leaves no process behind${what}`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: promptConf, args });
    await watched(t, dolphin);
    if (frozen !== null) await freeze(dolphin.pidOf(frozen));
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
    // A single one would be waited for far beyond what this test waits.
    const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { stop_timeout 120; }`, args: ["--plan", plan] });
    await watched(t, dolphin);
    await freeze(dolphin.pidOf(stopped));
    dolphin.signal(signal);
    await dolphin.waitFor("child.exited", { where: ({ child }) => child === other });
    dolphin.signal(signal);
    assert.deepEqual(await within(dolphin.ended, 10_000, "the box to end"), { code: 0, signal: null });
    await dolphin.assertCleanLog({ allow: ({ event }) => event === "dolphin.killing" });
  });
}

void test("a single SIGTERM ends a box with an edge that is stopped, once the bound is over", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { stop_timeout 1; }` });
  await watched(t, dolphin);
  await freeze(dolphin.pidOf("edge-1"));
  dolphin.signal("SIGTERM");
  assert.deepEqual(await within(dolphin.ended, 3500, "the box to end"), { code: 0, signal: null });
  await dolphin.assertCleanLog();
});
