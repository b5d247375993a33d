import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isListPath, readTarget, segmentId, segmentUri } from "../../../src/backup/names.js";

const sha256 = "3fa9c2d41b7e0011".padEnd(64, "0");

test("names: what a list names leads back to the stream and the segment", () => {
  const id = segmentId("b", 1_795_251_704_943, 17, sha256);
  for (const path of ["live/livestream.m3u8", "live/my-show.m3u8", "s.m3u8", "live/a b%.m3u8", "live/直播.m3u8"]) {
    const folder = path.includes("/") ? `${encodeURIComponent("live")}/` : "";
    assert.deepEqual(readTarget(`/${folder}${segmentUri(path, id)}?token=1`), { kind: "segment", path, id }, path);
    assert.deepEqual(readTarget(`/${encodeURI(path)}?x=1`), { kind: "list", path }, path);
  }
});

test("names: nothing leads out of the folder, whatever is asked", () => {
  for (const target of [
    "/../x.m3u8",
    "/live/%2e%2e/x.m3u8",
    "/live/..%2fx.m3u8",
    "/%",
    "//x.m3u8",
    "/live/x.ts",
    "/",
    "*",
    "/live/x%00.m3u8",
    "/a\\b.m3u8",
  ])
    assert.equal(readTarget(target), null, target);
  fc.assert(
    fc.property(fc.string(), (text) => {
      const asked = readTarget(`/${text}`);
      if (asked !== null) assert.ok(isListPath(asked.path) && !asked.path.split("/").includes(".."));
    }),
  );
});
