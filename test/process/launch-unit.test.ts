// The units that `dolphin unit` prints, as systemd itself sees them.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { projectRoot } from "../helpers/child.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { findSystemdAnalyze, verifyUnits } from "../helpers/systemd-analyze.js";

const analyze = await findSystemdAnalyze();

void describe("systemd-analyze verify", { skip: typeof analyze === "string" ? analyze : false }, () => {
  const verify = async (files: readonly string[]): Promise<string> => {
    assert.ok(typeof analyze !== "string");
    return verifyUnits(analyze, files);
  };

  for (const [what, args] of [
    ["no flags", []],
    ["many flags", ["--cores", "3", "--listen", "127.0.0.1:80", "[::1]:1936", "--http", "off", "--log-level", "warn"]],
    ["a file with a log and a pid file", ["-c", join(projectRoot, "conf/origin.conf")]],
    ["a foreign server whose command has every special character", ["--server", `nginx -c {conf} -g "a 'b'" $x 100% \\ ;`]],
  ] as const) {
    void test(`finds nothing wrong with the units for ${what}`, async (t) => {
      const folder = temporaryFolder(t);
      const [service, socket] = [join(folder, "dolphin.service"), join(folder, "dolphin.socket")];
      writeFileSync(service, await printed(t, ["unit", ...args]));
      writeFileSync(socket, await printed(t, ["unit", "--socket", ...args]));
      assert.equal(await verify([service, socket]), "");
    });
  }

  void test("finds nothing wrong with conf/dolphin.service and conf/dolphin.socket, put where dolphin is here", async (t) => {
    const folder = temporaryFolder(t);
    const files = ["dolphin.service", "dolphin.socket"].map((name) => {
      const text = readFileSync(join(projectRoot, "conf", name), "utf8");
      writeFileSync(join(folder, name), text.replace("/usr/bin/node /opt/dolphin", `${process.execPath} ${projectRoot}`));
      return join(folder, name);
    });
    assert.equal(await verify(files), "");
  });

  void test("finds what is wrong with a unit, or the tests above would prove nothing", async (t) => {
    const file = join(temporaryFolder(t), "dolphin.service");
    const text = await printed(t, ["unit"]);
    for (const [right, wrong, complaint] of [
      ["Type=notify", "Type=notified", /service type/],
      ["WatchdogSec=30s", "WatchdogSec=soon", /sec value/],
      [process.execPath, "/no/such/node", /\/no\/such\/node/],
    ] as const) {
      assert.ok(text.includes(right), right);
      writeFileSync(file, text.replace(right, wrong));
      assert.match(await verify([file]), complaint);
    }
  });
});

void test("a configuration that is wrong has no unit: 78, and its errors are told", async (t) => {
  const file = join(temporaryFolder(t), "wrong.conf");
  writeFileSync(file, "listen 1935; max_conections 10; vhost __defaultVhost__ { play { gop_cash on; } }");
  const { code, stderr, stdout } = await runToItsEnd(t, ["unit", "-c", file]);
  assert.deepEqual([code, stdout], [78, []]);
  assert.match(stderr, /wrong\.conf:1:/);
});

async function printed(t: TestContext, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runToItsEnd(t, args);
  assert.equal(code, 0, stderr);
  return `${stdout.join("\n")}\n`;
}
