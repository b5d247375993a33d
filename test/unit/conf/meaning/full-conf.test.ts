import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { changesBetween } from "../../../../src/conf/meaning/changes.js";
import { directiveRows } from "../../../../src/conf/directives/table.js";
import { fullConf } from "../../../../src/conf/meaning/full-conf.js";
import { loadConfig } from "../../../../src/conf/load.js";

const loadText = (text: string) => loadConfig({ file: "f", text });

test("full.conf: the file in conf/ is what the table makes", () => {
  const file = readFileSync(new URL("../../../../../conf/full.conf", import.meta.url), "utf8");
  assert.equal(file, fullConf(), "write it anew: dolphin conf --full > conf/full.conf");
});

test("full.conf: it can be run, and nothing in it is wrong", () => {
  const { config, problems } = loadText(fullConf());
  assert.ok(config);
  assert.deepEqual(
    problems.filter(({ message }) => !message.startsWith("daemon on")),
    [],
  );
});

test("full.conf: it does what a file does that says nothing", () => {
  const full = loadText(fullConf());
  const smallest = loadText("listen 1935; vhost __defaultVhost__ { http_remux { } }");
  assert.deepEqual(
    changesBetween(smallest.directives, full.directives).map(({ path }) => path),
    ["vhost __defaultVhost__ ingest example", "vhost __defaultVhost__ transcode", "stream_caster 1"],
    "blocks that are off, but have no default to be compared with",
  );
  assert.ok(full.config && smallest.config);
  // A limit of the log that is written down is one that was asked for.
  assert.deepEqual(full.config, { ...smallest.config, log: { ...smallest.config.log, givesWay: false } });
});

test("full.conf: every directive stands in it, with its sentence and its variables", () => {
  const lines = new Set(
    fullConf()
      .split("\n")
      .map((line) => line.trim()),
  );
  const words = new Set(fullConf().split(/[\s;]+/));
  for (const { name, about, variables } of directiveRows) {
    assert.ok(words.has(name), name);
    assert.ok(lines.has(`# ${about}`), about);
    for (const variable of variables) assert.ok(words.has(`$${variable}`), variable);
  }
});

test("full.conf: what a directive's lines tell", () => {
  for (const expected of [
    "    # Keep what came since the last key frame, so that a new player starts at once.",
    "        # on|off; $SRS_VHOST_PLAY_GOP_CACHE; live\n        gop_cache            on;",
    "    # auto|whole number from 1 to 1024; $SRS_DOLPHIN_CORES; replace\n    cores                auto;",
    "# whole number from 1 up; $SRS_MAX_CONNECTIONS; live\n# max_connections    …;",
    "        # local|remote; live\n        mode                 local;",
    "    # whole number of milliseconds from 0 up; $SRS_VHOST_PUBLISH_MR_LATENCY; live; no effect",
  ]) {
    assert.ok(fullConf().includes(expected), expected);
  }
});
