// Origin clusters: the seed's example as it is written, but for its ports. Two origins that ask each other, and an edge before both; real
// encoders and players, and a stand-in of an SRS as the other side.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../helpers/child.js";
import { Dolphin, type Cleanup, type LogLine } from "../helpers/dolphin.js";
import { packetsOf, publish } from "../helpers/ffmpeg.js";
import { headers, pictures, step } from "../helpers/media.js";
import { freePort } from "../helpers/ports.js";
import { player, publisher, type RtmpPlayer, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

/** The ports that stand in the files, and those of this test. */
const ports = new Map<string, number>();
for (const port of ["19350", "19351", "9090", "9091", "29350", "8081"]) ports.set(port, await freePort());

/** A file of conf/ on ports of our own. */
function file(name: string): string {
  const text = readFileSync(join(projectRoot, "conf", name), "utf8");
  return text.replaceAll(/\b(19350|19351|9090|9091|29350|8081)\b/g, (port) => String(ports.get(port)));
}

function boot(t: Cleanup, name: string, flags: readonly string[] = []): Promise<Dolphin> {
  return Dolphin.start(t, { conf: file(name), words: () => ["--cores", "1", ...flags] });
}

const url = (port: string, stream: string): string => `rtmp://127.0.0.1:${ports.get(port)}/live/${stream}`;

async function origins(t: Cleanup): Promise<{ a: Dolphin; b: Dolphin; flvOfB: (stream: string) => string }> {
  const httpPort = await freePort();
  const a = await boot(t, "origin.cluster.serverA.conf");
  const b = await boot(t, "origin.cluster.serverB.conf", ["--http", `127.0.0.1:${httpPort}`]);
  return { a, b, flvOfB: (stream) => `http://127.0.0.1:${httpPort}/live/${stream}.flv` };
}

/** A publisher of a picture every 40 ms. */
async function steady(t: Cleanup, to: string): Promise<RtmpPublisher> {
  const source = await publisher(to);
  for (const media of headers("avc", "none")) source.send(media);
  let frame = 0;
  const timer = setInterval(() => {
    for (const media of step("avc", "none", frame++)) source.send(media);
  }, 40);
  t.after(() => {
    clearInterval(timer);
    source.close();
  });
  return source;
}

async function grows(viewer: RtmpPlayer, what: string, timeoutMs = 10_000): Promise<void> {
  const before = pictures(viewer.messages).length;
  await eventually(() => pictures(viewer.messages).length > before + 10, { what, timeoutMs });
}

const isOfLoss = ({ event }: LogLine): boolean => event === "coworker.lost" || event === "pull.lost" || event === "pull.redirected";

void test("the seed's origins and edge: what ffmpeg publishes at A, ffmpeg plays at B over RTMP and HTTP-FLV, and at the edge", async (t) => {
  const { a, b, flvOfB } = await origins(t);
  const edge = await boot(t, "edge.serverA.conf");
  const encoder = publish(url("19350", "livestream"), { seconds: 60 });
  t.after(() => encoder.stop());
  await encoder.started;
  const stays = await player(url("19351", "livestream")); // or B lets go of the stream between two of them
  t.after(() => stays.close());
  for (const from of [url("19351", "livestream"), flvOfB("livestream"), url("29350", "livestream")]) {
    const packets = await packetsOf(from, 1);
    assert.ok(packets.length > 20, `${from} gave ${packets.length} packets`);
  }
  const rows = (await b.status()).streams.map(({ state, source }) => [state, source?.peer]);
  assert.deepEqual(rows, [["pull", `127.0.0.1:${ports.get("19350")}`]]);
  await encoder.stop();
  await edge.stop({ allow: isOfLoss });
  await b.stop({ allow: isOfLoss });
  await a.stop({ allow: isOfLoss });
});

void test("the seed's edge finds by 302 what is published at the second origin, keeps its viewers when that is killed, and goes on at the first", async (t) => {
  const { a, b } = await origins(t);
  const edge = await boot(t, "edge.serverA.conf");
  const first = await steady(t, url("19351", "s"));
  const viewer = await player(url("29350", "s"));
  t.after(() => viewer.close());
  await grows(viewer, "pictures over the redirect");
  const sent = await a.waitFor("play.sent-on");
  assert.equal(sent["upstream"], `127.0.0.1:${ports.get("19351")}`);
  assert.equal((await edge.waitFor("pull.redirected"))["next"], sent["upstream"]);
  await b.kill();
  first.close();
  await steady(t, url("19350", "s"));
  await grows(viewer, "pictures of the first origin");
  viewer.close();
  await edge.stop({ allow: isOfLoss });
  await a.stop({ allow: isOfLoss });
});

void test("what is published at one origin is HLS at another for whoever asks for its list", async (t) => {
  const conf = (other: number) => (_rtmp: number, _http: number, api: number) =>
    `listen 1935; http_server { enabled on; listen 8080; } http_api { enabled on; listen ${api}; }
    vhost __defaultVhost__ { hls { enabled on; hls_fragment 1; hls_window 10; } cluster { origin_cluster on; coworkers 127.0.0.1:${other}; } }`;
  const a = await Dolphin.start(t, { api: true, conf: conf(1) });
  const b = await Dolphin.start(t, { api: true, conf: conf(a.apiPort) });
  await steady(t, a.rtmpUrl("s"));
  await a.waitFor("package.started");
  const list = b.flvUrl("s").replace(".flv", ".m3u8");
  const variants = await eventually(
    async () => {
      const response = await fetch(list);
      return response.status === 200 ? response.text() : null;
    },
    { what: "the list", timeoutMs: 15_000 },
  );
  const [variant = ""] = /^[^#].*$/m.exec(variants) ?? [];
  const text = await (await fetch(new URL(variant, list))).text();
  const [segment = ""] = /^[^#].*\.ts\b.*$/m.exec(text) ?? [];
  const bytes = await (await fetch(list.replace(/[^/]*$/, segment))).arrayBuffer();
  assert.ok(bytes.byteLength > 1_000 && Buffer.from(bytes)[0] === 0x47, "an MPEG transport stream");
  assert.equal((await b.status()).streams[0]?.state, "pull");
  await b.stop({ allow: isOfLoss });
  await a.stop({ allow: isOfLoss });
});

void test("a player that says it follows is sent on in SRS's words, an ffmpeg is served; with an SRS as the other side, which is asked in its form", async (t) => {
  const far = await Dolphin.start(t, { args: ["--plan", "single", "--http", "off"] });
  await steady(t, far.rtmpUrl("s"));
  const asked: string[] = [];
  const srs = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    const query = Object.fromEntries(new URL(request.url ?? "", "http://host").searchParams);
    const api = String(query["coworker"]);
    const has = query["stream"] !== "none";
    const origin = has ? { ip: "127.0.0.1", port: far.rtmpPort, vhost: query["vhost"], api, routers: [api] } : null;
    response.setHeader("Connection", "Close");
    response.end(JSON.stringify({ code: 0, data: { query, origin } }));
  });
  await new Promise<void>((resolve) => srs.listen(0, "127.0.0.1", resolve));
  t.after(() => void srs.close());
  const address = srs.address();
  assert.ok(typeof address === "object" && address !== null);
  const conf = `listen 1935; vhost __defaultVhost__ { cluster { origin_cluster on; coworkers 127.0.0.1:${address.port}; } }`;
  const box = await Dolphin.start(t, { args: ["--http", "off"], conf });
  assert.ok((await packetsOf(box.rtmpUrl("s"), 1)).length > 10);
  const isTold = /^POST \/api\/v1\/clusters\?vhost=__defaultVhost__&ip=127\.0\.0\.1&app=live&stream=s&coworker=127\.0\.0\.1%3A\d+$/;
  assert.match(asked[0] ?? "", isTold);
  const follower = await player(box.rtmpUrl("t?token=1"), { connectObject: { srs_pid: 1 } });
  t.after(() => follower.close());
  const status = await follower.connection.waitForStatus("NetConnection.Connect.Rejected");
  const app = `rtmp://127.0.0.1:${far.rtmpPort}/live`;
  assert.deepEqual(status.values[1], {
    level: "error",
    code: "NetConnection.Connect.Rejected",
    description: "RTMP 302 Redirect",
    ex: { code: 302, redirect: app, redirect2: `${app}/t?token=1` },
  });
  follower.close();
  await box.stop({ allow: isOfLoss });
  await far.stop();
});
