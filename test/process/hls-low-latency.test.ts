// HLS over fMP4 and with low latency, from a real box: read by ffmpeg, by a parser of lists and by hls.js in a browser, over the death of
// the packager in the middle of a part.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "hls-parser";
import { createFile, MP4BoxBuffer } from "mp4box";
import { openBrowser } from "../helpers/chromium.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { av1Clip } from "../helpers/modern-clips.js";
import { clipSums, pictureSums, repeated, sendClip } from "../helpers/packages.js";
import { publisher, type Media } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const confOf = (hls: string): string =>
  `listen 1935; http_server { enabled on; listen 8080; crossdomain on; }
vhost __defaultVhost__ { min_latency on; publish { normal_timeout 60000; } hls { enabled on; hls_fragment 1; hls_window 60; ${hls} } }`;

function httpUrl(dolphin: Dolphin, path: string): string {
  return dolphin.flvUrl("s").replace(/\/live\/.*$/, `/live/${path}`);
}

async function textOf(dolphin: Dolphin, path: string): Promise<string> {
  const response = await fetch(httpUrl(dolphin, path));
  assert.equal(response.status, 200, path);
  return response.text();
}

async function bytesOf(dolphin: Dolphin, path: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(httpUrl(dolphin, path))).arrayBuffer());
}

async function makeMedia(seconds: number): Promise<Media[]> {
  return repeated(await clip({ seconds: 2, bFrames: 2 }), seconds / 2, 2000);
}

function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

test("low latency: parts are the segments, every picture is there once over a death, and lists are waited for", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf("hls_ctx off; hls_low_latency on; hls_part 0.3;") });
  const ready = await dolphin.waitFor("child.ready", { where: ({ child }) => child === "packager" });
  const media = await makeMedia(6);
  const middle = media.findIndex(({ timestamp }) => timestamp > 2700);
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  await sendClip(source, media, 3, 0, middle);
  const first = await eventually(async () => {
    const response = await fetch(httpUrl(dolphin, "s.m3u8"));
    const text = await response.text();
    return text.includes("s-1.m4s") ? text : null;
  });
  assert.match(first, /^#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0\.900,CAN-SKIP-UNTIL=6\.0$/m);
  assert.match(first, /^#EXT-X-PART-INF:PART-TARGET=0\.300$/m);
  assert.equal(parse(first).isMasterPlaylist, false);
  // A list is waited for for some segments, and asked for again: the next packager may take longer to be there.
  const waited = eventually(
    async () => {
      const response = await fetch(httpUrl(dolphin, "s.m3u8?_HLS_msn=3&_HLS_part=1"));
      return response.status === 503 ? null : response;
    },
    { what: "the list" },
  );
  process.kill(Number(ready["childPid"]), "SIGKILL");
  await sendClip(source, media, 3, middle);
  const answer = await waited;
  const reached = await answer.text();
  assert.equal(answer.status, 200, reached);
  assert.ok(reached.includes("s-3.part1.m4s") && reached.includes("s-2.m4s"), reached);
  assert.equal((await fetch(httpUrl(dolphin, "s.m3u8?_HLS_msn=90"))).status, 400);
  assert.equal((await fetch(httpUrl(dolphin, "s.m3u8?_HLS_part=1"))).status, 400);
  source.close();
  const text = await eventually(async () => {
    const found = await textOf(dolphin, "s.m3u8");
    return found.includes("s-5.m4s") && !found.includes("PRELOAD") ? found : null;
  });
  assert.doesNotMatch(text, /EXT-X-DISCONTINUITY\n/);
  const segments = namesIn(text, /^(s-\d+\.m4s)$/gm);
  assert.deepEqual(
    segments,
    [0, 1, 2, 3, 4, 5].map((number) => `s-${number}.m4s`),
  );
  const whole = await Promise.all(segments.map((name) => bytesOf(dolphin, name)));
  const init = await bytesOf(dolphin, "s/init.mp4");
  assert.deepEqual(await pictureSums(Buffer.concat([init, ...whole]), "mp4"), await clipSums(media));
  for (const durations of [namesIn(text, /^#EXT-X-PART:DURATION=([\d.]+)/gm).map(Number)]) {
    assert.ok(durations.length > 6, text);
    assert.ok(durations.every((duration) => duration > 0 && duration <= 0.3));
  }
  const parts = namesIn(text, /^#EXT-X-PART:.*URI="(s-5\.part\d+\.m4s)"/gm);
  assert.deepEqual(Buffer.concat(await Promise.all(parts.map((name) => bytesOf(dolphin, name)))), whole[5]);
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" || event === "http.refused" });
});

test("fmp4: H.265 as hvc1, AV1 and Opus go through a box into a list of variants, and players read them", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf("hls_use_fmp4 on;") });
  const streams = [
    { name: "hevc", media: await clip({ seconds: 4, video: "h265" }), codecs: [/^hvc1\.1\.6\.L\d+/, /^mp4a\.40\.2$/] },
    { name: "av1", media: await av1Clip(4), codecs: [/^av01\.0\.\d\dM\.08/, /^opus$/i] },
  ];
  for (const { name, media, codecs } of streams) {
    const source = await publisher(dolphin.rtmpUrl(name));
    t.after(() => source.close());
    await sendClip(source, media, 8);
    await dolphin.waitFor("package.started", { where: ({ stream }) => stream === name });
    source.unpublish(); // who closes at once may take the last picture along
    await dolphin.waitFor("publish.ended", { where: ({ stream }) => stream === name });
    source.close();
    const variants = await eventually(() => textOf(dolphin, `${name}.m3u8`));
    const told = /CODECS="([^"]+)"/.exec(variants)?.[1]?.split(",") ?? [];
    const list = variants.split("\n").find((line) => line.startsWith(`${name}.m3u8`)) ?? `${name}.m3u8`;
    const text = await eventually(async () => {
      const found = await textOf(dolphin, list);
      return found.includes(`${name}-3.m4s`) ? found : null;
    });
    const uris = [/#EXT-X-MAP:URI="([^"]+)"/.exec(text)![1]!, ...text.split("\n").filter((line) => /^[^#].*\.m4s/.test(line))];
    const bytes = Buffer.concat(await Promise.all(uris.map((uri) => bytesOf(dolphin, uri))));
    const file = createFile(false);
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
    file.flush();
    const { tracks } = file.getInfo();
    codecs.forEach((codec, index) => {
      assert.match(told[index] ?? "", codec);
      assert.match(tracks[index]?.codec ?? "", codec);
    });
    assert.equal((await pictureSums(bytes, "mp4")).length, 100);
  }
  await dolphin.stop();
});

interface Played {
  readonly seconds: number;
  /** By the time that lists tell of a picture, at best. */
  readonly latencyMs: number;
  readonly errors: readonly string[];
  readonly width: number;
}

/** Runs in the browser: plays an address for some seconds. */
const play = `async (url) => {
  const video = document.querySelector("video");
  const player = new Hls({ maxLiveSyncPlaybackRate: 1.2 });
  const errors = [];
  player.on("hlsError", (_event, { fatal, details }) => void (fatal && errors.push(details)));
  player.loadSource(url);
  player.attachMedia(video);
  await video.play();
  const from = video.currentTime;
  const until = performance.now() + 25000; // at worst
  let latencyMs = Infinity;
  while (performance.now() < until && errors.length === 0 && video.currentTime < from + 4) {
    await new Promise((done) => setTimeout(done, 100));
    if (player.playingDate && !video.seeking) latencyMs = Math.min(latencyMs, Date.now() - player.playingDate.getTime());
  }
  return { seconds: video.currentTime - from, latencyMs, errors, width: video.videoWidth };
}`;

test("low latency: hls.js in a browser plays it by parts", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf("hls_low_latency on; hls_part 0.5;") });
  const media = await makeMedia(80);
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  const sending = sendClip(source, media, 1);
  sending.catch(() => undefined); // the test is over before all is sent
  await eventually(async () => (await fetch(httpUrl(dolphin, "s.m3u8"))).status === 200);
  const browser = await openBrowser(t);
  const page = await (await browser.newContext({ locale: "en-US" })).newPage();
  await page.route("**/page", (route) => route.fulfill({ contentType: "text/html", body: "<video muted></video>" }));
  const asked: string[] = [];
  page.on("request", (request) => void asked.push(request.url()));
  await page.goto(httpUrl(dolphin, "page"));
  await page.addScriptTag({ content: readFileSync("node_modules/hls.js/dist/hls.light.min.js", "utf8") });
  const played = (await page.evaluate(`(${play})(${JSON.stringify(httpUrl(dolphin, "s.m3u8"))})`)) as Played;
  t.diagnostic(`from the server's receipt to the picture: ${Math.round(played.latencyMs)} ms`);
  assert.deepEqual(played.errors, []);
  assert.ok(played.seconds > 2 && played.width > 0, JSON.stringify(played));
  // How near that brings it is the machine's doing.
  assert.ok(asked.filter((url) => /\.part\d+\.m4s/.test(url)).length > 2, `parts, in ${asked.join("\n")}`);
  assert.ok(
    asked.some((url) => url.includes("_HLS_part=")),
    "lists that are waited for",
  );
  source.close();
  await dolphin.stop();
});
