// The process that answers operators: whatever becomes of it costs no viewer anything, and the next request is answered.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askApi } from "../helpers/api.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { waitUntilGone } from "../helpers/processes.js";
import { show } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

/** Asks without a pause until it is stopped, and counts what was answered; a request that fails fails the test. */
function poll(dolphin: Dolphin, path: string): { stop(): Promise<number> } {
  const state = { isOver: false, count: 0 };
  const run = async (): Promise<void> => {
    for (; !state.isOver; state.count++) assert.equal((await askApi(dolphin, path)).code, 0);
  };
  const running = run();
  running.catch(() => undefined); // told by `stop`
  return {
    async stop() {
      state.isOver = true;
      await running;
      return state.count;
    },
  };
}

const isRestarted = async (dolphin: Dolphin): Promise<boolean> =>
  (await dolphin.status()).processes.some(({ name, state, restarts }) => name === "admin" && state === "up" && restarts > 0);

void test("an admin that dies or hangs costs nobody anything, and its heir answers who asks", async (t) => {
  const conf = `${promptConf} dolphin { heartbeat_timeout 2; }`;
  const dolphin = await Dolphin.start(t, { api: true, conf });
  const running = await show(t, dolphin, "s");
  assert.equal((await askApi(dolphin, "/versions")).code, 0);
  const first = dolphin.pids["admin"];
  assert.ok(first !== undefined);
  process.kill(first, "SIGKILL");
  assert.equal((await askApi(dolphin, "/versions")).code, 0, "it waits in the queue of the socket, which is the master's");
  await running.goesOn();
  await eventually(() => isRestarted(dolphin), { what: "an heir" });
  const pid = (await dolphin.status()).processes.find(({ name }) => name === "admin")?.pid;
  assert.ok(typeof pid === "number");
  process.kill(pid, "SIGSTOP");
  const asked = askApi(dolphin, "/versions");
  const reload = await dolphin.ask("reload");
  assert.match(reload, /nothing to do/, "nobody waits for it");
  await dolphin.waitFor("child.hung", { where: ({ child }) => child === "admin" });
  await asked.catch(() => undefined); // it was accepted by the process that hung, or not
  await dolphin.waitFor("child.ready", { where: ({ child, childPid }) => child === "admin" && ![first, pid].includes(Number(childPid)) });
  assert.equal((await askApi(dolphin, "/versions")).code, 0);
  await running.goesOn();
  running.close();
  await dolphin.stop({ allow: ({ event, child }) => (event === "child.exited" || event === "child.hung") && child === "admin" });
});

void test("requests are answered over restarts, reloads of its own directives and an upgrade", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, conf: promptConf });
  const running = await show(t, dolphin, "s");
  const polls = ["/streams/", "/clients/", "/summaries"].map((path) => poll(dolphin, path));
  assert.match(await dolphin.ask("restart"), /done/);
  const { pid } = (await dolphin.status()).processes.find(({ name }) => name.startsWith("admin")) ?? {};
  assert.notEqual(pid, dolphin.pids["admin"], "the admin was replaced, too");
  const before = dolphin.pid;
  assert.match(await dolphin.ask("upgrade"), /done/);
  await waitUntilGone([before], 10_000);
  for (const one of polls) assert.ok((await one.stop()) > 0);
  await running.goesOn();
  assert.equal((await askApi(dolphin, "/versions")).pid, String(dolphin.pid));
  running.close();
  await dolphin.stop();
});
