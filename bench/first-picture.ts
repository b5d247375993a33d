// How long it takes from nothing to the first picture: clone, `make run`, `dolphin publish --demo`, the stream's page in a browser, its
// picture. Run once by hand, `node dist/bench/first-picture.js`: what npm has to fetch is part of it, so it says more of the network than
// of the program, and nothing is held against it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBrowser } from "../test/helpers/chromium.js";
import { projectRoot, run, start } from "../test/helpers/child.js";
import { Cleanups } from "../test/helpers/cleanups.js";
import { freePort } from "../test/helpers/ports.js";
import { eventually } from "../test/helpers/wait.js";

const cleanups = new Cleanups();
const folder = mkdtempSync(join(tmpdir(), "dolphin-first-"));
cleanups.after(() => rmSync(folder, { recursive: true, force: true }));
const browser = await openBrowser(cleanups); // a person has one
const [rtmp, http, api] = [await freePort(), await freePort(), await freePort()];
const clone = join(folder, "clone");
const consoleUrl = `http://127.0.0.1:${api}/console/`;
const fromMs = performance.now();
const tell = (what: string): void => void process.stdout.write(`${((performance.now() - fromMs) / 1000).toFixed(1)} s  ${what}\n`);

try {
  await run("git", ["clone", "--quiet", projectRoot, clone], 60_000);
  tell("cloned");
  const words = `--listen 127.0.0.1:${rtmp} --http 127.0.0.1:${http} --api 127.0.0.1:${api}`;
  const box = start("make", ["run", `ARGS=${words}`], { cwd: clone, env: { XDG_RUNTIME_DIR: folder } });
  cleanups.after(async () => void (await box.stop("SIGTERM", 10_000)));
  void box.ended.then(() => process.stderr.write(box.output().slice(-4000)));
  await eventually(async () => (await fetch(consoleUrl).catch(() => null))?.ok === true, {
    timeoutMs: 300_000,
    everyMs: 100,
    what: "the console",
  });
  tell("make run serves");
  const program = [join(clone, "bin/dolphin.js"), "publish", "--demo", `rtmp://127.0.0.1:${rtmp}/live/livestream`];
  const clip = start(process.execPath, program, { cwd: clone });
  cleanups.after(async () => void (await clip.stop("SIGTERM", 10_000)));
  const page = await (await browser.newContext({ locale: "en-US" })).newPage();
  await page.goto(`${consoleUrl}#/streams/${encodeURIComponent("__defaultVhost__/live/livestream")}`);
  await page.getByRole("button", { name: "Play", exact: true }).click({ timeout: 30_000 });
  const isPlaying = "document.querySelector('video').currentTime > 0 && document.querySelector('video').videoWidth > 0";
  await eventually(async () => (await page.evaluate(isPlaying)) === true, { timeoutMs: 30_000, everyMs: 50, what: "the picture" });
  tell("the first picture");
} finally {
  await cleanups.stopAll();
}
