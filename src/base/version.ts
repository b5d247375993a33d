// Who we say that we are, on the wire and on the command line.
import { createRequire } from "node:module";

const manifest = createRequire(import.meta.url)("../../../package.json") as { readonly version: string };

/** The version of this build, for example `0.1.0`. */
export const version = manifest.version;

/** The name and version as protocols carry it. */
export const signature = `dolphin/${version}`;
