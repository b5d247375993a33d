// What the bench counts as the cost of a box: all processes, all threads, and those that ended meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { CpuMeter } from "../../../bench/meter/cpu-meter.js";
import { memoryOf } from "../../../bench/meter/memory.js";
import { processesOf } from "../../../bench/meter/process-tree.js";
import { start, type Child } from "../../helpers/child.js";
import { eventually } from "../../helpers/wait.js";

/** A program that does this and stays; it is ended with all that it has started. */
function running(t: { after(hook: () => void | Promise<void>): void }, script: string): Child {
  const child = start(process.execPath, ["-e", `${script}; setInterval(() => {}, 1e6)`]);
  t.after(async () => {
    for (const pid of processesOf({ roots: [child.pid], except: [] })) process.kill(pid, "SIGKILL");
    await child.ended;
  });
  return child;
}

/** Takes 400 ms of CPU, whatever else the machine does. */
const work = "const from = process.cpuUsage(); while (process.cpuUsage(from).user + process.cpuUsage(from).system < 4e5);";

test("bench: a tree is its roots and all that descend from them, without what is left out", async (t) => {
  const child = running(t, `const {spawn} = require("child_process"); console.log(spawn("sleep", ["60"]).pid)`);
  const grandchild = Number(await eventually(() => child.output() || null, { what: "the grandchild's number" }));
  assert.deepEqual(processesOf({ roots: [child.pid], except: [] }), [child.pid, grandchild]);
  assert.deepEqual(processesOf({ roots: [child.pid], except: [grandchild] }), [child.pid]);
  assert.deepEqual(processesOf({ roots: [process.pid], except: [child.pid] }), [process.pid]);
});

test("bench: the CPU of a tree is that of every process and every thread in it", async (t) => {
  const thread = `const {Worker} = require("worker_threads"); new Worker(${JSON.stringify(`${work}; setInterval(() => {}, 1e6)`)}, {eval: true})`;
  const grandchild = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(`${work}; console.log("done"); setInterval(() => {}, 1e6)`)}], {stdio: "inherit"})`;
  const child = running(t, `process.stdin.once("data", () => { ${thread}; ${grandchild}; ${work} })`);
  await pause(200);
  const tree = { roots: [child.pid], except: [] };
  const meter = new CpuMeter(tree);
  child.write("go\n");
  await eventually(() => child.output().includes("done"), { timeoutMs: 30_000, what: "the work to be done" });
  const { cpuMs, cpu, seconds } = meter.close();
  assert.ok(cpuMs > 790, `${cpuMs} ms`);
  assert.ok(Math.abs(cpu - cpuMs / 10 / seconds) < 1e-6);
  assert.ok(memoryOf(tree) > 20 * 2 ** 20);
});

test("bench: a process that ended within the window has left what it took", async (t) => {
  const brief = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(`${work}; setTimeout(() => {}, 1500)`)}]).on("exit", () => console.log("done"))`;
  const child = running(t, `process.stdin.once("data", () => { ${brief} })`);
  await pause(200);
  const meter = new CpuMeter({ roots: [child.pid], except: [] });
  child.write("go\n");
  await eventually(() => child.output().includes("done"), { timeoutMs: 30_000, what: "the process to end" });
  const { cpuMs } = meter.close();
  assert.ok(cpuMs > 390, `${cpuMs} ms`);
});
