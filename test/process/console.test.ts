// The console and the player in a real browser: pictures move, an act is asked about and done, nobody is shut out by how a page is made,
// ten thousand clients are fifty rows, and names of streams are never more than text.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { projectRoot } from "../helpers/child.js";
import { openBrowser } from "../helpers/chromium.js";
import { Cleanups } from "../helpers/cleanups.js";
import { hostileName, serveConsole } from "../helpers/console-rig.js";
import { Dolphin } from "../helpers/dolphin.js";
import { publish, type Publisher } from "../helpers/ffmpeg.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { freePort } from "../helpers/ports.js";
import { eventually, within } from "../helpers/wait.js";

const cleanups = new Cleanups();
let browser: Browser;
let pages = "";
/** The box of the first tests: a stream, a program that runs for it, and a server that it cannot be forwarded to. */
let dolphin: Dolphin;
let encoder: Publisher;
let base = "";
let away = 0;
const prefix = "/x/y";
const clients = 10_000;

before(async () => {
  browser = await openBrowser(cleanups);
  pages = await serveConsole(cleanups, clients, prefix);
  await startBox();
});

after(() => cleanups.stopAll());

/** A page on which nothing goes wrong: what the browser complains of is what the policy of the page forbids, too. */
async function open(url: string, options: BrowserContextOptions = {}): Promise<{ readonly page: Page; readonly problems: string[] }> {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 800 }, ...options });
  cleanups.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
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
  await eventually(async () => (await page.evaluate(expression)) === true, { timeoutMs: 30_000, everyMs: 100, what: expression });
}

/** A number for what a video shows. */
const sumOfPicture = `(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 36 });
  const context = canvas.getContext("2d");
  context.drawImage(document.querySelector("video"), 0, 0, 64, 36);
  return context.getImageData(0, 0, 64, 36).data.reduce((sum, value, at) => (sum * 31 + value * at) % 1e9, 7);
})()`;

/** Fails unless a file is there to be played from wherever one likes. */
async function assertSeeks(page: Page): Promise<void> {
  await until(page, "document.querySelector('video').readyState >= 2 && document.querySelector('video').videoWidth === 320");
  const at = async (seconds: number): Promise<number> => {
    await page.evaluate(`new Promise((resolve) => {
      const video = document.querySelector("video");
      video.pause();
      video.addEventListener("seeked", () => resolve(), { once: true });
      video.currentTime = ${seconds};
    })`);
    return page.evaluate(sumOfPicture);
  };
  // A browser tells that it has sought before it has painted.
  await eventually(async () => (await at(1.1)) !== (await at(0.1)), { timeoutMs: 20_000, what: "another picture elsewhere" });
}

/** Fails unless a video plays that is another picture a moment later. */
async function assertMoves(page: Page): Promise<void> {
  const time = (): Promise<number> => page.evaluate("document.querySelector('video').currentTime");
  const picture = (): Promise<number> => page.evaluate(sumOfPicture);
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

/** The line that the program of the box prints, and goes on running. */
const printed = readFileSync(join(projectRoot, "LICENSE"), "utf8").trim().split("\n").at(-1) ?? "";

async function startBox(): Promise<void> {
  away = await freePort();
  dolphin = await Dolphin.start(cleanups, {
    cores: 1,
    api: true,
    conf: `listen 1935; http_server { enabled on; } http_api { enabled on; } dolphin { api_token s3cret; } vhost __defaultVhost__ {
      http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }
      hls { enabled on; hls_fragment 1; }
      dvr { enabled on; dvr_apply none; dvr_path ./elsewhere/[stream].mp4; }
      exec { enabled on; publish /usr/bin/tail -f ${join(projectRoot, "LICENSE")}; }
      forward { enabled on; destination 127.0.0.1:${away}; } }`,
  });
  base = `http://127.0.0.1:${dolphin.apiPort}`;
  encoder = publish(dolphin.rtmpUrl("s"), { seconds: 600, gop: 25 });
  cleanups.after(async () => void (await encoder.stop()));
  await encoder.started;
}

/** Presses a button, answers its question, and waits until that is gone: with an act that was refused it stays. */
async function doAct(page: Page, name: string, token = ""): Promise<void> {
  await page.getByRole("button", { name, exact: true }).first().click();
  const dialog = page.getByRole("dialog");
  const agree = dialog.getByRole("button", { name, exact: true });
  await agree.click();
  if (token !== "") {
    await dialog.getByLabel("Token").fill(token);
    await agree.click();
  }
  await dialog.waitFor({ state: "detached" });
}

void test("a stream's picture moves in its page and in the player's, by HTTP-FLV and by HLS", async () => {
  const { page, problems } = await open(`${base}/console/${streamPath("s")}`);
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await assertMoves(page);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByLabel("HLS", { exact: true }).check();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await assertMoves(page);
  await page.getByRole("button", { name: "Stop", exact: true }).click();
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
  assert.ok(index.includes(`${base}/console/`), index);
  await page.context().close();
});

void test("an act is asked about, takes the token, and is told in the log: who is sent away is gone", async () => {
  const viewer = await watchFlv(dolphin.flvUrl("s"));
  await viewer.waitForMedia(10);
  const listed = (await (await fetch(`${base}/console/data/clients?q=flv-play`)).json()) as {
    readonly data: { readonly rows: readonly { readonly id: string }[] };
  };
  const id = listed.data.rows[0]?.id ?? "";
  const { page } = await open(`${base}/console/#/clients?q=${id}`);
  await page.getByRole("button", { name: "Send away" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(dolphin.logLines(({ event }) => event === "api.act").length, 0, "a question is no act");
  await doAct(page, "Send away", "s3cret");
  await within(viewer.ended, 5000, "the end of who was sent away");
  await dolphin.waitFor("api.act", { where: ({ act, peer }) => act === "kick" && peer === "127.0.0.1" });
  await dolphin.waitFor("api.refused", { where: ({ url }) => String(url).startsWith("/api/v1/dolphin/kick/") });
  await page.goto(`${base}/console/#/events`);
  await page
    .getByRole("row", { name: /client\.kicked/ })
    .first()
    .waitFor();
  // The token is kept in this tab.
  await page.goto(`${base}/console/#/overview`);
  await doAct(page, "Reload configuration");
  await dolphin.waitFor("reload.unchanged");
  await page.context().close();
});

void test("a recording is begun and ended in a stream's page, and its file plays in the list, by ranges and for who may act", async () => {
  const { page, problems } = await open(`${base}/console/${streamPath("s")}`);
  await doAct(page, "Record", "s3cret");
  await page.locator("h2 .badge", { hasText: "recording" }).waitFor();
  await page.getByRole("link", { name: "Its recordings" }).click();
  const row = page.locator("tbody tr");
  await row.locator(".badge", { hasText: "recording" }).waitFor();
  await until(page, "!/^([01] s)?$/.test(document.querySelector('td[data-title=Length]')?.textContent ?? '')");
  await doAct(page, "Stop recording");
  await dolphin.waitFor("api.act", { where: ({ act }) => act === "record-stop" });
  await dolphin.waitFor("dvr.finished");
  await row.locator(".badge", { hasText: "finished" }).waitFor();
  assert.match(await row.innerText(), /KiB|MiB/);
  await row.getByRole("button", { name: /^Play/ }).click();
  await assertSeeks(page);
  assert.deepEqual(
    problems.filter((problem) => !problem.includes("403")),
    [],
  );

  const path = "./elsewhere/s.mp4";
  const question = `${base}/console/data/ticket?path=${encodeURIComponent(path)}`;
  assert.equal((await fetch(question)).status, 403);
  assert.equal((await fetch(`${base}/console/recording?path=${encodeURIComponent(path)}`)).status, 403);
  const told = await fetch(question, { headers: { Authorization: "Bearer s3cret" } });
  const { data } = (await told.json()) as { readonly data: { readonly url: string } };
  const part = await fetch(`${base}/console/${data.url}`, { headers: { Range: "bytes=4-7" } });
  assert.deepEqual([part.status, await part.text(), part.headers.get("content-type")], [206, "ftyp", "video/mp4"]);
  assert.match(part.headers.get("content-range") ?? "", /^bytes 4-7\/\d+$/);
  const other = data.url.replace("s.mp4", "s-1.mp4");
  assert.equal((await fetch(`${base}/console/${other}`)).status, 403, "a ticket is for its own file");
  await page.context().close();
});

void test("programs are shown with what they printed, and the overview says which process, program or server is down, and why", async () => {
  const { page } = await open(`${base}/console/#/programs`);
  await page.getByText(printed).waitFor();
  const health = page.locator(".health");
  await page.goto(`${base}/console/#/overview`);
  await health.getByText(`Server 127.0.0.1:${away} cannot be reached by master: RELAY_CONNECT`).waitFor();
  await health.getByText("Look at this").waitFor();
  const { programs } = await dolphin.status();
  process.kill(programs[0]?.pid ?? assert.fail("no program runs"), "SIGKILL");
  await dolphin.waitFor("program.exited");
  await page.goto(`${base}/console/#/programs`);
  await page.getByText("killed by SIGKILL").waitFor();
  await page.goto(`${base}/console/#/overview`);
  for (const name of ["edge-1", "packager", "admin"]) {
    process.kill(await childPid(name), "SIGKILL");
    await health.getByText(new RegExp(`^\\S* warning ${name}.*SIGKILL`)).waitFor();
  }
  await page.context().close();
  await encoder.stop();
  const expected = new Set(["api.refused", "forward.lost", "program.exited", "child.exited"]);
  await dolphin.stop({ allow: ({ event = "", code }) => code === "RTMP_KICKED" || expected.has(event) });
});

/** Of the process that has this name now. */
async function childPid(name: string): Promise<number> {
  const { processes } = await dolphin.status();
  return processes.find((one) => one.name === name)?.pid ?? assert.fail(`there is no ${name}`);
}

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
  // What turns the direction of text is shown as what it is.
  const shown = hostileName.replace("\u202e", "⟨U+202E⟩");
  assert.ok((await page.locator("h2").innerText()).includes(shown));
  await page.getByText(`published at master, not ${hostileName.slice(0, 20)}`).waitFor();
  await page.getByText("pulls it from the origin").waitFor();
  await page.goto(`${pages}/console/#/clients?q=client-7`);
  await page.getByText("javascript:alert(1)").first().waitFor();
  await page.goto(`${pages}/console/#/recordings`);
  await page.getByText(`${shown}.mp4`).waitFor();
  await page.goto(`${pages}/console/#/programs`);
  await page.getByText(`Broken pipe ${shown}`).waitFor();
  await page.getByRole("link", { name: "Cluster" }).click();
  const row = page.getByRole("row", { name: shown });
  await row.getByText("lost with 10.0.0.3:1935").waitFor();
  await row.locator("summary").click();
  await row.getByText(`${shown} came in at 10.0.0.1:1935 in east`).waitFor();
  assert.equal(await page.locator("main img, main a[href^=javascript]").count(), 0);
  assert.deepEqual(problems, []);
  await page.context().close();
});

const places = [
  "#/overview",
  "#/streams",
  streamPath("livestream"),
  "#/clients",
  "#/recordings",
  "#/programs",
  "#/events",
  "#/servers",
  "#/cluster",
  "#/configuration",
] as const;

/** Opens one page of the console after the other, each with what it shows. */
async function eachPlace(page: Page, look: (path: string) => Promise<void>): Promise<void> {
  for (const path of places) {
    await page.goto(`${pages}/console/${path}`);
    await page.locator("main h2").first().waitFor();
    if (path !== "#/events") await page.locator("main .quiet-text[role=status]", { hasText: /…$/ }).waitFor({ state: "detached" });
    await look(path);
  }
}

for (const colorScheme of ["light", "dark"] as const) {
  void test(`in ${colorScheme}, axe-core finds nothing serious on any page`, async () => {
    const { page } = await open(`${pages}/console/`, { colorScheme });
    await eachPlace(page, async (path) => assert.deepEqual(await serious(page), [], path));
    await page.context().close();
  });
}

void test("on a phone, in Chinese, no page is wider than the screen, and the tab in use is in sight", async () => {
  const { page } = await open(`${pages}/console/`, { locale: "zh-CN", viewport: { width: 360, height: 780 } });
  assert.equal(await page.evaluate("document.documentElement.lang"), "zh-CN");
  await eachPlace(page, async (path) => {
    assert.equal(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), true, `${path} is too wide`);
    const tab = await page.locator("nav [aria-current]").boundingBox();
    assert.ok(tab !== null && tab.x >= 0 && tab.x + tab.width <= 360, `${path} has its tab out of sight`);
  });
  assert.deepEqual(await serious(page), []);
  // No name is too long for it, in a heading or in a row.
  for (const path of [streamPath(hostileName), "#/streams", "#/programs", "#/recordings"]) {
    await page.goto(`${pages}/console/${path}`);
    await page.getByText("⟨U+202E⟩").first().waitFor();
    const isIn =
      "[...document.querySelectorAll('main, main h2, main a')].every((one) => one.getBoundingClientRect().right <= window.innerWidth)";
    assert.equal(await page.evaluate(isIn), true, `a name breaks out of ${path}`);
  }
  await page.context().close();
});

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
