// GStreamer as a judge of files: its demuxers and parsers, unpacked from Debian's packages without installing anything. Where it cannot be
// had, the tests that need it are skipped with the reason.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";

const packages = [
  "gstreamer1.0-tools",
  "gstreamer1.0-plugins-bad",
  "gstreamer1.0-plugins-good",
  "libgstreamer1.0-0",
  "libgstreamer-plugins-base1.0-0",
  "libgstreamer-plugins-bad1.0-0",
  "libglib2.0-0",
  "libunwind8",
  "libdw1",
  "libelf1",
  "liborc-0.4-0",
];
const libraries = join(peersFolder, "usr/lib/x86_64-linux-gnu");
const program = join(peersFolder, "usr/bin/gst-launch-1.0");

export type Demuxer = "tsdemux" | "qtdemux" | "flvdemux";
export type Parser = "h264parse" | "h265parse" | "aacparse" | "mpegaudioparse";

/** Null: it is there; else why not. */
export async function missingGstreamer(): Promise<string | null> {
  if (process.arch !== "x64") return "GStreamer is fetched for x64 alone";
  try {
    if (!existsSync(program)) await unpackDebianPackages(packages);
    return null;
  } catch (thrown) {
    return `GStreamer is not to be had: ${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)}`;
  }
}

/** How many buffers come out of each parser of a file: each is written as a file of its own. Throws with its words when it finds anything wrong. */
export async function buffersOf(file: string, demuxer: Demuxer, parsers: readonly Parser[]): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-gst-"));
  const environment = [
    `LD_LIBRARY_PATH=${libraries}:${join(peersFolder, "lib/x86_64-linux-gnu")}`,
    `GST_PLUGIN_SYSTEM_PATH=${join(libraries, "gstreamer-1.0")}`,
    `GST_REGISTRY=${join(folder, "registry")}`,
    "GST_REGISTRY_FORK=no",
  ];
  const branches = parsers.flatMap((parser) => {
    mkdirSync(join(folder, parser));
    return ["d.", "!", "queue", "!", parser, "!", "multifilesink", "next-file=buffer", `location=${join(folder, parser, "%06d")}`];
  });
  try {
    const said = await run("env", [...environment, program, "filesrc", `location=${file}`, "!", demuxer, "name=d", ...branches], 60_000);
    if (/^(?:ERROR|WARNING)/m.test(said)) throw new Error(said.slice(-2000));
    return parsers.map((parser) => readdirSync(join(folder, parser)).length);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
