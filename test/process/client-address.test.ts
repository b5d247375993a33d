// Who the client is, as the log and the status of our own servers tell it: behind the proxies of plan b, behind a balancer in
// front of any plan, and where somebody who is not trusted says so.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { publish } from "../helpers/ffmpeg.js";
import { headers, step } from "../helpers/media.js";
import { fakeSrs } from "../helpers/planb.js";
import { loginAndPublish, RawPeer } from "../helpers/raw-peer.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const conf = (block: string): string => `listen 1935; daemon off; http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
dolphin { http_flv_wait 1; ${block} }`;

/** From 192.0.2.7:50000 to 198.51.100.2:1935. */
const prefaces = {
  v1: Buffer.from("PROXY TCP4 192.0.2.7 198.51.100.2 50000 1935\r\n"),
  v2: Buffer.from("0d0a0d0a000d0a515549540a2111000cc0000207c6336402c350078f", "hex"),
  srs: Buffer.from("f30004c0000207", "hex"),
} as const;

/** From ::ffff:203.0.113.9, which is 203.0.113.9, as a balancer that listens for both families may tell it. */
const mapped = {
  v1: Buffer.from("PROXY TCP6 ::ffff:203.0.113.9 ::ffff:198.51.100.2 50000 1935\r\n"),
  v2: Buffer.from("0d0a0d0a000d0a515549540a2121002400000000000000000000ffffcb00710900000000000000000000ffffc6336402c350078f", "hex"),
} as const;

const get = (stream: string, more = ""): Buffer => Buffer.from(`GET /live/${stream}.flv HTTP/1.1\r\nHost: h\r\n${more}\r\n`);

for (const routing of ["stream", "connection"]) {
  void test(`plan b, routing ${routing}: our own servers tell a client by its own address`, async (t) => {
    const dolphin = await Dolphin.start(t, { cores: 1, args: ["--plan", "b"], conf: conf(`routing ${routing}; servers 1;`) });
    const encoder = await open(t, dolphin.rtmpPort);
    encoder.send(loginAndPublish("s"));
    await told(dolphin, "publish.started", encoder.name);
    await eventually(async () => (await peerInStatus(dolphin, "s")) === encoder.name, { what: "the publisher in the status" });

    const viewer = await open(t, dolphin.httpPort);
    viewer.send(get("s"));
    const line = await told(dolphin, "play.started", viewer.name);
    assert.deepEqual([line.child, line["protocol"]], ["server-1", "flv"]);

    const lost = await open(t, dolphin.httpPort);
    lost.send(Buffer.from("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"));
    await told(dolphin, "http.refused", lost.name);

    const { balance } = await dolphin.status();
    const direct = await open(t, balance?.servers[0]?.rtmp.port ?? 0);
    direct.send(loginAndPublish("direct"));
    await told(dolphin, "publish.started", direct.name);
    for (const peer of [encoder, viewer, lost, direct]) peer.close();
    await told(dolphin, "rtmp.closed", encoder.name);
    await told(dolphin, "flv.closed", viewer.name);
    await dolphin.stop();
  });
}

void test("plan b: an ffmpeg is to the server whom it is to the proxy", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, args: ["--plan", "b"], conf: conf("") });
  const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 30 });
  t.after(() => encoder.stop());
  const { peer } = await dolphin.waitFor("publish.started");
  assert.equal(await peerInStatus(dolphin, "s"), peer);
  await encoder.stop();
  const closed = await dolphin.waitFor("proxy.closed");
  assert.equal(closed.peer, peer);
  await dolphin.stop();
});

for (const form of ["v1", "v2", "srs"] as const) {
  for (const routing of ["stream", "connection"]) {
    void test(`plan b, send_proxy ${form}, routing ${routing}: whom a balancer in front names is the client to the server too`, async (t) => {
      const block = `send_proxy ${form}; routing ${routing}; servers 1; trusted_proxies 127.0.0.0/8;`;
      const dolphin = await Dolphin.start(t, { cores: 1, args: ["--plan", "b"], conf: conf(block) });
      const encoder = await open(t, dolphin.rtmpPort);
      encoder.send(prefaces.v2, loginAndPublish("s"));
      const name = form === "srs" ? "192.0.2.7:0" : "192.0.2.7:50000"; // SRS's form has no port
      await told(dolphin, "publish.started", name);
      const viewer = await open(t, dolphin.httpPort);
      viewer.send(prefaces.v1, get("s"));
      await told(dolphin, "play.started", "192.0.2.7:50000");
      viewer.close();
      await told(dolphin, "flv.closed", "192.0.2.7:50000");
      await dolphin.stop();
    });
  }
}

void test("plan b, send_proxy off: our own servers believe no client that speaks for itself", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, args: ["--plan", "b"], conf: conf("send_proxy off; routing connection; servers 1;") });
  const liar = await open(t, dolphin.rtmpPort);
  liar.send(prefaces.v1, loginAndPublish("s"));
  const { code } = await dolphin.waitFor("rtmp.closed");
  assert.equal(code, "PROXY_HEADER");
  const viewer = await open(t, dolphin.httpPort);
  viewer.send(get("s", "X-Forwarded-For: 192.0.2.7\r\n"));
  const { peer } = await dolphin.waitFor("play.started");
  assert.match(peer ?? "", /^127\.0\.0\.1:/);
  await dolphin.stop({ allow: ({ event }) => event === "rtmp.closed" });
});

void test("an srs that asks for its own prefix gets it under either routing", async (t) => {
  for (const routing of ["stream", "connection"]) {
    const block = `send_proxy srs; routing ${routing}; servers 1; trusted_proxies 127.0.0.0/8;`;
    const dolphin = await Dolphin.start(t, {
      cores: 1,
      args: ["--server", fakeSrs],
      conf: conf(block),
      env: { FAKE_SRS_LOG: "info" },
    });
    const encoder = await open(t, dolphin.rtmpPort);
    encoder.send(prefaces.v1, loginAndPublish("s"));
    await output(dolphin, /"peer":"192\.0\.2\.7:0".*"publish\.started"/);
    const viewer = await open(t, dolphin.httpPort);
    viewer.send(prefaces.v1, get("s")); // HTTP has no such prefix: an srs takes the first bytes as the request
    await output(dolphin, /"play\.started"/);
    viewer.close();
    await output(dolphin, /"flv\.closed"/);
    await dolphin.stop();
  }
});

void test("plan a: whom a trusted balancer names is the client, in the log and in the status", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("trusted_proxies 127.0.0.0/8;") });
  for (const [form, name] of [
    ["v1", "192.0.2.7:50000"],
    ["v2", "192.0.2.7:50000"],
    ["srs", "192.0.2.7:0"],
  ] as const) {
    const from = dolphin.logLength;
    const encoder = await open(t, dolphin.rtmpPort);
    encoder.send(prefaces[form], loginAndPublish(form));
    await told(dolphin, "publish.started", name, from);
    await eventually(async () => (await peerInStatus(dolphin, form)) === name, { what: `${name} in the status` });
    encoder.close();
    await told(dolphin, "rtmp.closed", name, from);
  }
  for (const [preface, more, name] of [
    [prefaces.v1, "", "192.0.2.7:50000"],
    [prefaces.v2, "", "192.0.2.7:50000"],
    [mapped.v1, "", "203.0.113.9:50000"],
    [mapped.v2, "", "203.0.113.9:50000"],
    [null, "X-Forwarded-For: ::ffff:203.0.113.9\r\n", "203.0.113.9:0"],
    [null, "X-Forwarded-For: [::FFFF:cb00:7109]:7, ::ffff:127.0.0.1\r\n", "203.0.113.9:7"], // the last one is trusted
    [prefaces.v2, "X-Forwarded-For: 203.0.113.9\r\n", "192.0.2.7:50000"], // who is named is not trusted himself
    [null, "X-Forwarded-For: 203.0.113.9, 192.0.2.8\r\n", "192.0.2.8:0"],
    [null, "X-Forwarded-For: [2001:db8::1]:7\r\n", "[2001:db8::1]:7"],
    [null, "X-Real-IP: 192.0.2.9\r\n", "192.0.2.9:0"],
  ] as const) {
    const from = dolphin.logLength;
    const viewer = await open(t, dolphin.httpPort);
    viewer.send(preface ?? Buffer.alloc(0), get("s", more));
    await told(dolphin, "play.started", name, from);
    viewer.close();
    await told(dolphin, "flv.closed", name, from);
  }
  await dolphin.stop();
});

for (const plan of ["a", "b"]) {
  void test(`plan ${plan}: an IPv4 client of an address for both families is known, trusted and passed on by its IPv4 address`, async (t) => {
    const dolphin = await Dolphin.start(t, {
      words: (rtmp, http) => ["--cores", "1", "--plan", plan, "--listen", `[::]:${rtmp}`, "--http", `[::]:${http}`],
      conf: conf("trusted_proxies 127.0.0.0/8; servers 1;"),
    });
    const direct = await open(t, dolphin.rtmpPort);
    direct.send(loginAndPublish("direct"));
    await told(dolphin, "publish.started", direct.name);
    await eventually(async () => (await peerInStatus(dolphin, "direct")) === direct.name, { what: `${direct.name} in the status` });
    for (const [stream, preface] of Object.entries(mapped)) {
      const encoder = await open(t, dolphin.rtmpPort);
      encoder.send(preface, loginAndPublish(stream));
      const name = "203.0.113.9:50000";
      await eventually(async () => (await peerInStatus(dolphin, stream)) === name, { what: `${name} in the status` });
    }
    const viewer = await open(t, dolphin.httpPort);
    viewer.send(get("v1", "X-Forwarded-For: ::ffff:203.0.113.9\r\n"));
    await told(dolphin, "play.started", "203.0.113.9:0");
    viewer.close();
    await told(dolphin, "flv.closed", "203.0.113.9:0");
    for (const { peer } of dolphin.logLines()) assert.doesNotMatch(peer ?? "", /ffff/);
    await dolphin.stop();
  });
}

void test("plan a: a header that comes byte by byte is a header", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("trusted_proxies 127.0.0.0/8;") });
  for (const [port, preface, then, event] of [
    [dolphin.rtmpPort, prefaces.v1, loginAndPublish("s"), "publish.started"],
    [dolphin.rtmpPort, prefaces.v2, loginAndPublish("t"), "publish.started"],
    [dolphin.httpPort, prefaces.v1, get("s"), "play.started"],
  ] as const) {
    const from = dolphin.logLength;
    const peer = await open(t, port);
    for (const byte of Buffer.concat([preface, then.subarray(0, 2)])) {
      peer.send(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    peer.send(then.subarray(2));
    await told(dolphin, event, "192.0.2.7:50000", from);
  }
  await dolphin.stop();
});

void test("plan a: a trusted peer may send no header, and a broken one is refused in one line", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("trusted_proxies 127.0.0.0/8;") });
  const encoder = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => encoder.close());
  for (const media of [...headers("avc", "aac"), ...step("avc", "aac", 0)]) encoder.send(media);
  const viewer = await open(t, dolphin.httpPort);
  viewer.send(get("s"));
  await viewer.waitForText("FLV");
  await told(dolphin, "play.started", viewer.name);

  const endless = Buffer.from(prefaces.v2);
  endless.writeUInt16BE(0xffff, 14);
  for (const port of [dolphin.rtmpPort, dolphin.httpPort]) {
    for (const bytes of [Buffer.from("PROXY TCP4 nobody nowhere 1 2\r\n"), Buffer.from(`PROXY ${"x".repeat(200)}`), endless]) {
      const peer = await open(t, port);
      peer.send(bytes);
      await peer.assertClosedWith(dolphin, ["PROXY_HEADER"]);
    }
  }
  const other = await open(t, dolphin.rtmpPort);
  other.send(Buffer.from("POST / HTTP/1.1\r\n\r\n"));
  await other.assertClosedWith(dolphin, ["RTMP_HANDSHAKE"]);
  await dolphin.stop({ allow: ({ code }) => code === "PROXY_HEADER" || code === "RTMP_HANDSHAKE" });
});

void test("plan a: a header of somebody who is not trusted is refused as such, and X-Forwarded-For says nothing", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("trusted_proxies 10.0.0.0/8;") });
  for (const preface of Object.values(prefaces)) {
    const liar = await open(t, dolphin.rtmpPort);
    liar.send(preface, loginAndPublish("s"));
    await liar.assertClosedWith(dolphin, ["PROXY_HEADER"]);
  }
  for (const isAtOnce of [true, false]) {
    const liar = await open(t, dolphin.httpPort);
    liar.send(prefaces.v1, ...(isAtOnce ? [get("s")] : []));
    if (!isAtOnce) await new Promise((resolve) => setTimeout(resolve, 50)); // two reads of the server
    if (!isAtOnce) liar.send(get("s"));
    await liar.waitForText("HTTP/1.1 400");
    await liar.assertClosedWith(dolphin, ["PROXY_HEADER"]);
  }
  const viewer = await open(t, dolphin.httpPort);
  viewer.send(get("s", "X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\n"));
  await told(dolphin, "play.started", viewer.name);
  await dolphin.stop({ allow: ({ code }) => code === "PROXY_HEADER" });
});

async function open(t: TestContext, port: number): Promise<RawPeer> {
  const peer = await RawPeer.open(port);
  t.after(() => peer.close());
  return peer;
}

/** The line of a server's event about this client; the proxies' own line is `proxy.closed`. */
function told(dolphin: Dolphin, event: string, name: string, from = 0): Promise<LogLine> {
  return dolphin.waitFor(event, { from, where: ({ peer }) => peer === name });
}

/** A line of a foreign server that has all this. */
async function output(dolphin: Dolphin, pattern: RegExp): Promise<void> {
  await dolphin.waitFor("server.output", { where: ({ msg }) => pattern.test(msg ?? "") });
}

async function peerInStatus(dolphin: Dolphin, name: string): Promise<string | undefined> {
  return (await dolphin.status()).streams.find(({ stream }) => stream === name)?.source?.peer;
}
