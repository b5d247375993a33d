// Servers of plan b that never serve, that end at once, and that leave processes of their own: none of it costs a stream or stays.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isRunning } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { temporaryFolder } from "../helpers/launch.js";
import { oddServer, provoked, publishAndPlay } from "../helpers/planb.js";
import { eventually } from "../helpers/wait.js";

void test("a server that accepts and says nothing, or listens on nothing, never enters the balance", async (t) => {
  for (const how of ["silent", "refuse"]) {
    const folder = temporaryFolder(t);
    // Slot 1 serves; slot 2 does not.
    writeFileSync(join(folder, "serve-1"), "");
    const script = join(folder, "server.mjs");
    writeFileSync(script, `process.argv[3] = process.argv[3] === "1" ? "serve" : "${how}"; await import("${oddServer}");`);
    const dolphin = await Dolphin.start(t, {
      args: ["--server", `${process.execPath} ${script} {rtmp_port} {slot}`, "--http", "off"],
      readyWhen: ({ child }) => child === "server-1",
    });
    await dolphin.waitFor("child.ready", { where: ({ child }) => child === "proxy-1" });
    await dolphin.waitFor("child.ready", { where: ({ child }) => child === "proxy-2" });
    for (const name of ["a", "b", "c"]) {
      const { source, viewer } = await publishAndPlay(t, dolphin, name);
      await viewer.waitForMedia(2);
      source.close();
      viewer.close();
    }
    assert.equal(dolphin.logLines(({ event, child }) => event === "child.ready" && child === "server-2").length, 0);
    await dolphin.stop({ allow: provoked });
  }
});

void test("servers that end at once make dolphin give up with 75, and their words are in its log", async (t) => {
  const dolphin = await Dolphin.start(t, {
    args: ["--server", `${process.execPath} ${oddServer} {rtmp_port} exit`, "--http", "off"],
    readyWhen: ({ child }) => child === "proxy-1",
  });
  assert.deepEqual((await dolphin.ended).code, 75);
  assert.deepEqual(
    dolphin.logLines(({ event }) => event === "dolphin.ready"),
    [],
    "it never served",
  );
  assert.ok(dolphin.logLines(({ event, msg }) => event === "server.output" && msg?.startsWith("odd server, exit") === true).length >= 5);
});

void test("nothing is left of servers and what they started, whichever way dolphin ends", async (t) => {
  for (const [signal, losesGuard] of [
    ["SIGTERM", false],
    ["SIGKILL", false],
    ["SIGKILL", true],
  ] as const) {
    const dolphin = await Dolphin.start(t, { args: ["--server", `${process.execPath} ${oddServer} {rtmp_port} serve`, "--http", "off"] });
    const grandchildren = await eventually(
      () => {
        const lines = dolphin.logLines(({ event, msg }) => event === "server.output" && msg?.startsWith("grandchild") === true);
        return lines.length === 2 ? lines.map(({ msg }) => Number(msg?.split(" ")[1])) : null;
      },
      { what: "the words of both servers" },
    );
    const pids = [...grandchildren, ...Object.values(dolphin.pids)];
    assert.ok(pids.every(isRunning));
    const guards = shellsOf(dolphin.pid);
    assert.equal(guards.length, 1);
    if (losesGuard) {
      process.kill(guards[0]!, "SIGKILL");
      await dolphin.waitFor("guard.lost");
      await eventually(() => shellsOf(dolphin.pid).some((pid) => !guards.includes(pid)), { what: "another guard" });
    }
    pids.push(...shellsOf(dolphin.pid));
    dolphin.signal(signal);
    await dolphin.ended;
    await eventually(() => !pids.some(isRunning), { timeoutMs: 3000, what: `all of ${pids.join(", ")} to be gone after ${signal}` });
  }
});

/** The shells that a process has started. */
function shellsOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [, name, ppid] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        return name === "sh" && Number(ppid) === parent;
      } catch {
        return false; // gone while we looked
      }
    });
}
