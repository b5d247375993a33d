// dolphin upgrade: a new master, of another version, takes the place of the running one, and nobody is disconnected.
import assert from "node:assert/strict";
import { test } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { assertGoOn, audience, closeAll } from "../helpers/audience.js";
import { Dolphin } from "../helpers/dolphin.js";

void test("everybody goes on in the new process, without a picture missing, again and again", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  for (let round = 0; round < 3; round++) {
    const before = dolphin.pid;
    const answer = await dolphin.ask("upgrade");
    assert.match(answer, /^done\ndolphin \S+ serves, pid \d+$/);
    assert.notEqual(dolphin.pid, before);
    await assertGoOn(viewers, 50);
  }
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  closeAll(viewers);
  await dolphin.stop();
});
