// Exactly one pair of events for each session, whatever becomes of the process that serves it: one that goes on elsewhere is the same
// session, and one that is over for good is closed by the master. Plan b, and blow after blow: hooks-blows.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertGoOn, audience, closeAll, inLull, waitForMore } from "../helpers/audience.js";
import { killChild, pidOf, untilKept } from "../helpers/carried.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { freePort } from "../helpers/ports.js";
import { freeze } from "../helpers/processes.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../helpers/rtmp-connection.js";
import { eventually } from "../helpers/wait.js";

const conf = (inside: string, more = ""): string => `
listen 1935;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { play { mw_latency 100; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } ${inside} }
dolphin { heartbeat_timeout 2; ${more} }`;

const isProvoked = ({ event }: LogLine): boolean =>
  /^child\.(?:exited|hung)$|^connections\.carried$|^p(?:ush|ull)\.lost$/.test(event ?? "");
const ends: ReadonlySet<string> = new Set(["on_stop", "on_unpublish", "on_close"]);

const pairs = [
  ["on_connect", "on_close"],
  ["on_publish", "on_unpublish"],
  ["on_play", "on_stop"],
] as const;

function assertAllPaired(site: HookBackend): void {
  site.assertPairs("on_connect", "on_close");
  for (const { body } of site.of("on_close")) assert.equal(site.actions(body["client_id"]).at(-1), "on_close");
  site.assertPairs("on_publish", "on_unpublish");
  site.assertPairs("on_play", "on_stop");
}

async function scraped(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

/** How many of all calls so far tell of an end. */
function endsOf(site: HookBackend): number {
  return site.calls.filter(({ action }) => ends.has(action)).length;
}

void test("viewers and publishers that go on in other processes are told of once, however often that happens", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, {
    conf: conf(site.all),
    words: (rtmpPort, httpPort) => ["--cores", "2", "--listen", `127.0.0.1:${rtmpPort}`, "--http", `127.0.0.1:${httpPort}`],
  });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  await untilKept(dolphin, viewers.length);
  // Those who came to the wrong edge have left.
  await site.until("nobody else", () => site.of("on_play").length - site.of("on_stop").length === viewers.length);
  await site.until("nobody else", () => site.of("on_connect").length - site.of("on_close").length === viewers.length - 3 + 1);
  const before = endsOf(site);
  await killChild(dolphin, "edge-1", (kill) => inLull(dolphin, viewers.source, viewers, kill));
  await assertGoOn(viewers, 20);
  const from = dolphin.logLength;
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted", { from, timeoutMs: 20_000 });
  await assertGoOn(viewers, 20);
  await dolphin.ask("upgrade");
  await assertGoOn(viewers, 20);
  await inLull(dolphin, viewers.source, viewers, async () => freeze(await pidOf(dolphin, "edge-1")));
  await dolphin.waitFor("child.exited", { from, where: ({ child }) => child === "edge-1", timeoutMs: 20_000 });
  await waitForMore(viewers, 20); // a hang may cost a picture
  assert.equal(endsOf(site), before, JSON.stringify(site.actions()));
  closeAll(viewers);
  viewers.source.close();
  await site.until("all ends", () => endsOf(site) >= before + 2 * 5 + 3 + 2);
  assertAllPaired(site);
  await dolphin.stop({ allow: isProvoked });
  assertAllPaired(site);
});

void test("viewers that end with a killed edge are closed by the master", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all, "carry_sessions off;"), cores: 2 });
  const source = await publisher(dolphin.rtmpUrl("s"));
  const at = dolphin.pidOf("edge-1");
  const viewers = [await playerAt(t, dolphin, "s", at), await playerAt(t, dolphin, "s", at)];
  await site.until("nobody else", () => site.of("on_play").length - site.of("on_stop").length === 2);
  await killChild(dolphin, "edge-1");
  await Promise.all(viewers.map(({ ended }) => ended));
  await site.until("both ends", () => site.of("on_stop").length === site.of("on_play").length);
  source.close();
  await site.until("all ends", () => site.of("on_close").length === site.of("on_connect").length);
  assertAllPaired(site);
  await dolphin.stop({ allow: isProvoked });
  assertAllPaired(site);
});

void test("the publisher of a killed server is closed by the master, and its viewers, who stay, when they leave", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all), args: ["--plan", "single"] });
  const viewers = await audience(t, dolphin, "server", "server");
  await untilKept(dolphin, viewers.length);
  await killChild(dolphin, "server", (kill) => inLull(dolphin, viewers.source, viewers, kill));
  await site.waitFor("on_unpublish");
  await site.waitFor("on_close");
  assert.deepEqual(site.of("on_stop"), []);
  closeAll(viewers);
  await site.waitFor("on_stop", viewers.length);
  await site.waitFor("on_close", 5 + 1);
  assertAllPaired(site);
  await dolphin.stop({ allow: isProvoked });
  assertAllPaired(site);
});

void test("whoever waits for an answer when his process is killed was not let in, and nobody is told of him", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, { conf: conf(site.all), args: ["--plan", "single"] });
  site.answer = ({ action }) => (action === "on_play" ? new Promise(() => undefined) : "0");
  const connection = await RtmpConnection.open(parseRtmpUrl(dolphin.rtmpUrl("s")));
  connection.command("play", ["s"], { streamId: 1 });
  await site.waitFor("on_play");
  await killChild(dolphin, "server");
  await connection.ended;
  await site.waitFor("on_close"); // it had passed on_connect
  site.answer = () => "0";
  const viewer = await player(dolphin.rtmpUrl("s"));
  viewer.close();
  await site.waitFor("on_close", 2);
  assert.deepEqual(site.actions(), ["on_connect", "on_play", "on_close", "on_connect", "on_play", "on_stop", "on_close"]);
  await dolphin.stop({ allow: isProvoked });
});

void test("an origin of its own that is killed costs no publisher his session, and metrics call it by its name", async (t) => {
  const [site, port] = [await HookBackend.start(t), await freePort()];
  const dolphin = await Dolphin.start(t, {
    conf: `${conf(site.all, "origin_process child;")} exporter { enabled on; listen 127.0.0.1:${port}; }`,
    cores: 2,
  });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  await site.until("nobody else", () => site.of("on_play").length - site.of("on_stop").length === viewers.length);
  const before = endsOf(site);
  const from = dolphin.logLength;
  process.kill(await pidOf(dolphin, "origin"), "SIGKILL");
  await dolphin.waitFor("push.resumed", { from, timeoutMs: 20_000 });
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(viewer.media.length + 20)));
  assert.equal(endsOf(site), before);
  await eventually(async () => /upstream_failures_total\{process="edge-2",upstream="origin",/.test(await scraped(port)), {
    what: "its name",
  });
  closeAll(viewers);
  viewers.source.close();
  await site.until("all ends", () => endsOf(site) >= before + 2 * 5 + 3 + 2);
  assertAllPaired(site);
  await dolphin.stop({ allow: isProvoked });
});

void test("an origin of its own hangs, and meanwhile the backend too, and a reload comes: each session has one pair", async (t) => {
  const site = await HookBackend.start(t);
  const text = conf(site.all, "origin_process child;");
  const dolphin = await Dolphin.start(t, { conf: text, cores: 2 });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  const leaver = await steadyPublisherAt(t, dolphin, "edge-1", "other");
  await site.until("nobody else", () => site.of("on_play").length - site.of("on_stop").length === viewers.length);
  // A viewer who waits for an answer, and two who leave while nobody listens.
  let letIn = (): void => undefined;
  const isSilent = new Promise<void>((resolve) => (letIn = resolve));
  site.answer = async () => {
    await isSilent;
    return "0";
  };
  const before = site.calls.length;
  const from = dolphin.logLength;
  await freeze(await pidOf(dolphin, "origin"));
  const waiting = player(dolphin.rtmpUrl("show"));
  const [first, ...rest] = viewers;
  first?.close();
  leaver.close();
  await site.until("what nobody answers", () => site.calls.length >= before + 3);
  await dolphin.waitFor("child.hung", { from, timeoutMs: 20_000 });
  await dolphin.reload(text.replace("mw_latency 100", "mw_latency 120"));
  letIn();
  await dolphin.waitFor("push.resumed", { from, timeoutMs: 20_000 });
  await waitForMore(rest, 20);
  const late = await waiting;
  t.after(() => late.close());
  await late.waitForMedia(20);
  await site.until(
    "two ends, and no more",
    () => site.of("on_unpublish").length === 1 && site.of("on_connect").length - site.of("on_close").length === 6,
  );
  assert.equal(site.of("on_play").length - site.of("on_stop").length, viewers.length);
  closeAll(rest);
  late.close();
  viewers.source.close();
  await site.until("all ends", () => pairs.every(([begin, end]) => site.of(begin).length === site.of(end).length));
  assertAllPaired(site);
  await dolphin.stop({ allow: isProvoked });
  assertAllPaired(site);
});

void test("who is sent away, or loses his vhost by a reload, is closed once", async (t) => {
  const site = await HookBackend.start(t);
  const gone = `vhost gone.example.com { ${site.all} }`;
  const dolphin = await Dolphin.start(t, { conf: `${conf(site.all)} ${gone}`, cores: 2 });
  const urls = [dolphin.rtmpUrl("s"), `${dolphin.rtmpUrl("s")}?vhost=gone.example.com`];
  const sources = await Promise.all(urls.map((url) => publisher(url)));
  const viewers = await Promise.all(urls.map((url) => player(url)));
  await site.waitFor("on_play", 2);
  await site.waitFor("on_publish", 2);
  assert.match(await dolphin.ask("kick", "__defaultVhost__/live/s"), /2/);
  await site.waitFor("on_close", 2);
  await dolphin.reload(`${conf(site.all)} ${gone.replace("{", "{ enabled off;")}`);
  await Promise.all([...sources.map(({ connection }) => connection.ended), ...viewers.map(({ ended }) => ended)]);
  await site.waitFor("on_close", 4);
  assertAllPaired(site);
  await dolphin.stop({ allow: (line) => isProvoked(line) || line.code === "RTMP_KICKED" || line.code === "RTMP_RELOAD" });
  assertAllPaired(site);
});
