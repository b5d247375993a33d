import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { apiRouteOf, type ApiServer } from "../../../../src/proxy/http/api.js";
import { temporaryFolder } from "../../../helpers/launch.js";
import { ask, startBackend, startProxy } from "./rig.js";

const server = (number: number, isPublic: boolean, port = 1985 + number): ApiServer => ({
  name: `server-${number}`,
  api: { endpoint: { host: "127.0.0.1", port }, isPublic },
});
const [here, apart] = [
  [server(1, true), server(2, true)],
  [server(1, false), server(2, false)],
];

interface Answer {
  readonly code: number;
  readonly error: string;
  readonly servers: readonly { readonly server: string; readonly api: string }[];
}

function answered(target: string, servers: readonly ApiServer[]): Answer {
  const route = apiRouteOf(target, servers);
  assert.ok(route !== null && "answer" in route, JSON.stringify(route));
  return JSON.parse(route.answer) as Answer;
}

test("api: a request that names a server goes to it, where the servers' file puts the API on the public port", () => {
  for (const target of [
    "/api/v1/streams?server=2",
    "/api/v1/clients/abc?a=b&server=server-2",
    "http://h:8080/api/v1/summaries?server=2",
    "/api/?server=2",
  ]) {
    assert.deepEqual(apiRouteOf(target, here), { server: "server-2" }, target);
  }
});

test("api: without a name, or with one of nobody, the answer says where each is", () => {
  const { code, error, servers } = answered("/api/v1/versions", here);
  assert.equal(code, 404);
  assert.match(error, /add \?server=1$/);
  assert.deepEqual(servers, [
    { server: "server-1", api: "http://127.0.0.1:1986" },
    { server: "server-2", api: "http://127.0.0.1:1987" },
  ]);
  assert.equal(answered("/api/v1/versions?server=9", here).error, "there is no server 9");
});

test("api: one that the file puts on another port is not opened on this one, and the answer says how it would be", () => {
  for (const target of ["/api/v1/clients/abc?server=1", "/api/v1/versions"]) {
    const { code, error, servers } = answered(target, apart);
    assert.deepEqual([code, servers.length], [404, 2]);
    assert.match(error, /it is here too, by \?server=1, when http_api and http_server listen on one port/);
  }
});

test("api: everything else is none of its business", () => {
  for (const target of ["/", "/apis/x", "/live/s.flv?server=1", "/live/api/v1", "/%61pi/v1/versions?server=1", "*", "http://"]) {
    assert.equal(apiRouteOf(target, here), null, target);
  }
  assert.equal(apiRouteOf("/api/v1/versions?server=1", [{ name: "server-1", api: null }]), null, "there is no API");
});

test("api: through a proxy a request and its answer pass whole, on a connection that streams use too", async (t) => {
  const two = await startBackend(t, "server-2", (request, response) => response.end(`${request.method} ${request.url}`));
  const rig = await startProxy(t, [two.target]);
  rig.servers.apis = [server(1, true, 1), server(2, true, two.target.http?.port)];
  const passed = await ask(rig.port, { path: "/api/v1/clients/x?server=2", method: "DELETE" });
  assert.deepEqual([passed.status, passed.body], [200, "DELETE /api/v1/clients/x?server=2"]);
  const told = await ask(rig.port, { path: "/api/v1/clients/x", method: "POST", body: "{}" });
  assert.deepEqual([told.status, told.headers["content-type"]], [404, "application/json; charset=utf-8"]);
  assert.equal((JSON.parse(told.body) as Answer).servers.length, 2);
  assert.equal((await ask(rig.port, { path: "/api/v1/versions?server=1" })).status, 502, "nobody else knows what that server knows");
  assert.equal(rig.servers.total, 0);
});

test("api: the console and the API are the admin's where they are asked for, and a server's own API stays its own", async (t) => {
  const door = `${temporaryFolder(t)}/1935.sock.admin`;
  const admin = createServer(({ url, headers }, response) => response.end(`admin ${url} asked by ${String(headers["x-dolphin-asker"])}`));
  await new Promise<void>((resolve) => admin.listen(door, resolve));
  t.after(() => void admin.close());
  const { target } = await startBackend(t, "server-1", ({ url }, response) => response.end(`server ${url}`));
  const { port, servers } = await startProxy(t, [target], { operators: { door, at: "console" } });
  const bodyOf = async (path: string): Promise<string> => (await ask(port, { path, headers: { "X-Dolphin-Asker": "me" } })).body;
  for (const path of ["/console/", "/api/v1/summaries?a=b"]) assert.equal(await bodyOf(path), `admin ${path} asked by 127.0.0.1`);
  assert.equal(await bodyOf("/metrics"), "server /metrics");
  servers.apis = apart;
  assert.equal(await bodyOf("/api/v1/versions"), "admin /api/v1/versions asked by 127.0.0.1");
  servers.apis = [{ name: "server-1", api: { endpoint: target.http ?? target.rtmp, isPublic: true } }];
  assert.equal(await bodyOf("/api/v1/versions?server=1"), "server /api/v1/versions?server=1");
  assert.equal(await bodyOf("/console/"), "admin /console/ asked by 127.0.0.1");
});
