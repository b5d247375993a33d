// Where the API is served: its port comes and goes by a reload, may be taken, and stands what is no request.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { askApi } from "../helpers/api.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { show } from "../helpers/show.js";
import { eventually, within } from "../helpers/wait.js";

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
