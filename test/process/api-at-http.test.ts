// The API and the console on the port of HTTP streaming: SRS's one `listen` for both, dolphin's own directive, and the API over TLS.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import type { ApiAnswer } from "../helpers/api.js";
import { projectRoot } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { freePort } from "../helpers/ports.js";
import { show } from "../helpers/show.js";
import { within } from "../helpers/wait.js";

const remux = "vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }";
const pem = join(projectRoot, "test/fixtures/self-signed.pem");

/** Asks over TLS, and checks the certificate. */
function askTls(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const certificate = readFileSync(pem, "utf8");
    const checked = { ca: certificate, checkServerIdentity: () => undefined };
    const asked = request({ host: "127.0.0.1", port, path, ...checked }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve(text));
    });
    asked.on("error", reject).end();
  });
}

void test("on one port with streams the API answers, sends away and follows, whatever becomes of the admin", async (t) => {
  const dolphin = await Dolphin.start(t, {
    api: false,
    conf: (_, httpPort) =>
      `listen 1935; http_server { enabled on; listen ${httpPort}; } ${remux}
       http_api { enabled on; listen ${httpPort}; }`,
  });
  const base = `http://127.0.0.1:${dolphin.httpPort}`;
  const running = await show(t, dolphin, "s");
  const viewer = await watchFlv(dolphin.flvUrl("s"));
  await viewer.waitForMedia(10);
  const codeOf = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const response = await fetch(`${base}${path}`, init);
    return ((await response.json()) as { readonly code: number }).code;
  };
  assert.equal(await codeOf("/api/v1/versions"), 0);
  for (const path of ["/console/", "/players/srs_player.html?app=live&stream=s.flv"])
    assert.equal((await fetch(base + path)).status, 200, path);
  assert.ok((await (await fetch(`${base}/`)).text()).includes(`${base}/console/`), "the page at / leads there");

  const abort = new AbortController();
  const events = await fetch(`${base}/api/v1/dolphin/events`, { headers: { Accept: "text/event-stream" }, signal: abort.signal });
  assert.match(String(events.headers.get("content-type")), /event-stream/);
  process.kill(dolphin.pidOf("admin"), "SIGKILL");
  assert.equal(await codeOf("/api/v1/summaries"), 0, "the heir answers");
  abort.abort();
  await events.text().catch(() => undefined);

  const { clients: [flv] = [] } = (await (await fetch(`${base}/api/v1/clients/?type=flv-play`)).json()) as ApiAnswer;
  const path = `/api/v1/clients/${flv?.id}`;
  assert.equal(await codeOf(path, { method: "DELETE", headers: { "X-Forwarded-For": "203.0.113.7" } }), 403, "somebody behind a proxy");
  assert.equal(await codeOf(path, { method: "DELETE", headers: { Origin: "http://elsewhere.example" } }), 403, "a page elsewhere");
  // Who asks is told by the edge alone, whatever a client calls itself.
  assert.equal(await codeOf(path, { method: "DELETE", headers: { "X-Dolphin-Asker": "203.0.113.7" } }), 0);
  await within(viewer.ended, 5000, "the end of who was sent away");
  await running.goesOn();
  running.close();
  const isExpected = (code: unknown, event: unknown): boolean =>
    code === "RTMP_KICKED" || event === "api.refused" || event === "child.exited";
  await dolphin.stop({ allow: ({ code, event }) => isExpected(code, event) });
});

void test("a console on the port of viewers shows its numbers to this machine, and to others with the words of auth; TLS has a port of its own", async (t) => {
  const tlsPort = await freePort();
  const https = `https { enabled on; listen 127.0.0.1:${tlsPort}; key ${pem}; cert ${pem}; }`;
  const conf = (auth: string): string =>
    `listen 1935; http_server { enabled on; } ${remux} http_api { enabled on; ${https} ${auth} } dolphin { console_on_http on; }`;
  const dolphin = await Dolphin.start(t, { api: true, conf: conf("") });
  const statusOf = async (path: string, headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(`http://127.0.0.1:${dolphin.httpPort}${path}`, { headers })).status;
  const elsewhere = { "X-Forwarded-For": "203.0.113.7" };
  assert.deepEqual([await statusOf("/console/", elsewhere), await statusOf("/console/data/overview")], [200, 200]);
  for (const path of ["/console/data/overview", "/api/v1/clients/", "/api/v1/summaries"])
    assert.equal(await statusOf(path, elsewhere), 403, path);
  assert.equal(
    (await fetch(dolphin.apiUrl("/api/v1/summaries"), { headers: elsewhere })).status,
    200,
    "the API's own port is as open as SRS's",
  );
  assert.equal(await statusOf("/metrics"), 404);
  assert.match(await askTls(tlsPort, "/api/v1/versions"), /"code":0/);
  await dolphin.reload(conf("auth { enabled on; username u; password p; }"));
  assert.match(await askTls(tlsPort, "/api/v1/versions"), /401/);
  const words = { ...elsewhere, Authorization: `Basic ${Buffer.from("u:p").toString("base64")}` };
  assert.deepEqual([await statusOf("/console/data/overview", words), await statusOf("/console/data/overview")], [200, 401]);
  await dolphin.stop({ allow: ({ event }) => event === "api.refused" });
});
