// Files for the tests of what is published.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { flvHeader, tagOverhead, writeTag } from "../../src/codec/flv.js";
import type { Cleanup } from "./dolphin.js";
import { temporaryFolder } from "./launch.js";
import type { Media } from "./rtmp-client.js";

/** The bytes of a file with these tags. */
export function flvBytes(tags: readonly Media[]): Buffer {
  const parts = tags.map(({ type, timestamp, payload }) => {
    const out = Buffer.alloc(payload.length + tagOverhead);
    writeTag(out, 0, type, timestamp, payload);
    return out;
  });
  return Buffer.concat([flvHeader(true, true), ...parts]);
}

/** Writes a file that is removed after the test, and gives its path. */
export function temporaryFile(t: Cleanup, bytes: Buffer, name = "x.flv"): string {
  const path = join(temporaryFolder(t), name);
  writeFileSync(path, bytes);
  return path;
}
