// One thing after the other happens to the processes of a box, each where the one before has left it: what has been carried once is
// carried again, over every way there is. In random order and for long that is test/soak/chaos.test.ts.
import { test } from "node:test";
import { StruckBox } from "../helpers/blows.js";
import { numbersFrom } from "../helpers/soak.js";

void test("an edge is killed, the box upgraded, an edge hangs, all are replaced by a reload and by USR2: nobody is disconnected", async (t) => {
  const box = await StruckBox.start(t, numbersFrom(1));
  for (const blow of ["kill", "upgrade", "hang", "reload", "restart"] as const) await box.strike(blow);
  await box.end();
});
