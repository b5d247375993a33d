// The console and the player in a real browser: pictures move, an act is asked about and done, nobody is shut out by how a page is made,
// ten thousand clients are fifty rows, and names of streams are never more than text.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { openBrowser } from "../helpers/chromium.js";
import { Cleanups } from "../helpers/cleanups.js";
import { hostileName, serveConsole } from "../helpers/console-rig.js";
import { Dolphin } from "../helpers/dolphin.js";
import { publish } from "../helpers/ffmpeg.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { eventually, within } from "../helpers/wait.js";

const cleanups = new Cleanups();
let browser: Browser;
let pages = "";
const prefix = "/x/y";
const clients = 10_000;

before(async () => {
  browser = await openBrowser(cleanups);
  pages = await serveConsole(cleanups, clients, prefix);
});

after(() => cleanups.stopAll());

/** A page on which nothing goes wrong: what the browser complains of is what the policy of the page forbids, too. */
async function open(url: string, options: BrowserContextOptions = {}): Promise<{ readonly page: Page; readonly problems: string[] }> {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 800 }, ...options });
  cleanups.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("requestfailed", (request) => {
    // What was given up by the page itself: a search that goes on, a stream that somebody stops.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") problems.push(request.url());
  });
  const foreign = (asked: string): boolean =>
    !asked.startsWith("data:") && !asked.startsWith("blob:") && new URL(asked).hostname !== "127.0.0.1";
  page.on("request", (request) => {
    if (foreign(request.url())) problems.push(`it asks elsewhere: ${request.url()}`);
  });
  await page.goto(url);
  return { page, problems };
}

/** Waits for what an expression says of a page, whose policy forbids the page itself to be asked by text. */
async function until(page: Page, expression: string): Promise<void> {
  await eventually(async () => (await page.evaluate(expression)) === true, { timeoutMs: 15_000, everyMs: 100, what: expression });
}

/** Fails unless a video plays that is another picture a moment later. */
async function assertMoves(page: Page): Promise<void> {
  const time = (): Promise<number> => page.evaluate("document.querySelector('video').currentTime");
  const picture = (): Promise<number> =>
    page.evaluate(`(() => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 36 });
      const context = canvas.getContext("2d");
      context.drawImage(document.querySelector("video"), 0, 0, 64, 36);
      return context.getImageData(0, 0, 64, 36).data.reduce((sum, value, at) => (sum * 31 + value * at) % 1e9, 7);
    })()`);
  await until(page, "!document.querySelector('video').paused && document.querySelector('video').videoWidth === 320");
  const from = await time();
  await until(page, `document.querySelector('video').currentTime > ${from + 0.3}`);
  const first = await picture();
  await until(page, `document.querySelector('video').currentTime > ${from + 1}`);
  assert.notEqual(await picture(), first, "the picture stands still");
}

const streamPath = (name: string): string => `#/streams/${encodeURIComponent(`__defaultVhost__/live/${name}`)}`;

/** What axe-core finds that shuts somebody out. */
async function serious(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as {
    readonly violations: readonly { readonly id: string; readonly impact: string; readonly nodes: readonly { readonly html: string }[] }[];
  };
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map(({ html }) => html)
          .join(" ")
          .slice(0, 300)}`,
    );
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

void test("a stream's picture moves in its page, and who is sent away there is gone, with a line that tells of it", async (t) => {
  const dolphin = await Dolphin.start(t, {
    cores: 1,
    api: true,
    conf: "listen 1935; http_server { enabled on; } http_api { enabled on; } vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } hls { enabled on; hls_fragment 1; } }",
  });
  const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 60, gop: 25 });
  t.after(() => encoder.stop());
  await encoder.started;
  const viewer = await watchFlv(dolphin.flvUrl("s"));
  await viewer.waitForMedia(10);
  const base = `http://127.0.0.1:${dolphin.apiPort}`;
  const { page, problems } = await open(`${base}/console/${streamPath("s")}`);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await assertMoves(page);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByLabel("HLS", { exact: true }).check();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await assertMoves(page);
  await page.getByRole("button", { name: "Stop", exact: true }).click();

  const listed = (await (await fetch(`${base}/console/data/clients?q=flv-play`)).json()) as {
    readonly data: { readonly rows: readonly { readonly id: string }[] };
  };
  const id = listed.data.rows[0]?.id ?? "";
  await page.goto(`${base}/console/#/clients?q=${id}`);
  await page.getByRole("button", { name: "Send away" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Send away" }).click();
  await within(viewer.ended, 5000, "the end of who was sent away");
  await dolphin.waitFor("api.act", { where: ({ act }) => act === "kick" });
  await page.goto(`${base}/console/#/events`);
  await page
    .getByRole("row", { name: /client\.kicked/ })
    .first()
    .waitFor();

  // The player, by SRS's parameters, from the link that the stream's page gives.
  const player = (name: string): string =>
    `${base}/players/?app=live&stream=${name}&server=127.0.0.1&port=${dolphin.httpPort}&vhost=127.0.0.1&autostart=true`;
  await page.goto(player("s.m3u8"));
  await assertMoves(page);
  await page.goto(player("s.flv"));
  await assertMoves(page);
  assert.match(await page.locator(".copyable code").innerText(), /srs_player\.html\?app=live&stream=s\.flv&server=127\.0\.0\.1/);
  assert.deepEqual(problems, []);
  // `http://host:8080/` leads here.
  const index = await (await fetch(`http://127.0.0.1:${dolphin.httpPort}/`)).text();
  assert.ok(index.includes(`http://127.0.0.1:${dolphin.apiPort}/console/`), index);
  await page.context().close();
  await encoder.stop();
  await dolphin.stop({ allow: ({ code }) => code === "RTMP_KICKED" });
});

void test("from another machine an act takes the token, which is asked for where it is needed", async (t) => {
  const dolphin = await Dolphin.start(t, {
    cores: 1,
    api: true,
    conf: "listen 1935; http_api { enabled on; } dolphin { api_token s3cret; } vhost __defaultVhost__ { }",
  });
  const { page } = await open(`http://127.0.0.1:${dolphin.apiPort}/console/`);
  await page.getByRole("button", { name: "Reload configuration" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Reload configuration" }).click();
  await dialog.getByLabel("Token").fill("s3cret");
  await dialog.getByRole("button", { name: "Reload configuration" }).click();
  await dialog.getByText("Done").waitFor();
  await dolphin.waitFor("reload.unchanged");
  await page.context().close();
  await dolphin.stop({ allow: ({ event }) => event === "api.refused" });
});

void test("ten thousand clients are a page of fifty rows, found and turned over by the server, under any prefix", async () => {
  const { page, problems } = await open(`${pages}/console/#/clients`);
  await page.getByText(`1–50 of ${clients}`).waitFor();
  assert.equal(await page.locator("tbody tr").count(), 50);
  assert.ok(Number(await page.evaluate("document.querySelectorAll('*').length")) < 2000);
  await page.getByRole("button", { name: "Next page" }).click();
  await page.getByText(`51–100 of ${clients}`).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("10.0.39.15");
  await page.getByText("1–1 of 1").waitFor();
  assert.match(await page.locator("tbody tr").innerText(), /10\.0\.39\.15/);
  await page.getByRole("button", { name: /Total/ }).focus();
  await page.keyboard.press("Enter");
  await page.locator("th[aria-sort=descending]", { hasText: "Total" }).waitFor();
  assert.deepEqual(problems, []);
  await page.context().close();
});

void test("names from the network are text on every page, whatever they hold", async () => {
  const { page, problems } = await open(`${pages}/console/#/streams`);
  await page.getByRole("link", { name: "<img" }).click();
  await page.getByRole("heading", { name: "<img" }).waitFor();
  assert.ok((await page.locator("h2").innerText()).includes(hostileName.slice(0, 30)));
  await page.getByText(`published at master, not ${hostileName.slice(0, 20)}`).waitFor();
  await page.getByText("pulls it from the origin").waitFor();
  await page.goto(`${pages}/console/#/clients?q=client-7`);
  await page.getByText("javascript:alert(1)").first().waitFor();
  assert.equal(await page.locator("main img, main a[href^=javascript]").count(), 0);
  assert.deepEqual(problems, []);
  await page.context().close();
});

for (const [name, options] of [
  ["in light", { colorScheme: "light" }],
  ["in dark", { colorScheme: "dark" }],
  ["on a phone", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
] as const) {
  void test(`${name}, axe-core finds nothing serious on any page, and no page is wider than the screen`, async () => {
    const { page } = await open(`${pages}/console/`, options);
    for (const path of ["#/overview", "#/streams", streamPath("livestream"), "#/clients", "#/events", "#/servers", "#/configuration"]) {
      await page.goto(`${pages}/console/${path}`);
      await page.locator("main h2").first().waitFor();
      if (path !== "#/events") await page.locator("main .quiet-text[role=status]", { hasText: "Loading" }).waitFor({ state: "detached" });
      assert.deepEqual(await serious(page), [], path);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), true, `${path} is too wide`);
    }
    await page.context().close();
  });
}

void test("the keyboard reaches everything, the language changes in place, and a dialog gives the focus back", async () => {
  const { page } = await open(`${pages}/console/`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.getByRole("heading", { name: "Streams" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "中文" }).click();
  await page.getByRole("heading", { name: "流" }).waitFor();
  assert.equal(await page.evaluate("document.documentElement.lang"), "zh-CN");
  await page.context().close();
});

void test("pages are sent compressed, kept by browsers where their names say what they are, and asked for again where not", async () => {
  const index = await fetch(`${pages}/console/`, { headers: { "Accept-Encoding": "br" } });
  const text = await index.text();
  const [, script = ""] = /src="([^"]+\.js)"/.exec(text) ?? [];
  assert.deepEqual([index.status, index.headers.get("cache-control")], [200, "no-cache"]);
  const policy = index.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|script-src/);
  assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|\son\w+=/);
  const again = await fetch(`${pages}/console/`, {
    headers: { "Accept-Encoding": "br", "If-None-Match": index.headers.get("etag") ?? "" },
  });
  assert.equal(again.status, 304);
  for (const coding of ["br", "gzip", "identity"]) {
    const asset = await fetch(`${pages}/console/${script}`, { headers: { "Accept-Encoding": coding } });
    assert.deepEqual([asset.status, asset.headers.get("content-encoding")], [200, coding === "identity" ? null : coding]);
    assert.match(asset.headers.get("cache-control") ?? "", /immutable/);
    assert.ok((await asset.text()).length > 10_000);
  }
  assert.match(await (await fetch(`${pages}/console/licenses.txt`)).text(), /mpegts\.js .*Apache/);
  for (const path of ["/console/../shapes.js", "/console/%2e%2e/shapes.js", "/console/nothing", "/console/index.html.br"]) {
    assert.equal((await fetch(`${pages}${path}`)).status, 404, path);
  }
});
