// Disks that fail under a real box: files that may not grow, and folders that vanish or are none. Each costs one line and the files of that
// while; a viewer of the live stream sees no gap, and HLS and recordings go on by themselves.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { errnoOf } from "../../src/base/errors.js";
import { run } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { parseList, pictureSums, repeated, sendClip, type ReadList } from "../helpers/packages.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const conf = `listen 1935; http_server { enabled on; listen 8080; } dolphin { dvr_min_free off; }
vhost __defaultVhost__ { min_latency on;
  hls { enabled on; hls_fragment 1; hls_window 60; hls_ctx off; }
  dvr { enabled on; dvr_path ./rec/[stream]-[timestamp].flv; dvr_plan segment; dvr_duration 1; } }`;

test("packager: a disk that is full, and folders that vanish or are none, cost a line and their files, and no viewer anything", async (t) => {
  const dolphin = await Dolphin.start(t, { conf, env: { SRS_DOLPHIN_WARM_UP: "off" } });
  const pid = Number((await dolphin.waitFor("child.ready", { where: ({ child }) => child === "packager" }))["childPid"]);
  const media = repeated(await clip({ seconds: 2 }), 120, 2000);
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  const viewer = await player(dolphin.rtmpUrl("s"));
  t.after(() => viewer.connection.close());
  const sent = sendClip(source, media, 4).catch(() => undefined); // it is closed in the middle
  const cwd = `/proc/${dolphin.pid}/cwd`;
  const folders = ["rec", "objs/nginx/html/live"].map((name) => join(cwd, name));
  const listUrl = dolphin.flvUrl("s").replace(/\.flv$/, ".m3u8");
  const list = async (): Promise<ReadList> => parseList(await (await fetch(listUrl)).text());
  const numberOf = ({ entries }: ReadList): number => Number(/-(\d+)\.ts$/.exec(entries.at(-1)?.uri ?? "")?.[1] ?? -1);
  const recorded = (): number => dolphin.logLines(({ event }) => event === "dvr.finished").length;
  const told = (event: string): number => dolphin.logLines((line) => line.event === event).length;
  await eventually(async () => recorded() >= 1 && (await list()).entries.length >= 1, { what: "a recording and a segment" });
  const faults: readonly {
    readonly what: string;
    readonly isAlwaysTold: boolean;
    readonly begin: () => unknown;
    readonly end: () => unknown;
  }[] = [
    {
      what: "a full disk",
      isAlwaysTold: true,
      begin: () => run("prlimit", [`--pid=${pid}`, "--fsize=20000:"], 5000),
      end: () => run("prlimit", [`--pid=${pid}`, "--fsize=unlimited:"], 5000),
    },
    {
      what: "folders that are gone",
      isAlwaysTold: false, // between two files nothing is missing
      begin: () => Promise.all(folders.map((folder) => eventually(() => isGone(folder)))),
      end: () => undefined,
    },
    {
      what: "folders that are none",
      isAlwaysTold: true,
      begin: () =>
        // It may be made anew in between.
        Promise.all(
          folders.map((folder) =>
            eventually(() => {
              renameSync(folder, `${folder}.moved.${Date.now()}`);
              writeFileSync(folder, "");
              return true;
            }),
          ),
        ),
      end: () => folders.forEach((folder) => rmSync(folder)),
    },
  ];
  await eventually(() => existsSync(join(folders[1]!, ".s.m3u8")), { what: "the file that the next list is written into" });
  assert.equal((await fetch(listUrl.replace("s.m3u8", ".s.m3u8"))).status, 404, "whom a list is kept from finds it by no other name");
  for (const { what, isAlwaysTold, begin, end } of faults) {
    const before = [told("hls.failed"), told("dvr.failed")] as const;
    const numberBefore = numberOf(await list()) + 1;
    await begin();
    const isTold = (): boolean => told("hls.failed") > before[0] && told("dvr.failed") > before[1];
    if (isAlwaysTold) await eventually(isTold, { what: `${what} to be told`, timeoutMs: 15_000 });
    await end();
    const endedAt = Date.now();
    const isNew = ({ event, file }: LogLine): boolean => event === "dvr.finished" && Number(/-(\d+)\./.exec(String(file))?.[1]) > endedAt;
    await eventually(() => dolphin.logLines(isNew).length > 0, { what: `recording to go on after ${what}`, timeoutMs: 15_000 });
    const lines = [told("hls.failed") - before[0], told("dvr.failed") - before[1]];
    assert.ok(
      // A folder that grows while it is deleted is deleted a second time.
      lines.every((count) => (isAlwaysTold ? count === 1 : count <= 2)),
      `${lines.join(" and ")} lines for ${what}`,
    );
    const newest = readdirSync(join(cwd, "rec")).filter((name) => name.endsWith(".flv"));
    await pictureSums(readFileSync(join(cwd, "rec", newest.toSorted().at(-1)!)), "flv");
    const { entries } = await eventually(
      async () => {
        const response = await fetch(listUrl);
        const found = parseList(await response.text());
        return response.status === 200 && numberOf(found) > numberBefore ? found : null;
      },
      { what: `HLS to go on after ${what}` },
    );
    const bytes = await Promise.all(
      entries.map(async ({ uri }) => {
        const response = await fetch(dolphin.flvUrl("s").replace(/[^/]*$/, uri));
        assert.equal(response.status, 200, `${uri} after ${what}`);
        return Buffer.from(await response.arrayBuffer());
      }),
    );
    for (const one of bytes) await pictureSums(one, "ts");
  }
  const pictures = viewer.media.filter(({ type, payload }) => type === 9 && payload[1] === 1).map(({ timestamp }) => timestamp);
  assert.ok(pictures.length > 100);
  assert.ok(
    pictures.every((at, index) => index === 0 || at - pictures[index - 1]! <= 40),
    "no picture is missing",
  );
  assert.equal(source.connection.endedBy, null);
  source.close();
  await sent;
  await dolphin.kill(); // its log has the errors of before
});

/** Takes a folder away with all that is in it; false: something was made there meanwhile. */
function isGone(folder: string): boolean {
  try {
    rmSync(folder, { recursive: true, force: true });
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOTEMPTY") throw thrown;
    return false;
  }
}
