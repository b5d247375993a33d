// Who is let in by the site's backend, as real encoders and players see it, and what the backend is told when a box ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAtEachEdge } from "../helpers/edges.js";
import { findFfmpeg, publish } from "../helpers/ffmpeg.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

const conf = (inside: string, more = ""): string => `
listen 1935;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { play { mw_latency 100; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } ${inside} }
${more}`;

const isRefusal = ({ event, code }: { event?: string; code?: string }): boolean =>
  (event === "rtmp.closed" && (code === "HOOK_REFUSED" || code === "HOOK_FAILED")) || event === "hook.failed";

void test("ffmpeg publishes and plays with the token that the backend knows, and is told why without", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = ({ body }) => (String(body["param"] ?? "?token=good").includes("token=good") ? "0" : '{"code":403}');
  const dolphin = await Dolphin.start(t, { conf: conf(site.all) });
  const ffmpegSays = async (...args: readonly string[]): Promise<string> => {
    try {
      return await run(findFfmpeg(), ["-hide_banner", "-v", "info", ...args], 20_000);
    } catch (thrown) {
      return String(thrown);
    }
  };
  const picture = ["-re", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-t", "1", "-c:v", "libx264", "-f", "flv"];
  assert.match(await ffmpegSays(...picture, dolphin.rtmpUrl("s?token=bad")), /the backend of this site refused it \(on_connect\)/);
  assert.deepEqual(site.actions(), ["on_connect"]);
  const source = publish(dolphin.rtmpUrl("s?token=good"), { seconds: 60 });
  t.after(() => source.stop());
  await source.started;
  const record = ["-t", "1", "-c", "copy", "-f", "null", "-"];
  assert.match(
    await ffmpegSays("-i", dolphin.rtmpUrl("s?token=bad"), ...record),
    /the backend of this site refused it|Input\/output error/,
  );
  assert.match(await ffmpegSays("-i", `${dolphin.flvUrl("s")}?token=bad`, ...record), /403 Forbidden/);
  assert.equal(site.of("on_stop").length, 0);
  await run(findFfmpeg(), ["-v", "error", "-i", dolphin.rtmpUrl("s?token=good"), ...record], 20_000);
  await run(findFfmpeg(), ["-v", "error", "-i", `${dolphin.flvUrl("s")}?token=good`, ...record], 20_000);
  await source.stop();
  await site.waitFor("on_unpublish");
  await site.waitFor("on_stop", 2);
  const played = site.of("on_stop").map(({ body }) => site.actions(body["client_id"]).join());
  assert.deepEqual(played.toSorted(), ["on_connect,on_play,on_stop,on_close", "on_play,on_stop"]);
  await dolphin.stop({ allow: (line) => isRefusal(line) || line.event === "http.refused" });
});

void test("when a box is stopped, everybody is closed with the backend before it is gone", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all) });
  await steadyPublisher(t, dolphin, "s");
  const viewers = await Promise.all([1, 2, 3, 4].map(() => player(dolphin.rtmpUrl("s"))));
  const flv = await watchFlv(dolphin.flvUrl("s"));
  await flv.waitForMedia(1);
  site.answer = () => new Promise((resolve) => setTimeout(() => resolve("0"), 100));
  await dolphin.stop();
  assert.equal(site.of("on_play").length, viewers.length + 1);
  site.assertPairs("on_connect", "on_close");
  site.assertPairs("on_publish", "on_unpublish");
  site.assertPairs("on_play", "on_stop");
});

void test("a backend that does not answer keeps nobody from stopping the box, and is asked for no longer than it may take", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all) });
  await player(dolphin.rtmpUrl("s"));
  await dolphin.reload(conf(site.all, "dolphin { hook_timeout 0.5; stop_timeout 4; }"));
  site.answer = () => new Promise(() => undefined);
  await assert.rejects(player(dolphin.rtmpUrl("s")), /Play.Failed|closed/);
  await dolphin.waitFor("hook.failed");
  await dolphin.stop({ allow: isRefusal });
});

void test("a reload brings hooks, changes them and takes them away, for those who come behind it", async (t) => {
  const [old, now] = [await HookBackend.start(t), await HookBackend.start(t)];
  const dolphin = await Dolphin.start(t, { conf: conf("") });
  const free = await player(dolphin.rtmpUrl("s"));
  await dolphin.reload(conf(old.all));
  const early = await player(dolphin.rtmpUrl("s"));
  const source = await publisher(dolphin.rtmpUrl("s"));
  await dolphin.reload(conf(now.all));
  const late = await player(dolphin.rtmpUrl("s"));
  await dolphin.reload(conf(""));
  const again = await player(dolphin.rtmpUrl("s"));
  for (const one of [free, early, late, again, source]) one.close();
  await old.waitFor("on_close", 2);
  await now.waitFor("on_close", 1);
  const all = "on_close on_close on_connect on_connect on_play on_publish on_stop on_unpublish";
  assert.equal(old.actions().toSorted().join(" "), all);
  assert.deepEqual(now.actions(), ["on_connect", "on_play", "on_stop", "on_close"]);
  await dolphin.stop();
});

void test("every process knows the box by the same names, and by another one after each start", async (t) => {
  const site = await HookBackend.start(t);
  const told = async (): Promise<{ server: Set<unknown>; service: Set<unknown>; stream: Set<unknown> }> => {
    const dolphin = await Dolphin.start(t, { conf: conf(site.all, "server_id vid-box;") });
    const before = site.calls.length;
    const source = await publisher(dolphin.rtmpUrl("s"));
    const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("s"));
    for (const one of [source, ...viewers]) one.close();
    await site.until("all ends", () => site.of("on_close").length === site.of("on_connect").length);
    await dolphin.stop();
    const calls = site.calls.slice(before);
    const valuesOf = (name: string): Set<unknown> => new Set(calls.flatMap(({ body }) => (name in body ? [body[name]] : [])));
    return { server: valuesOf("server_id"), service: valuesOf("service_id"), stream: valuesOf("stream_id") };
  };
  const [first, second] = [await told(), await told()];
  for (const { server, service, stream } of [first, second]) {
    assert.deepEqual([...server], ["vid-box"]);
    assert.equal(service.size, 1);
    assert.equal(stream.size, 1);
  }
  assert.notDeepEqual(first.service, second.service);
  assert.deepEqual(first.stream, second.stream);
});

void test("a backend is told how many play a stream in the whole box", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all), cores: 2 });
  const early = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("s"));
  await eventually(
    async () => {
      const seen = site.of("on_play").length;
      (await player(dolphin.rtmpUrl("s"))).close();
      const { body } = await site.waitFor("on_play", seen + 1);
      await site.until("its end", () => site.of("on_stop").some((end) => end.body["client_id"] === body["client_id"]));
      return body["clients"] === early.length + 1;
    },
    { what: "the count of all" },
  );
  for (const one of early) one.close();
  await site.until("all ends", () => site.of("on_stop").length === site.of("on_play").length);
  await dolphin.stop();
});

void test("over plan b our own servers call, each for its clients and by the client's own address", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all), args: ["--plan", "b"], cores: 2 });
  const source = await steadyPublisher(t, dolphin, "s");
  const viewer = await player(dolphin.rtmpUrl("s"));
  const flv = await watchFlv(dolphin.flvUrl("s"));
  await site.waitFor("on_play", 2);
  for (const one of [source, viewer, flv]) one.close();
  await site.waitFor("on_close", 2);
  await site.waitFor("on_stop", 2);
  site.assertPairs("on_connect", "on_close");
  site.assertPairs("on_publish", "on_unpublish");
  site.assertPairs("on_play", "on_stop");
  assert.deepEqual([...new Set(site.calls.map(({ body }) => body["ip"]))], ["127.0.0.1"]);
  await eventually(async () => (await dolphin.status()).streams.every(({ players }) => players === 0));
  await dolphin.stop();
});
