import assert from "node:assert/strict";
import { test } from "node:test";
import { fillStream, fillTime, pathBelow } from "../../../../src/packager/media/names.js";

const name = { vhost: "__defaultVhost__", app: "live", stream: "livestream" };

test("names: a template is filled with the stream and the local time", () => {
  assert.equal(fillStream("[vhost]/[app]/[stream]-[seq].ts", name), "__defaultVhost__/live/livestream-[seq].ts");
  const at = new Date(2026, 0, 2, 3, 4, 5, 6);
  assert.equal(fillTime("[2006]/[01]/[02]/[15].[04].[05].[999]", at.getTime()), "2026/01/02/03.04.05.006");
  assert.equal(fillTime("[timestamp]", at.getTime()), String(at.getTime()));
  const utc = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  assert.equal(fillTime("[2006]/[01]/[02]/[15].[04].[05].[999]", utc, true), "2026/01/02/03.04.05.006");
});

test("names: a name that is a place in a template is not filled in again", () => {
  assert.equal(fillStream("[app]/[stream].ts", { ...name, stream: "[app]" }), "live/[app].ts");
});

for (const bad of ["../x.ts", "a/../../x.ts", "a/..", "a/../b", "x\0.ts", ".."]) {
  test(`names: ${JSON.stringify(bad)} leads nowhere`, () => {
    assert.throws(() => pathBelow("./objs/html", bad), { code: "PACK_NAME" });
  });
}

test("names: a path is told below its folder as the folder is written", () => {
  assert.equal(pathBelow("./objs/html/", "/live/a.ts"), "./objs/html/live/a.ts");
  assert.equal(pathBelow("/srv", "a..b/c.ts"), "/srv/a..b/c.ts");
});
