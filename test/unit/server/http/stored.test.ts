// Lists of HLS as a server gives them from its folder: whose viewers have sessions, those of nobody else.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { maxHotFileBytes } from "../../../../src/server/hls/hot-files.js";
import { leastCopiedBytes } from "../../../../src/server/hls/system-copy.js";
import { startServer } from "../rig.js";

const list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.000,\ns-0.ts\n";

/** A server with a folder of lists; resolves to what it answers. */
async function folderOf(t: TestContext, lists: Readonly<Record<string, string>>, hls: string) {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-stored-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "live"));
  for (const [name, text] of Object.entries(lists)) writeFileSync(join(folder, "live", name), text);
  const rig = await startServer(
    t,
    `vhost __defaultVhost__ { http_static { enabled on; mount [vhost]/; dir ${folder}; } hls { enabled on; hls_path ${folder}; ${hls} } }`,
  );
  return (name: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(rig.flvUrl("s").replace("s.flv", name), { headers });
}

// A list that is too large to be kept goes the way of one that comes between two looks at the disk.
const tooLarge = list + "#\n".repeat(maxHotFileBytes / 2);

test("stored: a list that is not in memory is given to nobody past his session", async (t) => {
  const get = await folderOf(t, { "s.m3u8": list, "large.m3u8": tooLarge }, "");
  assert.match(await (await get("s.m3u8")).text(), /s\.m3u8\?hls_ctx=/);
  assert.equal((await get("large.m3u8")).status, 404);
  assert.equal((await get("none.m3u8")).status, 404);
});

test("stored: where viewers have no sessions every list is a file", async (t) => {
  const get = await folderOf(t, { "s.m3u8": list, "large.m3u8": tooLarge }, "hls_ctx off;");
  assert.equal(await (await get("s.m3u8")).text(), list);
  assert.equal(await (await get("large.m3u8")).text(), tooLarge);
});

test("stored: a long list is the same to who takes it small and to who does not", async (t) => {
  const names = Array.from({ length: 20_000 }, () => `#EXTINF:1.000,\n${randomBytes(8).toString("hex")}.ts\n`).join("");
  const get = await folderOf(t, { "long.m3u8": `${list}${names}` }, "hls_ctx off;");
  for (const encoding of ["gzip", "identity"]) {
    const response = await get("long.m3u8", { "Accept-Encoding": encoding });
    assert.equal(response.headers.get("content-encoding"), encoding === "gzip" ? "gzip" : null);
    assert.ok(Number(response.headers.get("content-length")) > leastCopiedBytes);
    assert.ok((await response.text()) === `${list}${names}`, encoding);
  }
});
