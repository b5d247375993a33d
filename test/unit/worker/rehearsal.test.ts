import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "../../../src/conf/load.js";
import { rehearse } from "../../../src/worker/rehearsal.js";
import { eventually } from "../../helpers/wait.js";

const sockets = (): string[] => process.getActiveResourcesInfo().filter((kind) => kind.startsWith("TCP"));

void test("a rehearsal goes on as its viewers get what they came for, until it is not wanted, and leaves nothing behind", async () => {
  const rounds = 4;
  let asked = 0;
  await rehearse({ config: defaultConfig(), isWanted: () => asked++ < rounds });
  assert.equal(asked, rounds + 1, "a viewer who gets no picture ends it at once");
  await eventually(() => sockets().length === 0, { what: "all to be closed" });
});
