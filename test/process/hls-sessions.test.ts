// Sessions of HLS: whichever process a request of theirs comes to, and whatever becomes of processes, a session is one client of the
// API and one pair of on_play and on_stop.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { askApi, clientsOf } from "../helpers/api.js";
import { Dolphin } from "../helpers/dolphin.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { temporaryFolder } from "../helpers/launch.js";
import { eventually } from "../helpers/wait.js";
import { killChild } from "../helpers/carried.js";

const listText = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.000, no desc\ns-7.ts\n";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** Over a connection of its own, which any edge may take. */
function get(dolphin: Dolphin, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = dolphin.flvUrl("s").replace(/\/live\/.*$/, path);
    const asked = request(url, { agent: false, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const bytes = Buffer.concat(parts);
        const text = (response.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString();
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers });
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function start(t: Parameters<typeof Dolphin.start>[0], site: HookBackend, windowS: number): Promise<Dolphin> {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "live"));
  writeFileSync(join(folder, "live/s.m3u8"), listText);
  writeFileSync(join(folder, "live/s-7.ts"), "a segment");
  const hls = `hls { enabled on; hls_path ${folder}; hls_window ${windowS}; hls_dispose 0; }`;
  return Dolphin.start(t, {
    api: true,
    conf: `listen 1935; http_server { enabled on; listen 8080; dir ${folder}; }
vhost __defaultVhost__ { ${hls} ${site.block("on_play", "on_stop")} }`,
  });
}

/** Comes as a viewer does, and gives the URL of his list. */
async function come(dolphin: Dolphin, query = ""): Promise<string> {
  const { status, text } = await get(dolphin, `/live/s.m3u8${query}`);
  assert.equal(status, 200, text);
  const [, uri = ""] =
    /^#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+[^\n]*\n(s\.m3u8\?hls_ctx=[^\n]*)\n$/.exec(text) ?? [];
  assert.notEqual(uri, "", text);
  return `/live/${uri}`;
}

test("hls: a session is one client and one pair of hooks, over both edges, a death, a restart and an upgrade", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await start(t, site, 2);
  const list = await come(dolphin, "?token=a");
  const id = /hls_ctx=([\w-]+)/.exec(list)?.[1] ?? "";
  assert.match(list, /&token=a$/);
  const { body } = await site.waitFor("on_play");
  assert.deepEqual([body["client_id"], body["stream"], body["param"], body["clients"]], [id, "s.m3u8", "?token=a", 1]);
  const wrong: string[] = [];
  const watch = new AbortController();
  t.after(() => watch.abort());
  const watching = (async () => {
    while (!watch.signal.aborted) {
      const { status, text } = await get(dolphin, list).catch((): Answer => ({ status: 200, text: `s-7.ts?hls_ctx=${id}\n`, headers: {} }));
      if (status !== 200 || !text.includes(`\ns-7.ts?hls_ctx=${id}\n`)) wrong.push(`${status} ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  await eventually(async () => (await clientsOf(dolphin)).length === 1);
  const [client] = await clientsOf(dolphin);
  assert.deepEqual([client?.id, client?.type, client?.name], [id, "hls-play", "s.m3u8"]);
  await killChild(dolphin, "edge-1", (kill) => Promise.resolve(kill()));
  const from = dolphin.logLength;
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted", { from, timeoutMs: 20_000 });
  await dolphin.ask("upgrade");
  await eventually(async () => (await clientsOf(dolphin)).some((one) => one.id === id));
  assert.deepEqual(site.actions(), ["on_play"]);
  watch.abort();
  await watching;
  await site.waitFor("on_stop", 1, 10_000);
  assert.deepEqual(wrong, []);
  assert.deepEqual(site.actions(), ["on_play", "on_stop"]);
  site.assertPairs("on_play", "on_stop");
  await eventually(async () => (await clientsOf(dolphin)).length === 0);
  assert.equal((await get(dolphin, list)).status, 200, "who comes back is asked about anew");
  assert.deepEqual(site.actions(), ["on_play", "on_stop", "on_play"]);
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
  assert.deepEqual(site.actions(), ["on_play", "on_stop", "on_play", "on_stop"], "the end of the box is the end of its sessions");
});

test("hls: whom the site refuses gets no list by any name, and whom an operator sends away none at any edge", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await start(t, site, 60);
  const list = await come(dolphin);
  const id = /hls_ctx=([\w-]+)/.exec(list)?.[1] ?? "";
  site.answer = ({ action }) => (action === "on_play" ? "1" : "0");
  for (const path of ["/live/s.m3u8", "/live/s.m3u8?hls_ctx=0123456789abcdef", "/live/s.m3u8?hls_ctx=0123456789abcdef"])
    assert.equal((await get(dolphin, path)).status, 403, path);
  site.answer = () => "0";
  for (let times = 0; times < 8; times++) assert.equal((await get(dolphin, list)).status, 200);
  assert.equal((await askApi(dolphin, `/clients/${id}`, { method: "DELETE" })).code, 0);
  await site.waitFor("on_stop");
  for (let times = 0; times < 8; times++) assert.deepEqual([(await get(dolphin, list)).status, times], [404, times]);
  assert.equal(site.of("on_stop").length, 1);
  await dolphin.stop({ allow: ({ event }) => event === "http.refused" });
});

test("hls: lists and segments carry what caches and players go by", async (t) => {
  const site = await HookBackend.start(t);
  const dolphin = await start(t, site, 60);
  const list = await come(dolphin);
  const [plain, zipped] = [await get(dolphin, list), await get(dolphin, list, { "accept-encoding": "gzip" })];
  assert.equal(zipped.headers["content-encoding"], "gzip");
  assert.equal(zipped.text, plain.text);
  assert.deepEqual([plain.headers["cache-control"], plain.headers["vary"]], ["max-age=1", "Accept-Encoding"]);
  assert.equal((await get(dolphin, list, { "if-none-match": String(plain.headers["etag"]) })).status, 304);
  const segment = await get(dolphin, "/live/s-7.ts", { range: "bytes=2-4", origin: "http://page.test" });
  assert.deepEqual([segment.status, segment.text, segment.headers["content-range"]], [206, "seg", "bytes 2-4/9"]);
  assert.deepEqual([segment.headers["content-type"], segment.headers["access-control-allow-origin"]], ["video/mp2t", "*"]);
  assert.equal(segment.headers["cache-control"], "public, max-age=3600, immutable");
  await dolphin.stop();
});
