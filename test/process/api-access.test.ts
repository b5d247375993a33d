// Who may ask the API and who may act over it, and what scripts and pages of other sites get. Each rule by itself is in
// test/unit/admin/http/access.test.ts.
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { askApi } from "../helpers/api.js";
import { Dolphin } from "../helpers/dolphin.js";

const vhost = "vhost __defaultVhost__ { }";

function conf(inside: string, dolphin = ""): (rtmp: number, http: number, api: number) => string {
  return (_rtmp, _http, api) => `listen 1935; http_api { enabled on; listen 127.0.0.1:${api}; ${inside} } dolphin { ${dolphin} } ${vhost}`;
}

async function statusOf(dolphin: Dolphin, path: string, options: RequestInit = {}): Promise<number> {
  const response = await fetch(dolphin.apiUrl(path), options);
  await response.arrayBuffer();
  return response.status;
}

/** fetch sets Host by itself. */
function statusAs(dolphin: Dolphin, host: string, method: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ port: dolphin.apiPort, host: "127.0.0.1", method, path, headers: { host } }, (response) =>
      resolve(response.resume().statusCode),
    );
    asked.once("error", reject).end();
  });
}

void test("with auth nothing is told without the words, and everything with them", async (t) => {
  const dolphin = await Dolphin.start(t, { api: false, cores: 1, conf: conf("auth { enabled on; username u; password p; }") });
  const right = { headers: { authorization: `Basic ${Buffer.from("u:p").toString("base64")}` } };
  for (const path of ["/api/v1/streams/", "/api/v1/dolphin/box", "/metrics", "/"]) {
    const response = await fetch(dolphin.apiUrl(path));
    assert.equal(response.status, 401, path);
    assert.match(response.headers.get("www-authenticate") ?? "", /^Basic realm=/);
    assert.equal(await statusOf(dolphin, path, right), 200, path);
  }
  assert.equal(await statusOf(dolphin, "/api/v1/dolphin/reload", { method: "POST" }), 401);
  assert.equal(await statusOf(dolphin, "/api/v1/dolphin/reload", { method: "POST", ...right }), 200);
  // The words are others from one moment to the next.
  dolphin.writeConf(conf("auth { enabled on; type bearer; token t; }")(0, 0, dolphin.apiPort));
  await dolphin.ask("reload");
  assert.equal(await statusOf(dolphin, "/api/v1/streams/", right), 401);
  assert.equal(await statusOf(dolphin, "/api/v1/streams/", { headers: { authorization: "Bearer t" } }), 200);
  await dolphin.stop({ allow: ({ code }) => code === "API_REFUSED" });
});

void test("who acts is this machine under its own name, or has the token", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, cores: 1 });
  const kick = "/api/v1/clients/nobody";
  assert.equal((await askApi(dolphin, kick, { method: "DELETE" })).code, 2049);
  for (const act of ["restart/nobody", "scale/0", "scale/1e1"]) {
    const refused = await fetch(dolphin.apiUrl(`/api/v1/dolphin/${act}`), { method: "POST" });
    assert.equal(refused.status, 409, `${act}: what was refused is no success`);
    assert.match(((await refused.json()) as { error: string }).error, /there is no process nobody|write a number/);
  }
  assert.equal(await statusAs(dolphin, "evil.example", "DELETE", kick), 403);
  assert.equal(await statusAs(dolphin, "evil.example", "GET", "/api/v1/clients/"), 200, "to look is open");
  assert.equal(await statusOf(dolphin, kick, { method: "DELETE", headers: { origin: "http://evil.example" } }), 403);
  assert.equal(await statusOf(dolphin, "/api/v1/raw?rpc=reload", { headers: { referer: "http://evil.example/" } }), 403, "a GET that acts");
  assert.equal(await statusOf(dolphin, "/api/v1/dolphin/restart", { method: "POST", headers: { "x-forwarded-for": "203.0.113.7" } }), 403);
  await dolphin.stop({ allow: ({ code }) => code === "API_REFUSED" });

  const guarded = await Dolphin.start(t, { api: false, cores: 1, conf: conf("", "api_token secret;") });
  assert.equal(await statusOf(guarded, kick, { method: "DELETE" }), 403);
  assert.equal((await askApi(guarded, kick, { method: "DELETE", headers: { authorization: "Bearer secret" } })).code, 2049);
  assert.doesNotMatch(JSON.stringify(guarded.logLines()), /secret/);
  await guarded.stop({ allow: ({ code }) => code === "API_REFUSED" });
});

void test("an answer is a script only where that is asked for, under a name that is one", async (t) => {
  const plain = await Dolphin.start(t, { api: true, cores: 1 });
  const response = await fetch(plain.apiUrl("/api/v1/versions?callback=show"));
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assert.deepEqual(((await response.json()) as { code: number }).code, 0);
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  const preflight = await fetch(plain.apiUrl("/api/v1/clients/"), { method: "OPTIONS" });
  assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-methods")], [200, "GET, HEAD, OPTIONS"]);
  await plain.stop();

  const scripts = await Dolphin.start(t, { api: false, cores: 1, conf: conf("", "api_jsonp on;") });
  const script = await fetch(scripts.apiUrl("/api/v1/versions?callback=a.b-c_1&method=DELETE"));
  assert.match(script.headers.get("content-type") ?? "", /^text\/javascript/);
  assert.match(await script.text(), /^\/\*\*\/a\.b-c_1\(\{"code":0.*\}\)\n$/);
  const letters = "<>\"'()[]{};=+/\\%&!$ \u0000\u2028é";
  for (let at = 0; at < 200; at++) {
    const name = Array.from({ length: 1 + (at % 7) }, (_, place) => letters[(at * 7 + place * 3) % letters.length]).join("");
    const answer = await fetch(scripts.apiUrl(`/api/v1/versions?${new URLSearchParams({ callback: name }).toString()}`));
    assert.equal(answer.status, 400, name);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
    assert.ok(!(await answer.text()).includes(name) || name.length < 2, "it is not sent back");
  }
  await scripts.stop();
});
