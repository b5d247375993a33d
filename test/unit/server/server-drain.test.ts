import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { watchFlv } from "../../helpers/flv-reader.js";
import { pictures } from "../../helpers/media.js";
import { player } from "../../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../../helpers/rtmp-connection.js";
import { eventually, within } from "../../helpers/wait.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

const vhost = "vhost __defaultVhost__ { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }";

/** A connection to the HTTP port that has sent this, and has been answered if it was anything. */
async function httpConnection(
  t: TestContext,
  rig: Rig,
  said: string,
): Promise<{ readonly answer: string; readonly ended: Promise<unknown> }> {
  const { hostname, port } = new URL(rig.flvUrl("s"));
  const socket: Socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const ended = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(said);
  const answer = said === "" ? "" : await new Promise((resolve) => socket.once("data", resolve));
  socket.resume();
  return { answer: String(answer), ended };
}

test("drain: viewers and publishers are served until they leave, nobody else is let in, and then it is over", async (t) => {
  const rig = await startServer(t, vhost);
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  encoder.send(3);
  const response = await watchFlv(rig.flvUrl("s"));
  t.after(() => response.close());
  let isOver = false;
  const over = rig.server.drain("another process takes its place").then(() => (isOver = true));
  await assert.rejects(player(rig.rtmpUrl("s")), /ECONNREFUSED/);
  await assert.rejects(watchFlv(rig.flvUrl("s")), /ECONNREFUSED/);
  encoder.send(3);
  await viewer.waitUntil("six pictures", (messages) => pictures(messages).length === 6);
  await response.waitUntil("six pictures", (tags) => pictures(tags).length === 6);
  encoder.source.close();
  viewer.close();
  await viewer.ended;
  assert.equal(isOver, false, "one viewer is left");
  response.close();
  assert.ok(await within(over, 5000, "the end of the drain"));
});

test("drain: a stream is pulled for those who watch it, and for nobody once they have left", async (t) => {
  const far = await startServer(t, vhost);
  const rig = await startServer(t, `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${far.address}; } }`);
  const encoder = await Encoder.open(t, far.rtmpUrl("s"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  encoder.send(3);
  await viewer.waitForMedia(3);
  const over = rig.server.drain("another process takes its place");
  encoder.send(3);
  await viewer.waitUntil("six pictures", (messages) => pictures(messages).length === 6);
  viewer.close();
  await within(over, 5000, "the end of the drain");
  await rig.server.close("drained");
});

test("drain: connections that do nothing do not hold it up", async (t) => {
  const rig = await startServer(t, vhost);
  const idle = await RtmpConnection.open(parseRtmpUrl(rig.rtmpUrl("s")));
  t.after(() => idle.close());
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  const silent = await httpConnection(t, rig, "");
  const kept = await httpConnection(t, rig, "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.match(kept.answer, /Connection: keep-alive/);
  await eventually(() => rig.server.stats().connections === 4, { what: "four connections" });
  const over = rig.server.drain("another process takes its place");
  encoder.source.unpublish();
  await within(Promise.all([over, idle.ended, encoder.source.connection.ended, silent.ended, kept.ended]), 10_000, "the end of the drain");
  const lines = rig.lines.filter(({ event }) => event === "rtmp.closed");
  assert.deepEqual(
    lines.map(({ reason, code }) => [reason, code]),
    [
      ["another process takes its place", undefined],
      ["another process takes its place", undefined],
    ],
  );
});

test("drain: on a connection that is kept with a request under way, the answer after it is the last", async (t) => {
  const rig = await startServer(t, vhost);
  const { hostname, port } = new URL(rig.flvUrl("s"));
  const socket: Socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const ended = new Promise((resolve) => socket.once("close", resolve));
  let heard = "";
  socket.on("data", (bytes) => (heard += String(bytes)));
  socket.write("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\nGET");
  await eventually(() => heard.includes("HTTP/1.1"), { what: "the first answer" });
  const over = rig.server.drain("another process takes its place");
  socket.write(" / HTTP/1.1\r\nHost: a\r\n\r\n");
  await within(Promise.all([over, ended]), 5000, "the end of the drain");
  assert.match(heard, /200 OK[^]*Connection: close[^]*this is a live-streaming server/i);
});

test("drain: who is left when its time is nearly over is sent away one by one, viewers before publishers", async (t) => {
  const rig = await startServer(t, vhost);
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  const viewers = await Promise.all([1, 2, 3].map(() => watch(t, rig.rtmpUrl("s"))));
  encoder.send(3);
  const response = await watchFlv(rig.flvUrl("s"));
  t.after(() => response.close());
  const gone: string[] = [];
  const over = rig.server.drain("the box ends", { afterMs: 0, overMs: 600 }).then(() => gone.push("over"));
  for (const viewer of viewers) void viewer.ended.then(() => gone.push("viewer"));
  void response.ended.then(() => gone.push("viewer"));
  void encoder.source.connection.ended.then(() => gone.push("publisher"));
  await within(over, 5000, "the end of the drain");
  await eventually(() => gone.length === 6, { what: "everybody to notice" });
  assert.deepEqual(
    gone.filter((who) => who !== "over"),
    ["viewer", "viewer", "viewer", "viewer", "publisher"],
  );
});
