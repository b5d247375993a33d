// Programs of Debian that tests and benches need and that are not installed: downloaded with apt and unpacked into
// .cache/peers without installing anything.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { projectRoot, run } from "./child.js";

/** Below it the packages lie as they would below `/`. */
export const peersFolder = join(projectRoot, ".cache", "peers");

/**
 * Downloads packages and unpacks them beside the other peers. Throws what apt says. Several processes may do so at once: what one finds
 * there is whole, a program's libraries are there before it, and one that runs is not written into.
 */
export async function unpackDebianPackages(packages: readonly string[]): Promise<void> {
  if (!existsSync("/usr/bin/apt-get")) throw new Error("this system has no apt-get");
  mkdirSync(peersFolder, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "dolphin-peers-"));
  const unpacked = mkdtempSync(`${peersFolder}-`); // of the same file system, so that files can be renamed
  try {
    try {
      await run("apt-get", ["download", "-q", ...packages], 120_000, folder);
    } catch (thrown) {
      if (process.getuid?.() !== 0) throw thrown;
      await run("apt-get", ["update", "-q"], 120_000);
      await run("apt-get", ["download", "-q", ...packages], 120_000, folder);
    }
    for (const file of readdirSync(folder)) await run("dpkg", ["-x", join(folder, file), unpacked], 60_000);
    moveFiles(unpacked, peersFolder);
  } finally {
    for (const one of [folder, unpacked]) rmSync(one, { recursive: true, force: true });
  }
}

function moveFiles(from: string, to: string): void {
  const files = readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const paths = files.map(({ name, parentPath }) => relative(from, join(parentPath, name)));
  const isLibrary = (path: string): boolean => path.includes("-linux-gnu/");
  for (const path of [...paths.filter(isLibrary), ...paths.filter((one) => !isLibrary(one))]) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    renameSync(join(from, path), join(to, path));
  }
}
