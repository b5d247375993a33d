// Short connections through plan b at a steady pace, for DOLPHIN_SOAK_S seconds: what is counted stays exact.
import { test } from "node:test";
import { assertEachCounted } from "../helpers/short-connections.js";
import { soakSeconds } from "../helpers/soak.js";

const perSecond = 200;
const skip = process.platform !== "linux" && "other systems have one loopback address";

void test(`${perSecond} connections a second for ${soakSeconds} s are each counted once, to the byte`, { skip }, async (t) => {
  await assertEachCounted(t, perSecond * soakSeconds, perSecond);
  t.diagnostic(`${perSecond * soakSeconds} connections, each in the log of its proxy and of its server, and in the status`);
});
