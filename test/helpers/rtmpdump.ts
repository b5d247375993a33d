// rtmpdump, the player that asks for a part of a stream. Taken from RTMPDUMP_PATH, else from the system, else unpacked from Debian's
// package and its library into .cache/peers without installing anything.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { start, type Child } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";

/** Runs it with these words. */
export type Rtmpdump = (...words: readonly string[]) => Child;

/** How to run it, or a sentence that says why it cannot be run. */
export async function findRtmpdump(): Promise<Rtmpdump | string> {
  const named = process.env["RTMPDUMP_PATH"] ?? "";
  const installed = [named, "/usr/bin/rtmpdump", "/usr/local/bin/rtmpdump"].find((path) => path !== "" && existsSync(path));
  if (installed !== undefined) return usable(installed, {});
  const path = join(peersFolder, "usr/bin/rtmpdump");
  try {
    if (!existsSync(path)) await unpackDebianPackages(["rtmpdump", "librtmp1"]);
  } catch (thrown) {
    return `rtmpdump is not to be had: ${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)}`;
  }
  const folders = readdirSync(join(peersFolder, "usr/lib")).filter((name) => name.endsWith("-linux-gnu"));
  return usable(path, { LD_LIBRARY_PATH: folders.map((name) => join(peersFolder, "usr/lib", name)).join(":") });
}

async function usable(path: string, env: Readonly<Record<string, string>>): Promise<Rtmpdump | string> {
  const child = start(path, ["--help"], { env });
  await child.ended;
  if (!/RTMPDump/i.test(child.output())) return `${path} does not run: ${child.output().slice(0, 300)}`;
  return (...words) => start(path, words, { env });
}
