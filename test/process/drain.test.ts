// The end of a box that is one of many, as an orchestrator ends a pod: it is no longer ready at once and lives on, still takes who comes
// for a while, then takes nobody, and sends those who stay to the others one after the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encoderAt, viewerAt } from "../helpers/boxes.js";
import { Dolphin } from "../helpers/dolphin.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const viewerCount = 8;
/** That the last viewer still gets after the first one was sent away: less than half a second of one and a half. */
const pictures = 10;

async function probe(dolphin: Dolphin, path: string): Promise<number> {
  return (await fetch(dolphin.apiUrl(path))).status;
}

void test("TERM in a pod: not ready at once, alive to the end, and viewers leave one by one", async (t) => {
  const graces = "force_grace_quit on; grace_start_wait 500; grace_final_wait 100;";
  const conf = `listen 1935; max_connections 100; ${graces} dolphin { drain_timeout 2; drain_spread 1.5; } vhost __defaultVhost__ { min_latency on; }`;
  const dolphin = await Dolphin.start(t, { cores: 1, api: true, conf });
  await encoderAt(t, dolphin.rtmpUrl("show"));
  const viewers = await Promise.all(Array.from({ length: viewerCount - 1 }, () => viewerAt(t, dolphin)));
  await Promise.all(viewers.map((one) => one.waitForMedia(20)));
  assert.deepEqual([await probe(dolphin, "/ready"), await probe(dolphin, "/live")], [200, 200]);
  process.kill(dolphin.pid, "SIGTERM");
  await dolphin.waitFor("dolphin.quitting");
  const late = await viewerAt(t, dolphin).catch(() => null); // whoever has not heard of it yet is served
  if (late === null) await dolphin.waitFor("dolphin.draining", { timeoutMs: 1 });
  else viewers.push(late);
  assert.deepEqual([await probe(dolphin, "/ready"), await probe(dolphin, "/live")], [503, 200]);
  await dolphin.waitFor("dolphin.draining");
  assert.deepEqual([await probe(dolphin, "/ready"), await probe(dolphin, "/live")], [503, 200]);
  await eventually(() => assert.rejects(player(dolphin.rtmpUrl("show")), /ECONNREFUSED/).then(() => true), { what: "a refusal" });
  const ends: { readonly seen: number[] }[] = [];
  const countAll = (): number[] => viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one) => one.ended.then(() => ends.push({ seen: countAll() }))));
  const [first, last] = [ends[0]!.seen, ends.at(-1)!.seen];
  assert.ok(Math.max(...last.map((count, at) => count - first[at]!)) >= pictures, `${first.join(" ")} … ${last.join(" ")}`);
  await dolphin.waitFor("dolphin.stopped");
});
