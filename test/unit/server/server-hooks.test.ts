import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { maxEarlyBytes } from "../../../src/server/rtmp/publishing.js";
import { HookBackend, type HookCall } from "../../helpers/hook-backend.js";
import { headers, pictures, videoFrame } from "../../helpers/media.js";
import { player, publisher } from "../../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../../helpers/rtmp-connection.js";
import { eventually } from "../../helpers/wait.js";
import { moverTo } from "./moving-rig.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
const vhost = (inside: string): string => `vhost __defaultVhost__ { min_latency on; ${remux} ${inside} }`;

/** What a hook tells, without what differs from run to run. */
function told({ body }: HookCall, rig: Rig): Record<string, unknown> {
  const { client_id: clientId, tcUrl, ...rest } = body;
  assert.match(String(clientId), /^[\w-]{8}$/);
  return { ...rest, ...(tcUrl === undefined ? {} : { tcUrl: String(tcUrl).replace(rig.address, "HOST") }) };
}

/** The status line of an answer to GET, and the whole of it when the server has ended it. */
function get(url: string, isEnough = (_text: string): boolean => false): Promise<string> {
  const { port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x.com\r\n\r\n`));
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (isEnough(text)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

test("server: hooks tell what SRS's do, member by member and in its order", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const source = await publisher(rig.rtmpUrl("s?token=abc&t=1"));
  const viewer = await player(rig.rtmpUrl("s?k=2"), { connectArguments: { pageUrl: "http://page/" } });
  viewer.close();
  await site.waitFor("on_close");
  source.close();
  await site.waitFor("on_close", 2);
  const common = { server_id: "vid-0000000", service_id: "00000000", ip: "127.0.0.1", vhost: "__defaultVhost__", app: "live" };
  const stream = { stream_url: "/live/s", stream_id: site.of("on_publish")[0]?.body["stream_id"] };
  assert.match(String(stream.stream_id), /^vid-[0-9a-z]{7}$/);
  const tcUrl = "rtmp://HOST/live";
  const published = { ...common, tcUrl, stream: "s", param: "?token=abc&t=1", ...stream };
  const played = { ...common, stream: "s", tcUrl, param: "?k=2", pageUrl: "http://page/", ...stream, clients: 1 };
  assert.deepEqual(
    site.calls.map((call) => told(call, rig)),
    [
      { ...common, action: "on_connect", stream: "s", param: "?token=abc&t=1", tcUrl, pageUrl: "" },
      { ...published, action: "on_publish" },
      { ...common, action: "on_connect", stream: "s", param: "?k=2", tcUrl, pageUrl: "http://page/" },
      { ...played, action: "on_play" },
      { ...common, action: "on_stop", tcUrl, stream: "s", param: "?k=2", ...stream, clients: 0 },
      { ...common, action: "on_close", ...bytesOf(site.of("on_close")[0]) },
      { ...published, action: "on_unpublish" },
      { ...common, action: "on_close", ...bytesOf(site.of("on_close")[1]) },
    ],
  );
  const names = (action: string): string[] => Object.keys(site.of(action)[0]!.body);
  const first = ["server_id", "service_id", "action", "client_id", "ip", "vhost", "app"];
  assert.deepEqual(names("on_connect"), [...first, "stream", "param", "tcUrl", "pageUrl"]);
  assert.deepEqual(names("on_close"), [...first, "send_bytes", "recv_bytes"]);
  assert.deepEqual(names("on_publish"), [...first, "tcUrl", "stream", "param", "stream_url", "stream_id"]);
  assert.deepEqual(names("on_play"), [...first, "stream", "tcUrl", "param", "pageUrl", "stream_url", "stream_id", "clients"]);
  assert.equal(site.calls[0]?.headers["content-type"], "application/json");
  assert.ok(Number(site.of("on_close")[0]?.body["recv_bytes"]) > 3000, "the handshake has been read");
});

function bytesOf(call: HookCall | undefined): Record<string, unknown> {
  return { send_bytes: call?.body["send_bytes"], recv_bytes: call?.body["recv_bytes"] };
}

test("server: over HTTP-FLV a player is asked about once and told of once, and a no is 403", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  encoder.send(1);
  assert.match(await get(rig.flvUrl("s?k=1"), (text) => text.includes("FLV")), /^HTTP\/1.1 200/);
  const { body } = await site.waitFor("on_stop");
  assert.deepEqual(site.actions(body["client_id"]), ["on_play", "on_stop"]);
  assert.deepEqual([body["tcUrl"], body["param"], body["stream"]], ["rtmp://__defaultVhost__/live", "?k=1", "s"]);
  const started = rig.lines.find(({ event, protocol }) => event === "play.started" && protocol === "flv");
  assert.equal(started?.conn, body["client_id"]);
  site.answer = () => "1";
  assert.match(await get(rig.flvUrl("s")), /^HTTP\/1.1 403 Forbidden\r\n/);
  assert.equal(site.of("on_stop").length, 1);
  await site.stop();
  assert.match(await get(rig.flvUrl("s")), /^HTTP\/1.1 403 Forbidden\r\n/);
  const reasons = rig.lines.filter(({ event }) => event === "http.refused").map(({ code }) => code);
  assert.deepEqual(reasons, ["HOOK_REFUSED", "HOOK_FAILED"]);
});

for (const action of ["on_connect", "on_publish"] as const) {
  test(`server: an encoder that ${action} refuses is told so and nothing of it reaches a viewer`, async (t) => {
    const site = await HookBackend.start(t);
    const rig = await startServer(t, vhost(site.all));
    const viewer = await watch(t, rig.rtmpUrl("s"));
    site.answer = (call) => (call.action === action ? "1" : "0");
    await assert.rejects(publisher(rig.rtmpUrl("s")), /NetStream.Publish.Denied.*the backend of this site refused it \(on_/);
    assert.deepEqual(viewer.media, []);
    assert.equal(rig.stream("s")?.state, "wait");
    await rig.server.close("now");
    assert.equal(site.of("on_unpublish").length, 0);
  });
}

for (const action of ["on_connect", "on_play"] as const) {
  test(`server: a player that ${action} refuses is told so before anything else`, async (t) => {
    const site = await HookBackend.start(t);
    const rig = await startServer(t, vhost(site.all));
    site.answer = (call) => (call.action === action ? '{"code":7,"msg":"secret"}' : "0");
    const url = parseRtmpUrl(rig.rtmpUrl("s"));
    const connection = await RtmpConnection.open(url);
    await connection.call("createStream", []);
    connection.command("play", ["s"], { streamId: 1 });
    await connection.ended;
    const statuses = connection.commands.filter(({ name }) => name === "onStatus").map(({ values }) => JSON.stringify(values[1]));
    assert.equal(statuses.length, 1);
    assert.match(statuses[0]!, /NetStream.Play.Failed.*refused it \(on_/);
    assert.ok(!statuses[0]!.includes("secret"));
    await rig.server.close("now");
    assert.deepEqual(site.actions(), action === "on_play" ? ["on_connect", "on_play", "on_close"] : ["on_connect"]);
  });
}

test("server: nobody is started before the yes, and what an encoder has sent by then is not lost", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.block("on_publish")));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  let go = (): void => undefined;
  site.answer = () => new Promise((resolve) => (go = () => resolve("0")));
  const { connection, starting } = await hasty(rig.rtmpUrl("s"));
  t.after(() => connection.close());
  for (const media of [...headers("avc", "none"), ...[0, 1, 2].map((n) => videoFrame("avc", n, n * 40))]) {
    connection.send({ ...media, streamId: 1, csid: 6 });
  }
  await site.waitFor("on_publish");
  await connection.call("createStream", []); // what it sent before has been read
  assert.equal(connection.commands.filter(({ name }) => name === "onStatus").length, 0);
  assert.deepEqual(viewer.media, []);
  go();
  await starting();
  await viewer.waitUntil("three pictures", (messages) => pictures(messages).length === 3);
  assert.deepEqual(pictures(viewer.messages), [0, 1, 2]);
});

/** Asks to publish without waiting for the answer. */
async function hasty(url: string): Promise<{ connection: RtmpConnection; starting: () => Promise<unknown> }> {
  const connection = await RtmpConnection.open(parseRtmpUrl(url));
  await connection.call("createStream", []);
  connection.command("publish", [parseRtmpUrl(url).stream, "live"], { streamId: 1 });
  return { connection, starting: () => connection.waitForStatus("NetStream.Publish.Start") };
}

test("server: an encoder that sends without being told to is read up to a bound, and goes on behind the yes", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.block("on_publish")));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  let go = (): void => undefined;
  site.answer = () => new Promise((resolve) => (go = () => resolve("0")));
  const { connection, starting } = await hasty(rig.rtmpUrl("s"));
  t.after(() => connection.close());
  connection.setChunkSize(60_000);
  const big = (n: number): { type: number; timestamp: number; payload: Buffer } => {
    const frame = videoFrame("avc", n, n * 40);
    return { ...frame, payload: Buffer.concat([frame.payload, Buffer.alloc(60_000)]) };
  };
  await site.waitFor("on_publish");
  for (const media of headers("avc", "none")) connection.send({ ...media, streamId: 1, csid: 6 });
  const count = 50; // 3 MB, which is less than a viewer may be behind
  for (let n = 0; n < count; n++) connection.send({ ...big(n), streamId: 1, csid: 6 });
  const read = (): number => rig.server.stats().bytesIn;
  await eventually(() => read() > maxEarlyBytes, { what: "the bound" });
  await site.until("a moment", () => true);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(read() < 2 * maxEarlyBytes, String(read()));
  go();
  await starting();
  await viewer.waitUntil("the last picture", (messages) => messages.filter(({ type }) => type === 9).length >= count + 1);
  assert.deepEqual(viewer.media.length, count + 1);
});

test("server: who finds a stream busy is refused without a word to the backend", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const first = await publisher(rig.rtmpUrl("s"));
  t.after(() => first.close());
  await assert.rejects(publisher(rig.rtmpUrl("s")), /NetStream.Publish.BadName/);
  assert.deepEqual(site.actions(), ["on_connect", "on_publish"]);
});

test("server: of two that are asked about at once one has the stream, and the other one's publish is closed", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.block("on_publish", "on_unpublish")));
  const waiting: (() => void)[] = [];
  site.answer = ({ action }) => (action === "on_publish" ? new Promise((resolve) => waiting.push(() => resolve("0"))) : "0");
  const both = Promise.allSettled([publisher(rig.rtmpUrl("s")), publisher(rig.rtmpUrl("s"))]);
  await site.until("both questions", () => waiting.length === 2);
  for (const go of waiting) go();
  const results = await both;
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  await site.waitFor("on_unpublish");
  for (const result of results) if (result.status === "fulfilled") result.value.close();
  await site.waitFor("on_unpublish", 2);
  site.assertPairs("on_publish", "on_unpublish");
});

test("server: a connection that publishes again is asked about again, and closed once", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const source = await publisher(rig.rtmpUrl("s"));
  source.unpublish();
  await site.waitFor("on_unpublish");
  await source.publish("fmle");
  source.close();
  await site.waitFor("on_close");
  assert.deepEqual(site.actions(), ["on_connect", "on_publish", "on_unpublish", "on_connect", "on_publish", "on_unpublish", "on_close"]);
  assert.equal(new Set(site.calls.map(({ body }) => body["client_id"])).size, 1);
});

test("server: a hundred quick reconnects of one key are told of in order, each with its end before the next", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  for (let i = 0; i < 100; i++) (await publisher(rig.rtmpUrl("s"))).close();
  await site.waitFor("on_close", 100);
  const four = ["on_connect", "on_publish", "on_unpublish", "on_close"];
  assert.deepEqual(site.actions(), Array.from({ length: 100 }, () => four).flat());
  const ids = site.calls.map(({ body }) => body["client_id"]);
  for (let i = 0; i < 400; i += 4) assert.equal(new Set(ids.slice(i, i + 4)).size, 1);
});

test("server: a player that leaves while it is asked about owes nothing, or is closed when the answer is yes", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  let go: (answer: string) => void = () => undefined;
  site.answer = ({ action }) => (action === "on_play" ? new Promise((resolve) => (go = resolve)) : "0");
  for (const [answer, ends] of [
    ["1", ["on_connect", "on_play", "on_close"]],
    ["0", ["on_connect", "on_play", "on_stop", "on_close"]],
  ] as const) {
    const seen = site.of("on_play").length;
    const connection = await RtmpConnection.open(parseRtmpUrl(rig.rtmpUrl("s")));
    connection.command("play", ["s"], { streamId: 1 });
    const { body } = await site.waitFor("on_play", seen + 1);
    connection.close();
    await eventually(() => rig.server.stats().connections === 0, { what: "its end" });
    go(answer);
    await site.waitFor("on_close", seen + 1);
    assert.deepEqual(site.actions(body["client_id"]), ends);
  }
  assert.deepEqual(rig.server.streams(), []);
});

test("server: a viewer over HTTP-FLV that leaves while it is asked about is closed when the answer is yes", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  let go: (answer: string) => void = () => undefined;
  site.answer = ({ action }) => (action === "on_play" ? new Promise((resolve) => (go = resolve)) : "0");
  const { port, pathname } = new URL(rig.flvUrl("s"));
  const socket = connect(Number(port), "127.0.0.1", () => socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x.com\r\n\r\n`));
  await site.waitFor("on_play");
  socket.destroy();
  await eventually(() => rig.server.stats().connections === 0, { what: "its end" });
  go("0");
  await site.waitFor("on_stop");
  assert.deepEqual(site.actions(), ["on_play", "on_stop"]);
});

test("server: a player who asks for something else meanwhile gets that alone", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const waiting: ((answer: string) => void)[] = [];
  site.answer = ({ action }) => (action === "on_play" ? new Promise((resolve) => waiting.push(resolve)) : "0");
  const connection = await RtmpConnection.open(parseRtmpUrl(rig.rtmpUrl("a")));
  t.after(() => connection.close());
  connection.command("play", ["a"], { streamId: 1 });
  await site.waitFor("on_play");
  connection.command("play", ["b"], { streamId: 1 });
  await connection.call("createStream", []);
  waiting[0]!("0");
  await site.waitFor("on_play", 2);
  waiting[1]!("0");
  await connection.waitForStatus("NetStream.Play.Start");
  assert.deepEqual(
    rig.server.streams().map(({ stream, players }) => [stream, players]),
    [["b", 1]],
  );
  connection.close();
  await site.waitFor("on_close");
  site.assertPairs("on_play", "on_stop");
});

test("server: who came before a reload is told of where it was asked, who comes behind it where the file says now", async (t) => {
  const [old, now] = [await HookBackend.start(t), await HookBackend.start(t)];
  const rig = await startServer(t, vhost(old.all));
  const early = await player(rig.rtmpUrl("s"));
  rig.reconfigure(vhost(now.all));
  const late = await player(rig.rtmpUrl("s"));
  rig.reconfigure(vhost(""));
  const free = await player(rig.rtmpUrl("s"));
  for (const viewer of [early, late, free]) viewer.close();
  for (const site of [old, now]) {
    await site.waitFor("on_close");
    assert.deepEqual(site.actions(), ["on_connect", "on_play", "on_stop", "on_close"]);
  }
});

test("server: who is asked about while a reload takes its vhost away is refused, and closed with the backend", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  let go = (): void => undefined;
  site.answer = ({ action }) => (action === "on_play" ? new Promise((resolve) => (go = () => resolve("0"))) : "0");
  const connection = await RtmpConnection.open(parseRtmpUrl(rig.rtmpUrl("s")));
  connection.command("play", ["s"], { streamId: 1 });
  await site.waitFor("on_play");
  rig.reconfigure("vhost other { }");
  go();
  await connection.ended;
  await site.waitFor("on_close");
  site.assertPairs("on_play", "on_stop");
  assert.ok(connection.commands.some(({ values }) => JSON.stringify(values).includes("NetStream.Play.Failed")));
});

test("server: a publisher who moves is asked about where it arrives, and closed where it ends", async (t) => {
  const site = await HookBackend.start(t);
  const [from, to] = [await startServer(t, vhost(site.all)), await startServer(t, vhost(site.all))];
  const source = await publisher(from.rtmpUrl("s"));
  const mover = moverTo(to);
  for (const media of headers("avc", "none")) source.send(media);
  from.server.movePublishers(mover);
  source.send(videoFrame("avc", 0, 0));
  await eventually(() => to.server.stats().publishers === 1, { what: "the move" });
  const { admission, closing } = mover.saved[0]!;
  assert.deepEqual([admission.due?.action, closing?.action], ["on_unpublish", "on_close"]);
  source.close();
  await site.waitFor("on_close");
  assert.deepEqual(site.actions(), ["on_connect", "on_publish", "on_unpublish", "on_close"]);
  assert.equal(new Set(site.calls.map(({ body }) => body["client_id"])).size, 1);
  const second = await publisher(from.rtmpUrl("other"));
  assert.equal(to.server.stats().publishers, 1);
  second.close();
  await site.waitFor("on_close", 2);
  site.assertPairs("on_publish", "on_unpublish");
});

test("server: whoever is kicked is closed with the backend like everybody else", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const source = await publisher(rig.rtmpUrl("s"));
  const viewer = await player(rig.rtmpUrl("s"));
  const id = String((await site.waitFor("on_play")).body["client_id"]);
  assert.equal(rig.server.kick({ client: id }), 1);
  await viewer.ended;
  await site.waitFor("on_close");
  assert.deepEqual(site.actions(id), ["on_connect", "on_play", "on_stop", "on_close"]);
  assert.equal(rig.server.kick({ stream: "__defaultVhost__/live/s" }), 1);
  await source.connection.ended;
  await site.waitFor("on_close", 2);
  site.assertPairs("on_publish", "on_unpublish");
});

test("server: two plays of one connection are told of by their ids in the API, behind each other and before its end", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const connection = await RtmpConnection.open(parseRtmpUrl(rig.rtmpUrl("s")));
  for (const name of ["a", "b"]) {
    const { values } = await connection.call("createStream", []);
    connection.command("play", [name], { streamId: Number(values[1]) });
  }
  await site.waitFor("on_play", 2);
  const [first, second] = site.of("on_play").map(({ body }) => String(body["client_id"]));
  assert.equal(second, `${first}.2`);
  connection.close();
  await site.waitFor("on_close");
  site.assertPairs("on_play", "on_stop");
  assert.equal(site.calls.at(-1)?.action, "on_close");
  assert.equal(site.of("on_close").length, 1);
});

test("server: over WebSocket a no is 403 too, and nothing is upgraded", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  site.answer = () => "1";
  const { port, pathname } = new URL(rig.flvUrl("s"));
  const socket = connect(Number(port), "127.0.0.1");
  const lines = [`GET ${pathname} HTTP/1.1`, "Host: x.com", "Connection: Upgrade", "Upgrade: websocket"];
  socket.write([...lines, "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""].join("\r\n"));
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString("latin1")));
  await once(socket, "close");
  assert.match(text, /^HTTP\/1.1 403 /);
  assert.deepEqual(site.actions(), ["on_play"]);
});

test("server: the end of the process closes everybody with the backend, and waits for it", async (t) => {
  const site = await HookBackend.start(t);
  const rig = await startServer(t, vhost(site.all));
  const source = await publisher(rig.rtmpUrl("s"));
  source.send(headers("avc", "none")[0]!);
  const viewer = await player(rig.rtmpUrl("s"));
  const flv = get(rig.flvUrl("s"));
  await site.waitFor("on_play", 2);
  await eventually(() => rig.server.stats().players === 2, { what: "both viewers" });
  await rig.server.close("the end");
  site.assertPairs("on_play", "on_stop");
  site.assertPairs("on_publish", "on_unpublish");
  site.assertPairs("on_connect", "on_close");
  await Promise.all([source.connection.ended, viewer.ended, flv]);
});

test("server: on_forward names where a stream goes, and no destination is asked for beside", async (t) => {
  const site = await HookBackend.start(t);
  const far = await startServer(t, vhost(""));
  const elsewhere = await startServer(t, vhost(""));
  const forward = `forward { enabled on; destination ${elsewhere.address}; backend ${site.url("on_forward")}; }`;
  const rig = await startServer(t, vhost(`${site.block("on_publish", "on_unpublish")} ${forward}`));
  site.answer = ({ action }) =>
    action === "on_forward" ? JSON.stringify({ code: 0, data: { urls: [`${far.rtmpUrl("copy")}?k=1`] } }) : "0";
  const encoder = await Encoder.open(t, rig.rtmpUrl("s?token=1"));
  encoder.send(1);
  const viewer = await watch(t, far.rtmpUrl("copy"));
  await eventually(() => far.stream("copy")?.state === "publish", { what: "the forward" });
  encoder.sendSteadily(t);
  await viewer.waitForMedia(2);
  assert.deepEqual(elsewhere.server.streams(), []);
  assert.deepEqual(Object.keys(site.of("on_forward")[0]!.body), [
    "server_id",
    "service_id",
    "action",
    "client_id",
    "ip",
    "vhost",
    "app",
    "tcUrl",
    "stream",
    "param",
  ]);
  site.answer = ({ action }) => (action === "on_forward" ? "no" : "0");
  await assert.rejects(publisher(rig.rtmpUrl("t")), /NetStream.Publish.Denied.*on_forward/);
  await site.waitFor("on_unpublish");
  site.answer = () => '{"code":0}';
  const again = await publisher(rig.rtmpUrl("t"));
  again.close();
  assert.deepEqual(elsewhere.server.streams(), []);
});

test("server: an edge pulls nothing for a player of HLS before the site has let him in", async (t) => {
  const site = await HookBackend.start(t);
  const edge = "cluster { mode remote; origin 127.0.0.1:1; } hls { enabled on; }";
  const rig = await startServer(t, `dolphin { http_flv_wait 1; } ${vhost(`${edge} ${site.block("on_play")}`)}`);
  const list = rig.flvUrl("s").replace(".flv", ".m3u8");
  site.answer = () => "1";
  assert.equal((await fetch(list)).status, 403);
  assert.equal(rig.stream("s"), null);
  site.answer = () => "0";
  const answered = fetch(list);
  await eventually(() => rig.stream("s")?.state === "pull", { what: "the pull" });
  assert.equal((await answered).status, 404);
});
