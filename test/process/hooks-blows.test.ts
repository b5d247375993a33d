// One box, blow after blow, and a backend that takes everything down: whatever dies or hangs, the master at last, each session that the
// backend has let in is told of once at its begin and once at its end. Edges, origins and single servers: hooks-deaths.test.ts.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { waitForMore } from "../helpers/audience.js";
import { killChild, pidOf, untilKept } from "../helpers/carried.js";
import { Dolphin, type Cleanup } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { temporaryFolder } from "../helpers/launch.js";
import { headers, step } from "../helpers/media.js";
import { freeze, waitUntilGone } from "../helpers/processes.js";
import { player, publisher, type Media } from "../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../helpers/rtmp-connection.js";
import { steadyPublisher } from "../helpers/show.js";

const pairs = [
  ["on_connect", "on_close"],
  ["on_publish", "on_unpublish"],
  ["on_play", "on_stop"],
] as const;

/** Begins without an end yet. */
function open(site: HookBackend, begin: string): number {
  const end = pairs.find(([first]) => first === begin)?.[1] ?? "";
  return site.of(begin).length - site.of(end).length;
}

/** Everybody has come once and left once. */
function assertAllPaired(site: HookBackend): void {
  for (const [begin, end] of pairs) {
    site.assertPairs(begin, end);
    const ids = site.of(begin).map(({ body }) => body["client_id"]);
    assert.equal(new Set(ids).size, ids.length, `${begin}: nobody is told of twice`);
  }
}

/** A list of HLS as a packager leaves it, in a folder that is served. */
function folderWithList(t: Cleanup): string {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "live"));
  writeFileSync(join(folder, "live/h.m3u8"), "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2.000,\nh-7.ts\n");
  return folder;
}

void test("an admin and a packager that are killed end nobody's session, and those of a killed master are closed by the next one", async (t) => {
  const [site, folder] = [await HookBackend.start(t), folderWithList(t)];
  const socket = join(folder, "box.sock");
  const conf = `listen 1935; http_server { enabled on; listen 8080; dir ${folder}; }
vhost __defaultVhost__ {
  play { mw_latency 100; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }
  hls { enabled on; hls_path ${folder}; hls_window 30; hls_dispose 0; } ${site.all}
}
dolphin { control_socket ${socket}; }`;
  const first = await Dolphin.start(t, { api: true, conf });
  await steadyPublisher(t, first, "s");
  const viewers = [await player(first.rtmpUrl("s")), await watchFlv(first.flvUrl("s"))];
  for (const viewer of viewers) t.after(() => viewer.close());
  const listAt = (box: Dolphin, path: string): Promise<string> =>
    fetch(`http://127.0.0.1:${box.httpPort}/live/${path}`).then((answer) => answer.text());
  const [list = ""] = /h\.m3u8\?hls_ctx=\S+/.exec(await listAt(first, "h.m3u8")) ?? [];
  await site.waitFor("on_play", 3);
  for (const name of ["admin", "packager"]) await killChild(first, name);
  await waitForMore(viewers, 20);
  assert.match(await listAt(first, list), /h-7\.ts/);
  // Somebody waits for his answer: he is not let in, and that he was asked about ends with that.
  site.answer = ({ body }) => (body["stream"] === "waits" ? new Promise(() => undefined) : "0");
  const waiting = await RtmpConnection.open(parseRtmpUrl(first.rtmpUrl("waits")));
  t.after(() => waiting.close());
  waiting.command("play", ["waits"], { streamId: 1 });
  await site.until("him", () => site.calls.some(({ body }) => body["stream"] === "waits"));
  assert.equal(site.actions().filter((action) => /close|stop|unpublish/.test(action)).length, 0, JSON.stringify(site.actions()));

  first.signal("SIGKILL");
  await Promise.all([waitUntilGone(Object.values(first.pids), 5000), ...viewers.map(({ ended }) => ended)]);
  assert.ok(existsSync(`${socket}.admin`), "what a killed admin leaves");
  site.answer = () => "0";
  const second = await Dolphin.start(t, { cores: 1, conf });
  assert.ok(!existsSync(`${socket}.admin`), "the next start takes it away");
  await second.waitFor("hook.left");
  await site.until("all ends", () => open(site, "on_publish") === 0 && open(site, "on_play") === 1 && site.of("on_close").length === 2);
  const [, id = ""] = /hls_ctx=([\w-]+)/.exec(list) ?? [];
  assert.match(await listAt(second, list), /h-7\.ts/);
  assert.deepEqual(site.actions(id), ["on_play"], "a viewer of HLS has no connection to lose, and goes on");
  (await player(second.rtmpUrl("s"))).close();
  await second.stop();
  const asked = site.calls.filter(({ body }) => body["stream"] === "waits");
  assert.deepEqual(new Set(asked.map(({ action }) => action)), new Set(["on_connect"]));
  site.calls.splice(0, Infinity, ...site.calls.filter((call) => !asked.includes(call)));
  assertAllPaired(site);
  assert.ok(!existsSync(`${socket}.dues`), "nothing is due any more");
});

/** Somebody who comes again whenever he was closed. */
class Regular {
  private readonly come: () => Promise<{ readonly ended: Promise<unknown>; close(): void }>;
  private leaveNow = (): void => undefined;
  private hasLeft = false;
  private readonly over: Promise<void>;

  constructor(t: Cleanup, come: Regular["come"]) {
    this.come = come;
    this.over = this.stay();
    t.after(() => this.leave());
  }

  async leave(): Promise<void> {
    this.hasLeft = true;
    this.leaveNow();
    await this.over;
  }

  private async stay(): Promise<void> {
    while (!this.hasLeft) {
      try {
        const one = await this.come();
        this.leaveNow = () => one.close();
        if (this.hasLeft) one.close();
        await one.ended;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50)); // nobody to come to yet
      }
    }
  }
}

void test("proxies and servers of plan b are killed, hang, and are replaced: whoever comes again is a session more, and each has one pair", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await Dolphin.start(t, {
    args: ["--plan", "b"],
    conf: `listen 1935; http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { play { mw_latency 100; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } ${site.all} }
dolphin { heartbeat_timeout 2; servers 2; balance round_robin; play_wait 2; }`,
  });
  const streams = ["one", "other"];
  let isOnAir = false;
  const regulars = [
    ...streams.map((name) => async () => {
      const source = await publisher(dolphin.rtmpUrl(name));
      let sent = 0;
      const next = (): readonly Media[] => (sent++ === 0 ? headers("avc", "aac") : step("avc", "aac", sent - 2));
      source.sendEvery(() => (isOnAir ? next() : []), 40);
      return { ended: source.connection.ended, close: () => source.close() };
    }),
    ...streams.map((name) => () => player(dolphin.rtmpUrl(name))),
  ].map((come) => new Regular(t, come));
  const everybody = (): Promise<void> =>
    site.until("everybody", () => open(site, "on_publish") === 2 && open(site, "on_play") === regulars.length - 2, 20_000);
  await everybody();
  // Nothing flows yet: who has half a message in a proxy that is killed is cut.
  await untilKept(dolphin, 4);
  for (const name of ["proxy-1", "proxy-2"]) await killChild(dolphin, name);
  assert.deepEqual([site.of("on_unpublish"), site.of("on_close")], [[], []], "raw connections go on at another proxy");
  isOnAir = true;
  regulars.push(new Regular(t, () => watchFlv(dolphin.flvUrl("one"))));
  await everybody();
  const strike = async (blows: Readonly<Record<string, (pid: number) => unknown>>): Promise<void> => {
    const from = dolphin.logLength;
    for (const [name, blow] of Object.entries(blows)) await blow(await pidOf(dolphin, name));
    for (const name of Object.keys(blows))
      await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
    await everybody();
  };
  await strike({ "server-1": (pid) => process.kill(pid, "SIGKILL"), "server-2": (pid) => process.kill(pid, "SIGTERM") });
  await strike({ "proxy-2": freeze, "server-1": freeze });
  await dolphin.ask("restart");
  await everybody();
  await Promise.all(regulars.map((one) => one.leave()));
  await site.until("all ends", () => pairs.every(([begin]) => open(site, begin) === 0));
  await dolphin.stop({ allow: () => true });
  assertAllPaired(site);
  assert.ok(site.of("on_publish").length > 2 && site.of("on_play").length > 3, "some had to come again");
});
