// The process that answers operators: whatever becomes of it costs no viewer anything, and the next request is answered.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { askApi } from "../helpers/api.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { waitUntilGone } from "../helpers/processes.js";
import { show } from "../helpers/show.js";
import { eventually, within } from "../helpers/wait.js";

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

void test("the API comes, moves and goes by a reload, and no viewer's process is replaced for it", async (t) => {
  const conf = (api: string): string => `${promptConf} ${api}`;
  const dolphin = await Dolphin.start(t, {
    api: false,
    conf: (_rtmp, _http, port) => conf(`http_api { enabled on; listen 127.0.0.1:${port}; }`),
  });
  const running = await show(t, dolphin, "s");
  const edges = { "edge-1": dolphin.pids["edge-1"], "edge-2": dolphin.pids["edge-2"] };
  assert.equal((await askApi(dolphin, "/versions")).code, 0);
  dolphin.writeConf(conf("http_api { enabled off; }"));
  await dolphin.ask("reload");
  await eventually(
    () =>
      fetch(dolphin.apiUrl("/")).then(
        () => false,
        () => true,
      ),
    { what: "nobody to answer" },
  );
  dolphin.writeConf(conf(`http_api { enabled on; listen 127.0.0.1:${dolphin.apiPort}; raw_api { enabled on; allow_reload on; } }`));
  await dolphin.ask("reload");
  assert.equal((await askApi(dolphin, "/raw?rpc=reload")).code, 0);
  await eventually(async () => (await askApi(dolphin, "/raw?rpc=reload-fetch")).data?.["msg"] === "Success", {
    what: "a reload that was asked for",
  });
  const { processes } = await dolphin.status();
  for (const [name, pid] of Object.entries(edges)) assert.equal(processes.find((one) => one.name === name)?.pid, pid);
  await running.goesOn();
  running.close();
  await dolphin.stop();
});

void test("a busy port keeps a box from serving only where somebody asked for the API there", async (t) => {
  const first = await Dolphin.start(t, { api: true, cores: 1 });
  const taken = { env: { SRS_HTTP_API_LISTEN: `127.0.0.1:${first.apiPort}` }, cores: 1 };
  const second = await Dolphin.start(t, { ...taken, api: false });
  const [told] = second.logLines(({ event }) => event === "api.lacking");
  assert.match(String(told?.msg), /the box serves without the HTTP API/);
  assert.equal(
    (await second.status()).processes.some(({ name }) => name === "admin"),
    false,
  );
  await second.stop();
  const asked = Dolphin.start(t, { args: ["--api", `127.0.0.1:${first.apiPort}`], api: false, cores: 1 });
  await assert.rejects(asked, /"code":98/);
  await first.stop();
});

void test("what is no request, or too much of one, is refused, and others are answered meanwhile", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, cores: 1 });
  const say = (text: string): Promise<string> =>
    within(
      new Promise((resolve) => {
        let answer = "";
        const socket = connect(dolphin.apiPort, "127.0.0.1", () => socket.write(text));
        socket.on("data", (bytes) => (answer += bytes.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(answer));
      }),
      5000,
      "the connection to be closed",
    );
  const statusOf = async (text: string): Promise<string> => (await say(text)).slice(9, 12);
  assert.equal(await statusOf("nonsense\r\n\r\n"), "400");
  assert.equal(await statusOf(`GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), "431");
  assert.equal(await statusOf(`POST /api/v1/clusters HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`), "413");
  assert.equal(await statusOf("GET http:// HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "400");
  for (const path of [
    "/api/v1/clients/%00",
    "/api/v1/streams/%",
    "/api/v1/__proto__",
    "/api/v1/constructor/",
    "/..%2f..%2fetc/passwd",
    "/api/v1/dolphin/__proto__",
  ]) {
    assert.ok((await fetch(dolphin.apiUrl(path))).status < 500, path);
  }
  assert.equal((await askApi(dolphin, "/versions")).code, 0);
  await dolphin.stop({ allow: ({ code }) => code === "API_REFUSED" });
});
