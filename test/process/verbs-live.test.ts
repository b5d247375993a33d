// The verbs that look into a running box and act on it, which need no HTTP API.
import assert from "node:assert/strict";
import { existsSync, renameSync } from "node:fs";
import { test } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { start } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { LoggingBox } from "../helpers/logging-box.js";
import { show } from "../helpers/show.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

void test("clients, streams and top tell who is there, and kick sends away one, or all of a stream", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const running = await show(t, dolphin, "s");
  const hostile = await player(dolphin.rtmpUrl("<b>\u202e'\"&stream"));
  t.after(() => hostile.close());
  const streams = await dolphin.ask("streams");
  assert.match(streams, /__defaultVhost__\/live\/s +publish .* 320x180 /);
  assert.ok(!streams.includes("\u202e"), "a name turns no line around");
  const clients = await eventually(
    async () => {
      const found = JSON.parse(await dolphin.ask("clients", "live/s", "--json")) as readonly {
        readonly id: string;
        readonly type: string;
        readonly process: string;
      }[];
      return found.length === 3 ? found : null; // who came to the wrong edge may not have left yet
    },
    { what: "the publisher and a viewer at each edge" },
  );
  assert.deepEqual(clients.map(({ type }) => type).toSorted(), ["fmle-publish", "rtmp-play", "rtmp-play"]);
  assert.match(await dolphin.ask("top"), /edge-2 +server/);
  const [first, second] = running.viewers;
  const { id = "" } = clients.find(({ process }) => process === "edge-2") ?? {};
  assert.equal(await dolphin.ask("kick", id), "1 client was sent away");
  await Promise.race([first?.ended, second?.ended]);
  await assert.rejects(dolphin.ask("kick", id), /nobody of that name is here/);
  assert.equal(await dolphin.ask("kick", "live/s"), "2 clients were sent away");
  await Promise.all([first?.ended, second?.ended, running.source.connection.ended]);
  await dolphin.stop({ allow: ({ code }) => code === "RTMP_KICKED" });
});

void test("scale starts workers and lets some go, and nobody who watches or publishes notices", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const running = await show(t, dolphin, "s");
  const edges = async (): Promise<number> =>
    (await dolphin.status()).processes.filter(({ duty, state }) => duty === "edge" && state === "up").length;
  for (const [workers, count] of [
    ["4", 4],
    ["1", 1],
    ["2", 2],
  ] as const) {
    assert.match(await dolphin.ask("scale", workers), /^done/);
    await eventually(async () => (await edges()) === count, { what: `${workers} edges` });
    await running.goesOn();
  }
  // The file says nothing of cores; what was said holds over a reload, too.
  assert.match(await dolphin.ask("reload"), /nothing to do/);
  assert.match(await dolphin.ask("restart"), /^done/);
  await running.goesOn();
  await eventually(async () => (await edges()) === 2, { what: "two edges still" });
  await assert.rejects(dolphin.ask("scale", "0"), /from 1 to 1024/);
  running.close();
  await dolphin.stop();
});

void test("logs shows the last lines of the file and those that come, also when it is rotated", async (t) => {
  const box = await LoggingBox.start(t, "srs_log_file LOG;");
  await box.visit("first");
  const words = ["bin/dolphin.js", "logs", "-f", "-n", "3", "--json"];
  const lines: string[] = [];
  const reader = start(process.execPath, words, { env: { XDG_RUNTIME_DIR: box.folder }, onLine: (line) => lines.push(line) });
  t.after(() => void reader.stop("SIGTERM"));
  const has = (stream: string): Promise<boolean> =>
    eventually(() => lines.some((line) => line.includes(`"${stream}"`)), { what: `the lines of ${stream}` });
  await has("first");
  await box.visit("second");
  await has("second");
  renameSync(box.file, `${box.file}.old`);
  box.signal("SIGUSR1");
  await eventually(() => existsSync(box.file), { what: "another file" });
  await box.visit("third");
  await has("third");
  assert.ok(
    lines.every((line) => line.startsWith("{") && line.endsWith("}")),
    "every line is whole",
  );
  await reader.stop("SIGTERM");
  await box.stop();
});
