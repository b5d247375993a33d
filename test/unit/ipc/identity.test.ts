import assert from "node:assert/strict";
import { test } from "node:test";
import { streamId, vhostId } from "../../../src/ipc/identity.js";

test("ids: they have SRS's form, and are the same wherever they are made", () => {
  for (const id of [vhostId("__defaultVhost__"), streamId("__defaultVhost__/live/livestream")]) assert.match(id, /^vid-[0-9a-z]{7}$/);
  assert.equal(vhostId("a"), vhostId("a"));
  assert.notEqual(vhostId("a"), vhostId("b"));
  assert.notEqual(vhostId("a"), streamId("a"));
});
