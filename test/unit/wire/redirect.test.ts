// RTMP's 302: an origin that has not got a stream names the server that has, and edges and forwards go there.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { AmfObject } from "../../../src/codec/rtmp/amf0.js";
import { maxRedirects } from "../../../src/wire/redirect.js";
import { watchFlv } from "../../helpers/flv-reader.js";
import { headers, pictures, step } from "../../helpers/media.js";
import { freePort } from "../../helpers/ports.js";
import { publisher, type Media } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { FakeServer } from "../proxy/rtmp/fake-server.js";
import { Encoder, startServer, watch, type Rig } from "../server/rig.js";

const film: readonly Media[] = [...headers("avc", "aac"), ...step("avc", "aac", 0), ...step("avc", "aac", 1)];
const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";

function edgeOf(t: TestContext, ...ports: readonly number[]): Promise<Rig> {
  const origins = ports.map((port) => `127.0.0.1:${port}`).join(" ");
  const cluster = `min_latency on; cluster { mode remote; origin ${origins}; }`;
  return startServer(t, `vhost __defaultVhost__ { ${cluster} ${remux} } vhost a.test { ${cluster} }`);
}

/** As SRS writes it. */
function srs(port: number): AmfObject {
  return { code: 302, redirect: `rtmp://127.0.0.1:${port}/other`, redirect2: `rtmp://127.0.0.1:${port}/other/stream?x=1` };
}

/** A server that sends everybody to the one that `to` names when it is asked. */
function pointer(t: TestContext, to: () => number, at: "connect" | "publish" | "play" = "play"): Promise<FakeServer> {
  return FakeServer.start(t, { redirect: { at, ex: () => srs(to()) } });
}

const said = (rig: Rig, event: string, code?: string): string[] =>
  rig.lines.filter((line) => line.event === event && (code === undefined || line.code === code)).map(({ msg }) => msg ?? "");

const asked = ({ sessions }: FakeServer): string[] =>
  sessions.flatMap(({ tcUrl, commands }) =>
    commands.filter(({ name }) => name === "play" || name === "publish").map(({ name, args }) => `${name} ${tcUrl} ${String(args[1])}`),
  );

const forms: readonly (readonly [what: string, at: "connect" | "play", ex: (port: number) => AmfObject])[] = [
  ["SRS does behind Play.Start", "play", srs],
  ["older ones do, with the app alone", "play", (port) => ({ code: 302, redirect: `rtmp://127.0.0.1:${port}/other` })],
  ["Adobe's do in answer to connect", "connect", (port) => ({ code: 302, redirect: `rtmp://127.0.0.1:${port}/other` })],
];

for (const [what, at, ex] of forms) {
  test(`redirect: an edge goes where its origin sends it as ${what}, with the vhost and the parameters that were asked for`, async (t) => {
    const has = await FakeServer.start(t, { media: film });
    const origin = await FakeServer.start(t, { redirect: { at, ex: () => ex(has.port) } });
    const edge = await edgeOf(t, origin.port);
    const viewer = await watch(t, edge.rtmpUrl("s?vhost=a.test&k=1"));
    await viewer.waitForMedia(film.length);
    assert.deepEqual(asked(has), [`play rtmp://a.test:${has.port}/live s?k=1`]);
    assert.equal(edge.stream("s")?.from, `127.0.0.1:${has.port}`);
    assert.deepEqual(said(edge, "pull.lost"), []);
  });
}

test("redirect: viewers over HTTP-FLV get the stream as well", async (t) => {
  const has = await FakeServer.start(t, { media: film });
  const edge = await edgeOf(t, (await pointer(t, () => has.port)).port);
  const viewer = await watchFlv(edge.flvUrl("s"));
  t.after(() => viewer.close());
  await viewer.waitForMedia(film.length);
  assert.deepEqual(asked(has), [`play rtmp://127.0.0.1:${has.port}/live s`]);
});

test(`redirect: an edge is sent on ${maxRedirects} times and no further`, async (t) => {
  const has = await FakeServer.start(t, { media: film });
  const chain = [has];
  while (chain.length <= maxRedirects + 1) {
    const { port } = chain.at(-1)!;
    chain.push(await pointer(t, () => port));
  }
  const near = await edgeOf(t, chain[maxRedirects]!.port);
  await (await watch(t, near.rtmpUrl("s"))).waitForMedia(film.length);
  const far = await edgeOf(t, chain[maxRedirects + 1]!.port);
  await watch(t, far.rtmpUrl("s"));
  await eventually(() => said(far, "pull.lost", "RELAY_REDIRECT").length > 0, { what: "the edge to give up" });
  assert.match(said(far, "pull.lost")[0]!, new RegExp(`more than ${maxRedirects} times`));
  assert.equal(has.sessions.length, 1, "nobody comes by the longer way");
});

test("redirect: servers that send an edge in a circle are given up at once, and it asks the next origin", async (t) => {
  const ports: number[] = [];
  const one = await pointer(t, () => ports[1]!);
  const other = await pointer(t, () => ports[0]!);
  ports.push(one.port, other.port);
  const good = await FakeServer.start(t, { media: film });
  const edge = await edgeOf(t, one.port, good.port);
  await (await watch(t, edge.rtmpUrl("s"))).waitForMedia(film.length);
  assert.match(said(edge, "pull.lost", "RELAY_REDIRECT")[0]!, /circle/);
  assert.deepEqual([one.sessions.length, other.sessions.length, good.sessions.length], [1, 1, 1]);
});

const useless: readonly (readonly [what: string, redirect: () => Promise<string>])[] = [
  ["is gone", async () => `rtmp://127.0.0.1:${await freePort()}/live`],
  ["speaks another protocol", () => Promise.resolve("rtmpt://127.0.0.1:1/live")],
  ["has no name", () => Promise.resolve("rtmp:///live")],
  ["has no port that is one", () => Promise.resolve("rtmp://127.0.0.1:99999/live")],
];

for (const [what, redirect] of useless) {
  test(`redirect: a server that ${what} is told as what it is, and the next origin is asked`, async (t) => {
    const url = await redirect();
    const origin = await FakeServer.start(t, { redirect: { at: "play", ex: () => ({ code: 302, redirect: url }) } });
    const good = await FakeServer.start(t, { media: film });
    const edge = await edgeOf(t, origin.port, good.port);
    await (await watch(t, edge.rtmpUrl("s"))).waitForMedia(film.length);
    assert.equal(said(edge, "pull.lost", "RELAY_REDIRECT").length, 1);
  });
}

test("redirect: when the server it was sent to is gone, an edge begins again with its own origin", async (t) => {
  const [first, second] = [await FakeServer.start(t, { media: film }), await FakeServer.start(t, { media: film })];
  let to = first.port;
  const edge = await edgeOf(t, (await pointer(t, () => to)).port);
  const viewer = await watch(t, edge.rtmpUrl("s"));
  await viewer.waitForMedia(film.length);
  to = second.port;
  first.stop();
  await viewer.waitForMedia(2 * film.length);
  assert.equal(asked(second).length, 1);
});

test("redirect: another configuration that still names the origin leaves a redirected pull as it is", async (t) => {
  const has = await FakeServer.start(t, { media: film });
  const origin = await pointer(t, () => has.port);
  const edge = await edgeOf(t, origin.port);
  const viewer = await watch(t, edge.rtmpUrl("s"));
  await viewer.waitForMedia(film.length);
  edge.reconfigure(
    `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin 127.0.0.1:${origin.port} 127.0.0.1:1; } ${remux} }`,
  );
  has.sessions[0]!.play(step("avc", "aac", 2));
  await viewer.waitForMedia(film.length + 3);
  assert.equal(has.sessions.length, 1);
});

test("redirect: a refusal of another kind is one", async (t) => {
  const origin = await FakeServer.start(t, { redirect: { at: "play", ex: () => ({ code: 404, redirect: "rtmp://127.0.0.1:1/live" }) } });
  const edge = await edgeOf(t, origin.port);
  await watch(t, edge.rtmpUrl("s"));
  await eventually(() => said(edge, "pull.lost", "RELAY_REFUSED").length > 0, { what: "the refusal" });
});

for (const at of ["connect", "publish"] as const) {
  test(`redirect: a publisher at an edge goes where the origin sends it in answer to ${at}`, async (t) => {
    const origin = await startServer(t, "vhost __defaultVhost__ { min_latency on; }");
    const edge = await edgeOf(t, (await pointer(t, () => Number(origin.address.split(":")[1]), at)).port);
    const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
    const viewer = await watch(t, origin.rtmpUrl("s"));
    await eventually(() => origin.stream("s")?.state === "publish", { what: "the publisher" });
    encoder.send(5);
    await viewer.waitUntil("the pictures", (messages) => pictures(messages).length === 5);
  });

  test(`redirect: a forward goes where its destination sends it in answer to ${at}`, async (t) => {
    const far = await startServer(t, "vhost __defaultVhost__ { min_latency on; }");
    const viewer = await watch(t, far.rtmpUrl("s"));
    const named = await pointer(t, () => Number(far.address.split(":")[1]), at);
    const forward = `forward { enabled on; destination 127.0.0.1:${named.port}; }`;
    const origin = await startServer(t, `vhost __defaultVhost__ { min_latency on; ${forward} }`);
    const source = await publisher(origin.rtmpUrl("s"));
    t.after(() => source.close());
    for (const media of film) source.send(media);
    await viewer.waitForMedia(film.length);
    assert.deepEqual(said(origin, "forward.lost"), []);
  });
}
