// Whom `security` and `refer` of a vhost keep out, decided where the client comes in, by its own address behind trusted proxies.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { temporaryFolder } from "../helpers/launch.js";
import { loginAndPublish, RawPeer } from "../helpers/raw-peer.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { steadyPublisher } from "../helpers/show.js";
import { watchWebSocket } from "../helpers/ws-flv.js";
import { within } from "../helpers/wait.js";

const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
const conf = (vhost: string, dolphin = ""): string => `listen 1935; http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { ${remux} ${vhost} } dolphin { trusted_proxies 127.0.0.0/8; ${dolphin} }`;
const isDenied = ({ code }: { code?: string }): boolean => code === "RTMP_DENIED";
const as = (address: string): { headers: { "X-Forwarded-For": string } } => ({ headers: { "X-Forwarded-For": address } });

for (const [name, args, block] of [
  ["plan a", ["--plan", "a"], ""],
  ["plan a, origin in a child", ["--plan", "a"], "origin_process child;"],
  ["plan b", ["--plan", "b"], "routing stream;"],
] as const) {
  void test(`${name}: security keeps out who is denied, by RTMP with a status, over HTTP with 403, and lets in everybody else`, async (t) => {
    const rules = "security { enabled on; allow publish 127.0.0.1; allow play 10.0.0.0/8; allow play 127.0.0.1; deny play 10.6.6.6; }";
    const dolphin = await Dolphin.start(t, { args, conf: conf(rules, block) });
    const encoder = await steadyPublisher(t, dolphin, "s");
    const viewers = [await player(dolphin.rtmpUrl("s")), await watchFlv(dolphin.flvUrl("s"), as("10.1.2.3"))];
    for (const viewer of viewers) await viewer.waitForMedia(20);
    for (const address of ["10.6.6.6", "192.0.2.1"]) {
      assert.equal((await watchFlv(dolphin.flvUrl("s"), as(address))).status, 403, address);
      assert.equal((await watchFlv(dolphin.flvUrl("s"), { ...as(address), method: "HEAD" })).status, 403, address);
      assert.equal((await watchWebSocket(dolphin.flvUrl("s"), as(address))).status, 403, address);
    }
    const line = await dolphin.waitFor("http.refused", { where: ({ peer }) => peer?.startsWith("10.6.6.6") === true });
    assert.deepEqual([line.code, line.level], ["RTMP_DENIED", "warn"]);
    assert.match(line.msg ?? "", /deny play 10\.6\.6\.6/);
    // Those who are in stay when the rules change.
    await dolphin.reload(conf("security { enabled on; deny play all; deny publish all; }", block));
    await assert.rejects(player(dolphin.rtmpUrl("s")), /NetStream\.Play\.Failed|denies it/);
    await assert.rejects(publisher(dolphin.rtmpUrl("other")), /denies it/);
    for (const viewer of viewers) await viewer.waitForMedia(viewer.media.length + 20);
    for (const viewer of viewers) viewer.close();
    encoder.close();
    await dolphin.waitFor("publish.ended", { where: ({ stream }) => stream === "s" });
    await dolphin.stop({ allow: isDenied });
  });
}

void test("an RTMP client behind a proxy that may name it is judged by the name, and is out at the edge already", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: conf("security { enabled on; deny publish 192.0.2.0/24; }") });
  const open = async (address: string): Promise<RawPeer> => {
    const peer = await RawPeer.open(dolphin.rtmpPort);
    t.after(() => peer.close());
    peer.send(Buffer.from(`PROXY TCP4 ${address} 10.0.0.1 1000 1935\r\n`), loginAndPublish("s"));
    return peer;
  };
  await (await open("192.0.2.7")).waitForText("NetStream.Publish.Denied");
  await (await open("198.51.100.7")).waitForText("NetStream.Publish.Start");
  const line = await dolphin.waitFor("rtmp.closed", { where: isDenied });
  assert.deepEqual([line.child?.startsWith("edge"), line.peer], [true, "192.0.2.7:1000"]);
  await dolphin.stop({ allow: isDenied });
});

void test("refer goes by the page: pageUrl over RTMP, Referer or Origin over HTTP", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("refer { enabled on; play example.com; }") });
  const encoder = await steadyPublisher(t, dolphin, "s"); // publishers are not asked
  const statusWith = async (headers: Record<string, string>): Promise<number> => {
    const viewer = await watchFlv(dolphin.flvUrl("s"), { headers });
    viewer.close();
    return viewer.status;
  };
  assert.equal(await statusWith({ Referer: "https://www.example.com/live/1.html" }), 200);
  assert.equal(await statusWith({ Origin: "https://example.com" }), 200);
  assert.equal(await statusWith({ Referer: "https://example.com.evil.test/", Origin: "https://example.com" }), 403);
  assert.equal(await statusWith({}), 403);
  const ws = await watchWebSocket(dolphin.flvUrl("s"), { headers: { Origin: "https://example.com" } });
  await ws.waitForMedia(10);
  ws.close();
  await assert.rejects(player(dolphin.rtmpUrl("s")), /it names no page/);
  await assert.rejects(player(dolphin.rtmpUrl("s"), { connectArguments: { pageUrl: "http://evil.test/?example.com" } }), /evil\.test/);
  const viewer = await player(dolphin.rtmpUrl("s"), { connectArguments: { pageUrl: "http://example.com/p" } });
  await viewer.waitForMedia(10);
  viewer.close();
  encoder.close();
  await dolphin.stop({ allow: isDenied });
});

void test("a denied encoder is told why, and its connection ends", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("security { enabled on; deny publish all; }") });
  await assert.rejects(publisher(dolphin.rtmpUrl("s")), /NetStream\.Publish\.\w+.*deny publish all/);
  const port = connect(dolphin.rtmpPort, "127.0.0.1");
  t.after(() => port.destroy());
  await within(new Promise((resolve) => port.once("connect", resolve)), 3000, "the port to be open still");
  await dolphin.stop({ allow: isDenied });
});

void test("a list of a guarded vhost is refused under every name that a request may bear", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "live"));
  writeFileSync(join(folder, "live/s.m3u8"), "#EXTM3U\n");
  const guarded = `vhost a.test { hls { enabled on; hls_path ${folder}; } security { enabled on; deny play all; } }`;
  const dolphin = await Dolphin.start(t, {
    cores: 1,
    conf: `listen 1935; http_server { enabled on; listen 8080; dir ${folder}; } ${guarded} vhost open.test { ${remux} }`,
  });
  for (const vhost of ["a.test", "open.test", "none.test"]) {
    const response = await fetch(`${dolphin.flvUrl("s").replace(/\.flv$/, ".m3u8")}?vhost=${vhost}`);
    assert.equal(response.status, 403, vhost);
  }
  await dolphin.stop({ allow: isDenied });
});
