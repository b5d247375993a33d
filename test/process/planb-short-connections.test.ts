// Short connections through plan b, a crowd of them; for a minute and more that is test/soak/short-connections.test.ts.
import { test } from "node:test";
import { assertEachCounted } from "../helpers/short-connections.js";

const skip = process.platform !== "linux" && "other systems have one loopback address";

void test("a thousand short connections, 200 a second, are each counted once, to the byte", { skip }, async (t) => {
  await assertEachCounted(t, 1000, 200);
});
