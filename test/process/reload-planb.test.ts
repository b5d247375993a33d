// Reloads of plan b with people connected: what proxies and their servers take while they run, and what takes new proxies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { freePort, refuses } from "../helpers/ports.js";
import { player } from "../helpers/rtmp-client.js";
import { namesOf, show, vhost } from "../helpers/show.js";
import { eventually, within } from "../helpers/wait.js";

function confOf(rtmp: number, http: number, vhosts: string, dolphin = ""): string {
  return `listen 127.0.0.1:${rtmp}; http_server { enabled on; listen 127.0.0.1:${http}; } dolphin { plan b; cores 2; ${dolphin} } ${vhosts}`;
}

const asStarted = ["master up", "server-1 up", "server-2 up", "proxy-1 up", "proxy-2 up"];

void test("reload, plan b: options of vhosts and of balancing change in the processes that run", async (t) => {
  const dolphin = await Dolphin.start(t, { words: () => [], conf: (rtmp, http) => confOf(rtmp, http, vhost("one")) });
  const { rtmpPort, httpPort } = dolphin;
  const one = await show(t, dolphin, "s?vhost=one");
  const vhosts = `${vhost("one", "play { gop_cache off; }")} ${vhost("two")}`;
  await dolphin.reload(confOf(rtmpPort, httpPort, vhosts, "balance hash; server_weight 3 5; trusted_proxies 10.0.0.0/8;"));
  await one.goesOn();
  assert.deepEqual(await namesOf(dolphin), asStarted);
  const { balance } = await dolphin.status();
  assert.deepEqual([balance?.policy, balance?.servers.map(({ weight }) => weight)], ["hash", [3, 5]]);

  const two = await show(t, dolphin, "s?vhost=two");
  const response = await watchFlv(`${dolphin.flvUrl("s")}?vhost=two`);
  t.after(() => response.close());
  await response.waitForMedia(10);
  const keys = (await dolphin.status()).balance?.leases.map(({ key }) => key) ?? [];
  assert.deepEqual(
    keys.toSorted((a, b) => a.localeCompare(b)),
    ["one/live/s", "two/live/s"],
  );

  await dolphin.reload(confOf(rtmpPort, httpPort, vhost("one")));
  const ended = [two.source.connection.ended, ...two.viewers.map((viewer) => viewer.ended), response.ended];
  await within(Promise.all(ended), 5000, "the end of everybody of the vhost two");
  await one.goesOn();

  assert.match(await dolphin.ask("restart"), /^done\n  the proxies were replaced; the servers behind them run on/);
  await one.goesOn();
  assert.deepEqual(
    (await namesOf(dolphin)).filter((name) => name.startsWith("server")),
    ["server-1 up", "server-2 up"],
  );
  await dolphin.stop({ allow: ({ code }: LogLine) => code === "RTMP_RELOAD" });
});

void test("reload, plan b: another port is served by other proxies, and the old ones carry those who came by the old one", async (t) => {
  const other = await freePort();
  const dolphin = await Dolphin.start(t, { words: () => [], conf: (rtmp, http) => confOf(rtmp, http, vhost("one")) });
  const one = await show(t, dolphin, "s?vhost=one");
  await dolphin.reload(confOf(other, dolphin.httpPort, vhost("one")));
  await refuses(dolphin.rtmpPort);
  const late = await player(`rtmp://127.0.0.1:${other}/live/s?vhost=one`);
  t.after(() => late.close());
  await late.waitForMedia(10);
  const response = await watchFlv(`${dolphin.flvUrl("s")}?vhost=one`);
  t.after(() => response.close());
  await response.waitForMedia(10);
  await one.goesOn();
  one.close();
  const isReplaced = async (): Promise<boolean> =>
    JSON.stringify(await namesOf(dolphin)) === JSON.stringify([...asStarted.slice(0, 3), "proxy-1.2 up", "proxy-2.2 up"]);
  await eventually(isReplaced, { what: "the old proxies to be gone" });
  await dolphin.stop();
});

void test("QUIT, plan b: the proxies let everybody finish, the servers end last, and USR1 and USR2 disturb nobody before", async (t) => {
  const dolphin = await Dolphin.start(t, {
    words: () => [],
    conf: (rtmp, http) => `grace_start_wait 200; grace_final_wait 100; ${confOf(rtmp, http, vhost("one"))}`,
  });
  const one = await show(t, dolphin, "s?vhost=one");
  dolphin.signal("SIGUSR1");
  await dolphin.waitFor("log.reopened");
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted");
  await one.goesOn();
  dolphin.signal("SIGQUIT");
  await dolphin.waitFor("dolphin.draining");
  await one.goesOn();
  one.close();
  assert.deepEqual(await within(dolphin.ended, 10_000, "the box to end"), { code: 0, signal: null });
  await dolphin.assertCleanLog();
});
