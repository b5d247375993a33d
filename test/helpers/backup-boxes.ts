// Our own boxes beside the nodes of `dolphin hls-backup`, and players of HLS that are real programs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import type { BackupProcess } from "./backup-pair.js";
import { start } from "./child.js";
import { findFfmpeg } from "./ffmpeg.js";
import { eventually } from "./wait.js";

/** The configuration of a box whose HLS a node watches. */
export function besideConf({ root, ports: { hooks } }: BackupProcess): string {
  return `listen 1935; http_server { enabled on; listen 8080; } vhost __defaultVhost__ { min_latency on;
       hls { enabled on; hls_fragment 0.5; hls_window 10; hls_path ${root}; }
       http_hooks { enabled on; on_hls http://127.0.0.1:${hooks}/; on_unpublish http://127.0.0.1:${hooks}/; } }`;
}

/** How many pictures a player has decoded of what a node shows, and what it complained of. */
export class HlsPlayer {
  pictures = 0;
  private readonly child;

  constructor(url: string) {
    const args = ["-nostdin", "-hide_banner", "-nostats", "-v", "error", "-i", url, "-map", "0:v", "-vsync", "0", "-f", "framecrc", "-"];
    this.child = start(findFfmpeg(), args, {
      onLine: (line, from) => void (from === "stdout" && line.startsWith("0,") && (this.pictures += 1)),
    });
  }

  /** Waits for so many more. */
  async more(pictures: number): Promise<void> {
    const from = this.pictures;
    const isThere = (): boolean => {
      assert.equal(this.child.ending, null, this.child.output().slice(-2000));
      return this.pictures >= from + pictures;
    };
    await eventually(isThere, { timeoutMs: 30_000, what: `${pictures} more pictures` });
  }

  async close(): Promise<void> {
    await this.child.stop("SIGKILL");
  }
}

/** Runs in the browser: plays an address, trying again as pages do, and keeps what it could not get over. */
const playOn = `async (url) => {
  const video = document.querySelector("video");
  const patient = { default: { maxTimeToFirstByteMs: 4000, maxLoadTimeMs: 8000,
    timeoutRetry: { maxNumRetry: 50, retryDelayMs: 300, maxRetryDelayMs: 600 },
    errorRetry: { maxNumRetry: 50, retryDelayMs: 300, maxRetryDelayMs: 600, shouldRetry: () => true } } };
  const player = new Hls({ manifestLoadPolicy: patient, playlistLoadPolicy: patient, fragLoadPolicy: patient });
  window.errors = [];
  player.on("hlsError", (_event, { fatal, type, details }) => {
    if (fatal && type === "networkError") player.startLoad();
    else if (fatal) window.errors.push(details);
  });
  player.loadSource(url);
  player.attachMedia(video);
  await video.play();
}`;

/** hls.js in a page of a browser, at one node. */
export class BrowserPlayer {
  private readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(browser: Browser, node: BackupProcess, path: string): Promise<BrowserPlayer> {
    const page = await (await browser.newContext({ locale: "en-US" })).newPage();
    await page.route("**/page", (route) => route.fulfill({ contentType: "text/html", body: "<video muted></video>" }));
    await page.goto(node.url("page"));
    await page.addScriptTag({ content: readFileSync("node_modules/hls.js/dist/hls.light.min.js", "utf8") });
    await page.evaluate(`(${playOn})(${JSON.stringify(node.url(path))})`);
    return new BrowserPlayer(page);
  }

  /** Waits until it has shown so many more seconds. */
  async more(seconds: number): Promise<void> {
    const from = await this.seconds();
    const isThere = async (): Promise<boolean> => (await this.seconds()) >= from + seconds;
    await eventually(isThere, { timeoutMs: 30_000, everyMs: 200, what: `${seconds} more seconds in the browser` });
    assert.deepEqual(await this.page.evaluate("window.errors"), []);
  }

  private async seconds(): Promise<number> {
    return Number(await this.page.evaluate(`document.querySelector("video").currentTime`));
  }
}
