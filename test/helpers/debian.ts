// Programs of Debian that tests and benches need and that are not installed: downloaded with apt and unpacked into
// .cache/peers without installing anything.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot, run } from "./child.js";

/** Below it the packages lie as they would below `/`. */
export const peersFolder = join(projectRoot, ".cache", "peers");

/** Downloads packages and unpacks them beside the other peers. Throws what apt says. */
export async function unpackDebianPackages(packages: readonly string[]): Promise<void> {
  if (!existsSync("/usr/bin/apt-get")) throw new Error("this system has no apt-get");
  mkdirSync(peersFolder, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "dolphin-peers-"));
  try {
    try {
      await run("apt-get", ["download", "-q", ...packages], 120_000, folder);
    } catch (thrown) {
      if (process.getuid?.() !== 0) throw thrown;
      await run("apt-get", ["update", "-q"], 120_000);
      await run("apt-get", ["download", "-q", ...packages], 120_000, folder);
    }
    for (const file of readdirSync(folder)) await run("dpkg", ["-x", join(folder, file), peersFolder], 30_000);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
