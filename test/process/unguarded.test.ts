// A file that keeps somebody out by what is not served yet is refused wherever it is read, unless it says that nobody need be.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { publisher } from "../helpers/rtmp-client.js";

const fakeSrs = join(projectRoot, "test/fixtures/fake-srs.js");
const guarded = "vhost __defaultVhost__ { cluster { token_traverse on; } }";
const sentence =
  /CONF_UNGUARDED: token_traverse is not served yet, and without it whoever the origin would refuse is let in; .*unguarded on/;

void test("a guard that is not served refuses the start, -t and check, each with what would get in and how to start all the same", async (t) => {
  const folder = temporaryFolder(t);
  const base = `listen 127.0.0.1:${await freePort()}; max_connections 100; daemon off; srs_log_tank console; pid off;`;
  writeFileSync(join(folder, "x.conf"), `${base} ${guarded}`);
  for (const [words, code] of [
    [["-c", "x.conf"], 78],
    [["-t", "-c", "x.conf"], 255],
    [["check", "-c", "x.conf"], 78],
    [["unit", "-c", "x.conf"], 78],
  ] as const) {
    const run = await runToItsEnd(t, words, { folder });
    assert.equal(run.code, code, run.output);
    assert.match(run.output, sentence);
  }
  for (const env of [{ SRS_DOLPHIN_UNGUARDED: "on" }, {}]) {
    if (!("SRS_DOLPHIN_UNGUARDED" in env)) writeFileSync(join(folder, "x.conf"), `${base} ${guarded} dolphin { unguarded on; }`);
    const { code, stdout } = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder, env });
    assert.deepEqual([code, stdout.length, stdout.at(-1)], [0, 2, "dolphin would start"]);
    assert.match(
      stdout[0] ?? "",
      /^warning: x\.conf:1:\d+: CONF_UNGUARDED: token_traverse is not served yet, and without it whoever the origin would refuse is let in$/,
    );
  }
});

void test("a reload that brings a guard is refused, and what is in force stays; unguarded on takes it", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: "listen 1935; vhost __defaultVhost__ { }" });
  const { problems } = await dolphin.reload(`listen 1935; ${guarded} vhost b { }`, "refused");
  assert.match(String(problems), sentence);
  const { changes } = await dolphin.reload(`listen 1935; ${guarded} vhost b { } dolphin { unguarded on; }`);
  assert.deepEqual(changes, ["vhost __defaultVhost__ cluster.token_traverse", "vhost b", "dolphin.unguarded"]);
  const source = await publisher(dolphin.rtmpUrl("s"));
  source.close();
});

void test("an unmodified srs behind the proxies guards by itself: its file starts without a word", async (t) => {
  const folder = temporaryFolder(t);
  const conf = `listen 127.0.0.1:${await freePort()}; max_connections 100; http_server { enabled off; } pid off; daemon off; srs_log_tank console;
vhost __defaultVhost__ { cluster { token_traverse on; } hls { enabled on; } dvr { enabled on; } http_hooks { enabled on; on_play http://127.0.0.1:1/; } }`;
  writeFileSync(join(folder, "srs.conf"), conf);
  const checked = await runToItsEnd(t, ["check", "-c", "srs.conf", "--server", fakeSrs], { folder });
  assert.deepEqual([checked.code, checked.stdout], [0, ["dolphin would start"]]);
  const dolphin = await Dolphin.start(t, { cores: 1, args: ["--server", fakeSrs], conf });
  assert.equal((await dolphin.status()).balance?.software, "srs 7.0.18");
  await dolphin.stop();
});
