// Servers that register themselves, as SRS's origins do at an srs-proxy: plan b's proxies take them, and dolphin registers itself.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { packetsOf, publish } from "../helpers/ffmpeg.js";
import { freePort } from "../helpers/ports.js";
import { ownerOf } from "../helpers/planb.js";
import { eventually } from "../helpers/wait.js";

void test("a dolphin with a heartbeat registers itself at plan b's proxies, is sent streams, and is let go when it is silent", async (t) => {
  const conf = (_rtmp: number, _http: number, api: number): string =>
    `listen 1935; http_server { enabled on; listen 8080; } http_api { enabled on; listen 127.0.0.1:${api}; }
    dolphin { plan b; send_proxy off; } vhost __defaultVhost__ { }`;
  const front = await Dolphin.start(t, { cores: 1, api: false, conf });
  const api = front.apiPort;
  const guest = await Dolphin.start(t, {
    args: ["--plan", "single"],
    env: { SRS_DEVICE_IP: "127.0.0.1" },
    conf: `listen 1935; vhost __defaultVhost__ { } heartbeat { enabled on; interval 1; url http://127.0.0.1:${api}/api/v1/srs/register; ports on; }`,
  });
  const serversOf = async (): Promise<readonly string[]> =>
    ((await front.status()).balance?.servers ?? []).filter(({ isUp }) => isUp).map(({ name }) => name);
  const name = await eventually(async () => (await serversOf()).find((one) => one.startsWith("guest-")), { what: "the guest" });
  await front.ask("drain", "server-1");
  const encoder = publish(front.rtmpUrl("s"), { seconds: 60 });
  t.after(() => encoder.stop());
  await encoder.started;
  await eventually(async () => (await ownerOf(front, "s")) === name, { what: "the lease" });
  assert.ok((await packetsOf(front.rtmpUrl("s"), 1)).length > 10);
  assert.equal((await guest.status()).streams.length, 1);
  await encoder.stop();
  await guest.stop();
  await eventually(async () => !(await serversOf()).includes(name ?? ""), { what: "the guest to be gone", timeoutMs: 15_000 });
  await front.waitFor("guest.left", { timeoutMs: 15_000 });
  await front.stop({
    allow: ({ event, code }) => event === "guest.left" || event === "server.silent" || code?.startsWith("PROXY_") === true,
  });
});

void test("what registers is told what is wrong with it, and an srs-proxy is told of dolphin as SRS tells it", async (t) => {
  const bodies: string[] = [];
  const proxy = createServer((request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    request.on("end", () => {
      bodies.push(`${request.method ?? ""} ${request.url ?? ""} ${body}`);
      response.end('{"code":0,"pid":"1"}');
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => proxy.listen(port, "127.0.0.1", resolve));
  t.after(() => void proxy.close());
  const box = await Dolphin.start(t, {
    api: true,
    env: { SRS_DEVICE_IP: "10.1.2.3" },
    conf: `listen 1935; server_id vid-test; vhost __defaultVhost__ { } heartbeat { enabled on; interval 9; url http://127.0.0.1:${port}/api/v1/srs/register; device_id origin1; ports on; }`,
  });
  const [first = ""] = await eventually(() => (bodies.length > 0 ? bodies : null), { what: "the registration" });
  const told = JSON.parse(first.replace(/^POST \/api\/v1\/srs\/register /, "")) as Record<string, unknown>;
  const { service, ...rest } = told;
  assert.match(String(service), /^\w{8}$/);
  const ports = { rtmp: [String(box.rtmpPort)], http: [String(box.httpPort)], api: [String(box.apiPort)] };
  assert.deepEqual(rest, { device_id: "origin1", ip: "10.1.2.3", server: "vid-test", pid: String(box.pid), ...ports });
  const register = (body: string): Promise<Response> => fetch(box.apiUrl("/api/v1/srs/register"), { method: "POST", body });
  assert.equal((await register("no JSON")).status, 400);
  const refused = await register(JSON.stringify(told));
  assert.equal(refused.status, 409);
  assert.match(await refused.text(), /only plan b has proxies/);
  await box.stop();
});
