// The packager, edges and the origin of a box are killed by chance for DOLPHIN_SOAK_S seconds, while streams are packaged faster than they
// would be watched. A strict viewer of HLS sees no number fall or change, no hole, and at most one discontinuity for each blow; of the
// recordings everything plays, and what was sent is in them. A small disk that fills up costs recordings and nothing else.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { run } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { findFfmpeg } from "../helpers/ffmpeg.js";
import { HlsReader } from "../helpers/hls-reader.js";
import { pictureSums, sendClip } from "../helpers/packages.js";
import { publisher, type Media, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { numbersFrom, soakSeconds, soakSeed } from "../helpers/soak.js";
import { eventually } from "../helpers/wait.js";

const speed = 2;
const clipMs = 2000;
const frameMs = 40;
const conf = `listen 1935; http_server { enabled on; listen 8080; } dolphin { cores 2; origin_process child; }
vhost __defaultVhost__ { min_latency on;
  hls { enabled on; hls_fragment 1; hls_window 20; hls_ctx off; }
  dvr { enabled on; dvr_path ./rec/[stream]-[timestamp].RECORDED; } }`;

/** Publishes a clip again and again, and comes back where its process was killed. */
class Encoder {
  /** How often it had to come back. */
  comebacks = 0;
  private isOver = false;
  private readonly done: Promise<void>;

  constructor(t: TestContext, url: string, media: readonly Media[]) {
    this.done = this.run(url, media);
    t.after(() => this.close());
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.done;
  }

  private async run(url: string, media: readonly Media[]): Promise<void> {
    for (let round = 0; !this.isOver;) {
      const comeIn = async (): Promise<RtmpPublisher | "over"> => (this.isOver ? "over" : publisher(url));
      const source = await eventually(comeIn, { what: "a publisher to be let in", timeoutMs: 30_000 });
      if (source === "over") return;
      try {
        for (let first = true; !this.isOver; first = false, round++) {
          const shifted = media.map(({ type, timestamp, payload }): Media => ({ type, payload, timestamp: timestamp + round * clipMs }));
          await sendClip(source, first ? shifted : shifted.filter(({ payload }) => payload[1] !== 0), speed);
        }
      } catch {
        this.comebacks += 1;
      }
      source.close();
    }
  }
}

/** Pictures of a recording, and how many of them are further from the one before than pictures are. A decoder may miss lost ones. */
async function holesIn(path: string): Promise<{ pictures: number; holes: number }> {
  const linesOf = async (...how: readonly string[]): Promise<string[]> =>
    (await run(findFfmpeg(), ["-v", "fatal", "-i", path, "-map", "0:v", ...how, "-f", "framemd5", "-"], 60_000)).split("\n");
  const isPicture = (line: string): boolean => line.startsWith("0,");
  const pictures = (await linesOf("-vsync", "0")).filter(isPicture).length;
  const asTheyAre = await linesOf("-c", "copy", "-copyts");
  const ticksPerSecond = Number(/^#tb 0: 1\/(\d+)$/m.exec(asTheyAre.join("\n"))?.[1]);
  const times = asTheyAre.filter(isPicture).map((line) => (Number(line.split(",")[1]) * 1000) / ticksPerSecond);
  assert.ok(times.length >= pictures && times.every((at) => !Number.isNaN(at)), `times of ${path}`);
  return { pictures, holes: times.filter((at, index) => index > 0 && at - times[index - 1]! > frameMs + 1).length };
}

for (const recorded of ["flv", "mp4"]) {
  void test(`packager: for ${soakSeconds} s processes are killed, recorded as ${recorded} (seed ${soakSeed})`, async (t) => {
    const random = numbersFrom(soakSeed);
    const dolphin = await Dolphin.start(t, { conf: conf.replace("RECORDED", recorded) });
    const media = await clip({ seconds: clipMs / 1000, bFrames: 2 });
    const encoder = new Encoder(t, dolphin.rtmpUrl("s"), media);
    const listUrl = dolphin.flvUrl("s").replace(/\.flv$/, ".m3u8");
    await eventually(async () => (await fetch(listUrl)).status === 200, { what: "a list", timeoutMs: 20_000 });
    const reader = new HlsReader(listUrl);
    await reader.more(3);
    const deaths = new Map<string, number[]>();
    const blows: string[] = [];
    for (const untilMs = Date.now() + soakSeconds * 1000; Date.now() < untilMs;) {
      const names = ["packager", "edge-1", "edge-2", "origin"].filter((name) => recentOf(deaths, name) < 4); // five a minute are a failure
      const name = names[Math.floor(random() * names.length)];
      if (name !== undefined) {
        const { processes } = await dolphin.status();
        const pid = processes.find((found) => found.name === name && found.state === "up")?.pid ?? null;
        if (pid === null) continue;
        const from = dolphin.logLength;
        await new Promise((resolve) => setTimeout(resolve, random() * 1000));
        process.kill(pid, "SIGKILL");
        deaths.set(name, [...(deaths.get(name) ?? []), Date.now()]);
        blows.push(name);
        await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 30_000 });
      }
      await reader.more(2);
      assert.ok(reader.discontinuities <= blows.length, `${reader.discontinuities} discontinuities of ${blows.join(", ")}`);
    }
    await encoder.close();
    await dolphin.waitFor("package.ended", { timeoutMs: 20_000 });
    await reader.close();
    const folder = `/proc/${dolphin.pid}/cwd/rec`;
    const names = await eventually(
      () => {
        const found = readdirSync(folder);
        return found.every((name) => name.endsWith(`.${recorded}`)) ? found : null;
      },
      { what: "recordings to be finished", timeoutMs: 20_000 },
    );
    let pictures = 0;
    let holes = 0;
    for (const name of names) {
      const found = await holesIn(join(folder, name));
      pictures += found.pictures;
      holes += found.holes;
    }
    const harmful = blows.filter((name) => name !== "packager").length;
    t.diagnostic(
      `seed ${soakSeed}: ${blows.length} blows (${[...new Set(blows)].map((name) => `${blows.filter((one) => one === name).length} × ${name}`).join(", ")}); ` +
        `${reader.segments} segments, ${reader.discontinuities} discontinuities, ${encoder.comebacks} comebacks; ` +
        `${names.length} recordings with ${pictures} pictures and ${holes} holes; HLS has ${reader.pictures}`,
    );
    assert.ok(reader.discontinuities <= harmful, "a packager's death is told by no list");
    assert.ok(holes <= harmful, `${holes} holes of ${harmful} deaths beside packagers'`);
    assert.ok(
      Math.abs(pictures - reader.pictures) <= 50 * (harmful + 1),
      `${pictures} pictures are recorded, ${reader.pictures} in segments`,
    );
    await dolphin.stop({ allow: isProvoked });
  });
}

function recentOf(deaths: ReadonlyMap<string, readonly number[]>, name: string): number {
  return (deaths.get(name) ?? []).filter((at) => Date.now() - at < 65_000).length;
}

function isProvoked({ event }: LogLine): boolean {
  return ["child.exited", "pull.lost", "push.lost", "rtmp.closed", "connections.carried", "http.refused"].includes(event ?? "");
}

/** A small file system, where the machine lets us have one. */
async function smallDisk(t: TestContext, folder: string, mib: number): Promise<boolean> {
  mkdirSync(folder, { recursive: true });
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "none", folder], 5000);
  } catch {
    return false;
  }
  t.after(() => run("umount", ["-l", folder], 5000).then(() => undefined));
  return true;
}

void test("packager: a disk that fills up ends recordings, once told, and they go on when there is room", async (t) => {
  const disk = `/tmp/dolphin-small-disk-${process.pid}`;
  if (!(await smallDisk(t, disk, 40))) return t.skip("nothing may be mounted here");
  t.after(() => rmSync(disk, { recursive: true, force: true }));
  const dolphin = await Dolphin.start(t, {
    conf: `listen 1935; dolphin { dvr_min_free 8; } vhost __defaultVhost__ { dvr { enabled on; dvr_path ${disk}/[stream]-[timestamp].mp4; } }`,
  });
  const encoder = new Encoder(t, dolphin.rtmpUrl("s"), await clip({ seconds: clipMs / 1000, size: "640x360" }));
  await eventually(() => readdirSync(disk).length > 0, { what: "a recording" });
  for (let round = 1; round <= 2; round++) {
    writeFileSync(join(disk, "filler"), Buffer.alloc(34 << 20));
    await eventually(() => dolphin.logLines(({ code }) => code === "PACK_FULL").length === round, {
      what: "it to be told",
      timeoutMs: 20_000,
    });
    await eventually(() => dolphin.logLines(({ event }) => event === "dvr.finished").length === round, { what: "a recording to end" });
    rmSync(join(disk, "filler"));
    await eventually(() => readdirSync(disk).some((name) => name.endsWith(".tmp")), { what: "the next", timeoutMs: 20_000 });
  }
  assert.equal(encoder.comebacks, 0);
  await encoder.close();
  await eventually(() => dolphin.logLines(({ event }) => event === "dvr.finished").length === 3, { what: "the last to end" });
  for (const name of readdirSync(disk)) await pictureSums(readFileSync(join(disk, name)), "mp4");
  await dolphin.kill(); // its log has the errors of before
  return undefined;
});
