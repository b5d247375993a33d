import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseServer } from "../../../src/conf/meaning/endpoint.js";
import { Hooks } from "../../../src/hooks/hooks.js";
import { nobody } from "../../../src/ipc/identity.js";
import { Packager } from "../../../src/packager/packager.js";
import { eventually } from "../../helpers/wait.js";
import { memoryLog } from "../proxy/rtmp/rig.js";
import { configOf, Encoder, startServer, watch } from "../server/rig.js";

const edgeKey = "0123456789abcdef0123456789abcdef";

test("packager: what two servers of a box pull is packaged until neither does", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-package-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const far = await startServer(t, "vhost __defaultVhost__ { min_latency on; }");
  const edge = `dolphin { pull_linger 0; } vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${far.address}; }
    dvr { enabled on; dvr_path ${folder}/[stream].[timestamp].flv; } }`;
  const [a, b] = [await startServer(t, edge, { edgeKey }), await startServer(t, edge, { edgeKey })];
  const { log, lines } = memoryLog();
  const config = configOf(edge);
  const hooks = new Hooks({ identity: nobody, settings: config.dolphin.hooks, log, tell: () => undefined });
  const origins = [parseServer(a.address), parseServer(b.address)];
  const packager = Packager.start(
    { name: "packager", config, edgeKey, origins, stateFolder: join(folder, "states"), identity: nobody },
    log,
    hooks,
  );
  t.after(() => packager.close("the test is over", false));
  const count = (event: string): number => lines.filter((line) => line.event === event).length;
  const recorded = (): number => {
    const files = readdirSync(folder).filter((name) => name.includes(".flv"));
    return files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  };

  const encoder = await Encoder.open(t, far.rtmpUrl("s"));
  encoder.sendSteadily(t);
  const first = await watch(t, a.rtmpUrl("s"));
  await eventually(() => count("package.started") === 1, { what: "the packager at the first server" });
  const second = await watch(t, b.rtmpUrl("s"));
  await eventually(() => b.server.streams().some(({ video }) => video !== ""), { what: "the stream at the second server" });
  second.close();
  await eventually(() => b.server.streams().every(({ state }) => state !== "pull"), { what: "the end of the second pull" });
  const before = recorded();
  await eventually(() => recorded() > before + 40_000, { what: "two seconds more" }); // longer than last packets are waited for
  assert.deepEqual([count("package.started"), count("package.ended")], [1, 0]);
  first.close();
  await eventually(() => count("package.ended") === 1, { what: "the end of both" });
});
