// FLV over WebSocket on the path of HTTP-FLV: the same tags, a frame a batch, on every plan; and its viewers outlive the process
// that serves them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertGoOn, assertUnbroken, closeAll, inLull, mediaOf } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { untilKept } from "../helpers/carried.js";
import { Dolphin } from "../helpers/dolphin.js";
import { steadyPublisherAt } from "../helpers/edges.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { steadyPublisher } from "../helpers/show.js";
import { watchWebSocket, type WebSocketPlayer } from "../helpers/ws-flv.js";
import { eventually, within } from "../helpers/wait.js";

const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
const conf = (more: string): string => `listen 1935; http_server { enabled on; listen 8080; } vhost __defaultVhost__ { ${remux} } ${more}`;

for (const [name, args, block] of [
  ["plan a", ["--plan", "a"], ""],
  ["plan b, routing stream", ["--plan", "b"], "routing stream;"],
] as const) {
  void test(`${name}: a viewer over WebSocket gets what one over HTTP-FLV gets, is answered, and is told of the end`, async (t) => {
    const dolphin = await Dolphin.start(t, { args, conf: conf(`dolphin { http_flv_wait 1; play_wait 1; ${block} }`) });
    const source = await steadyPublisher(t, dolphin, "s");
    const [ws, flv] = await Promise.all([watchWebSocket(`${dolphin.flvUrl("s")}?token=1`), watchFlv(dolphin.flvUrl("s"))]);
    const none = watchWebSocket(dolphin.flvUrl("nobody"), { timeoutMs: 15_000 });
    for (const viewer of [ws, flv]) await viewer.waitForMedia(60);
    assert.deepEqual(ws.flags, flv.flags);
    assertUnbroken(ws);
    const times = new Set(mediaOf(flv).map(({ timestamp }) => timestamp));
    assert.ok(mediaOf(ws).filter(({ timestamp }) => times.has(timestamp)).length > 30, "the times are those of the stream");
    assert.ok(ws.frames.length < ws.tags.length / 3, `${ws.tags.length} tags came in ${ws.frames.length} frames`);
    ws.say(0x89, Buffer.from("are you there"));
    await eventually(() => ws.pongs.includes("are you there"), { what: "the answer to a ping" });
    assert.equal((await dolphin.status()).streams.find(({ stream }) => stream === "s")?.players, 2);

    const old = await watchWebSocket(dolphin.flvUrl("s"), { headers: { "Sec-WebSocket-Version": "8" } });
    assert.deepEqual([old.status, old.headers["sec-websocket-version"]], [426, "13"]);
    assert.equal((await watchWebSocket(dolphin.flvUrl("s"), { headers: { "Sec-WebSocket-Key": "x" } })).status, 400);
    // Who asks for another protocol gets what he would get without.
    const h2c = await watchFlv(dolphin.flvUrl("s"), {
      headers: { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "x" },
    });
    await h2c.waitForMedia(10);
    h2c.close();

    const left = await watchWebSocket(dolphin.flvUrl("s"));
    await left.waitForMedia(10);
    left.say(0x88, Buffer.of(3, 232));
    assert.equal(await within(left.ended, 5000, "the end of who has said goodbye"), "complete");
    source.close();
    assert.equal((await none).status, 404);
    await within(ws.ended, 10_000, "the end");
    assert.equal(ws.closedWith, 1001);
    flv.close();
    await dolphin.stop({ allow: ({ code }) => code === "FLV_REQUEST" });
  });
}

void test("with crossdomain off a page of another site gets no WebSocket, for a browser would not ask first", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("").replace("8080;", "8080; crossdomain off;") });
  await steadyPublisher(t, dolphin, "s");
  assert.equal((await watchWebSocket(dolphin.flvUrl("s"), { headers: { Origin: "http://evil.test" } })).status, 403);
  const own = await watchWebSocket(dolphin.flvUrl("s"), { headers: { Origin: `http://127.0.0.1:${dolphin.httpPort}` } });
  await own.waitForMedia(10);
  own.close();
  await dolphin.stop({ allow: ({ code }) => code === "FLV_REQUEST" });
});

void test("who breaks the rules of WebSocket, or does not read, costs nobody else anything", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("") });
  await steadyPublisher(t, dolphin, "s");
  const healthy = await watchWebSocket(dolphin.flvUrl("s"));
  for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.of(0x89, 0), Buffer.alloc(100_000, 0xff)]) {
    const from = dolphin.logLength;
    const rude = await watchWebSocket(dolphin.flvUrl("s"));
    await rude.waitForMedia(5);
    rude.sayRaw(bytes);
    await within(rude.ended, 5000, "its end");
    assert.equal((await dolphin.waitFor("flv.closed", { from })).code, "FLV_REQUEST");
  }
  const count = healthy.media.length;
  await healthy.waitForMedia(count + 50);
  assertUnbroken(healthy);
  healthy.close();
  await dolphin.stop({ allow: ({ code }) => code === "FLV_REQUEST" });
});

void test("viewers over WebSocket go on in another process, through a kill and a rolling restart, and are still answered", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const source = await steadyPublisherAt(t, dolphin, "edge-2", "show");
  const viewers: WebSocketPlayer[] = [];
  for (let count = 0; count < 6; count++) viewers.push(await watchWebSocket(dolphin.flvUrl("show")));
  t.after(() => closeAll(viewers));
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(40)));
  await untilKept(dolphin, viewers.length);
  await inLull(dolphin, source, viewers, () => process.kill(dolphin.pidOf("edge-1"), "SIGKILL"));
  await assertGoOn(viewers, 40);
  const from = dolphin.logLength;
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted", { from, timeoutMs: 20_000 });
  await assertGoOn(viewers, 40);
  for (const viewer of viewers) viewer.say(0x89, Buffer.from("still"));
  await eventually(() => viewers.every(({ pongs }) => pongs.includes("still")), { what: "the answers of the new processes" });
  closeAll(viewers);
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
});
