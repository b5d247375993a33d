// Environment variables over a file, as containers set them.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";

void describe("environment variables", { concurrency: 2 }, () => {
  void test("replace what the file says, be it wrong", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "x.conf"), "listen abc; vhost a { }\n");
    const { code } = await runToItsEnd(t, ["-tc", "x.conf"], { folder, env: { SRS_LISTEN: "1935" } });
    assert.equal(code, 0);
  });

  void test("are told of by their names when they are wrong", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "x.conf"), "listen 1935; vhost a { }\n");
    const env = { SRS_LISTEN: "abc", SRS_DEAMON: "off" };
    const { code, stdout } = await runToItsEnd(t, ["-tc", "x.conf"], { folder, env });
    assert.equal(code, 255);
    assert.deepEqual(
      stdout.slice(0, 2).map((line) => line.split(": ").slice(0, 2)),
      [
        ["$SRS_DEAMON", "CONF_UNKNOWN"],
        ["$SRS_LISTEN", "CONF_VALUE"],
      ],
    );
  });

  for (const [words, env] of [
    [["-te"], {}],
    [["-t"], { SRS_ENV_ONLY: "on", SRS_CONFIG_FILE: "gone.conf" }],
  ] as const) {
    void test(`are all there is with ${words.join(" ")} ${JSON.stringify(env)}`, async (t) => {
      const { code, stdout } = await runToItsEnd(t, words, { env: { SRS_LISTEN: "1936", ...env } });
      assert.deepEqual([code, stdout.at(-1)], [0, "the config file of the environment test is successful"]);
    });
  }
});
