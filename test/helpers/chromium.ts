// A real browser without a window: Debian's chromium, where none is at hand downloaded and unpacked like the other peers, with the
// libraries of it that this system lacks.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { run } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";
import type { Cleanup } from "./dolphin.js";

const packageName = "chromium-headless-shell";
const unpacked = join(peersFolder, "usr/lib/chromium/chromium-headless-shell");

/** Opens one, until the end of the test. It plays without a sound, and its words are English. */
export async function openBrowser(t: Cleanup): Promise<Browser> {
  const executablePath = await findChromium();
  const lib = join(peersFolder, "usr/lib", `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`);
  const libraries = [lib, join(lib, "pulseaudio"), lib.replace("/usr/lib/", "/lib/")];
  const path = [...libraries, process.env["LD_LIBRARY_PATH"] ?? ""].filter((one) => one !== "").join(delimiter);
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required", "--mute-audio"],
    env: { ...process.env, ...(executablePath === unpacked ? { LD_LIBRARY_PATH: path } : {}) },
  });
  t.after(() => browser.close());
  return browser;
}

/** Looked for in CHROMIUM_PATH, in PATH, and among the peers. Throws what apt says. */
export async function findChromium(): Promise<string> {
  const named = process.env["CHROMIUM_PATH"];
  if (named !== undefined) return named;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const names = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (!existsSync(unpacked)) await unpackDebianPackages(await missingPackages());
  return unpacked;
}

/** It, and what it needs that is not installed: apt says which, and installs nothing. */
async function missingPackages(): Promise<string[]> {
  const simulate = (): Promise<string> => run("apt-get", ["install", "--simulate", "-q", "--no-install-recommends", packageName], 60_000);
  const plan = await simulate().catch(async () => {
    await run("apt-get", ["update", "-q"], 120_000);
    return simulate();
  });
  return Array.from(plan.matchAll(/^Inst (\S+)/gm), ([, name = ""]) => name);
}
