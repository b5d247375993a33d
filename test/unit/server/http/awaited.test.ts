import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test, type TestContext } from "node:test";
import type { StreamRequest } from "../../../../src/codec/rtmp/url.js";
import { awaitList, hlsHoldMs, streamOfList } from "../../../../src/server/http/awaited.js";
import type { Hub } from "../../../../src/server/streams/hub.js";
import { configOf } from "../rig.js";

const vhostOf = (file: string): NonNullable<ReturnType<typeof configOf>["vhosts"][0]> => {
  const [vhost] = configOf(`vhost a.example { hls { enabled on; hls_m3u8_file ${file}; } }`).vhosts;
  assert.ok(vhost !== undefined);
  return vhost;
};

for (const [file, path, expected] of [
  ["[app]/[stream].m3u8", "/live/s.m3u8", ["live", "s"]],
  ["[app]/[stream].m3u8", "/live/sub/s.m3u8", ["live/sub", "s"]],
  ["hls/[vhost]/[app]-[stream]/list.m3u8", "/hls/a.example/live-s/list.m3u8", ["live", "s"]],
  ["hls/[vhost]/[app]-[stream]/list.m3u8", "/hls/b.example/live-s/list.m3u8", null],
  ["[app]/[stream].m3u8", "/s.m3u8", null],
  ["[app]/[stream].m3u8", "/live/s.ts", null],
] as const) {
  test(`awaited: of ${file} the path ${path} is ${expected === null ? "no list" : `the list of ${expected.join(" ")}`}`, () => {
    const found = streamOfList(path, vhostOf(file));
    assert.deepEqual(found === null ? null : [found.app, found.stream], expected);
  });
}

/** A hub of one vhost that is an edge, and who sits in its streams; a list that was written so long ago (ms), or none. */
function edge(t: TestContext, ageMs: number | null, isLive = false) {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-list-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "s.m3u8");
  const write = (age: number): void => {
    writeFileSync(file, "#EXTM3U\n");
    utimesSync(file, Date.now() / 1000, (Date.now() - age) / 1000);
  };
  if (ageMs !== null) write(ageMs);
  const config = configOf(
    "dolphin { http_flv_wait 0; } vhost a { cluster { mode remote; origin b; } hls { enabled on; hls_fragment 1; } }",
  );
  const seats = new Set<object>();
  const pulled: string[] = [];
  const source = {
    isLive,
    add: (): object => {
      const seat = {};
      seats.add(seat);
      return seat;
    },
    remove: (_tap: string, seat: object) => void seats.delete(seat),
  };
  const taken = (_vhost: unknown, { app, stream, params }: StreamRequest): object => {
    pulled.push(`${app}/${stream}${params}`);
    return source;
  };
  const hub = { setup: { config }, has: () => false, source: taken } as unknown as Hub;
  const ask = (query = ""): Promise<void> => awaitList(hub, config.vhosts[0]!, { path: "/live/s.m3u8", query }, { folder, path: "s.m3u8" });
  return { ask, seats, pulled, write };
}

test("awaited: an edge holds a stream once, until half a minute after the last request for its list", async (t) => {
  const { ask, seats, pulled } = edge(t, 0);
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  await Promise.all([ask("token=1&vhost=other"), ask("token=2")]);
  assert.deepEqual(pulled, ["live/s?token=1"]);
  mock.timers.tick(20_000);
  await ask();
  mock.timers.tick(hlsHoldMs - 1);
  assert.equal(seats.size, 1);
  mock.timers.tick(1);
  assert.equal(seats.size, 0);
  await ask();
  assert.equal(pulled.length, 2);
});

test("awaited: a stream of which nothing comes is let go of, and not asked for again for a moment", async (t) => {
  const { ask, seats, pulled } = edge(t, null);
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  await ask();
  await ask();
  assert.deepEqual([seats.size, pulled.length], [0, 1]);
  mock.timers.tick(5_000);
  await ask();
  assert.equal(pulled.length, 2);
});

test("awaited: a list that is left from an earlier pull is not the one that is waited for", async (t) => {
  const { ask, write } = edge(t, 60_000, true);
  const answered = Promise.all([ask(), ask()]).then(() => "answered");
  const later = new Promise((resolve) => setTimeout(() => resolve("waits"), 300));
  assert.equal(await Promise.race([answered, later]), "waits");
  write(0);
  assert.equal(await answered, "answered");
});
