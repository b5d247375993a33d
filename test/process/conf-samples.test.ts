// The files in conf/ for HLS, recordings, ingest and transcoding, which are called as SRS's own: each is started as it is, but for its ports,
// and does what it says.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { projectRoot } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findFfmpeg } from "../helpers/ffmpeg.js";
import { clipSums, flvOf, parseList, pictureSums, repeated, sendClip } from "../helpers/packages.js";
import { player, publisher, type Media } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

interface Sample {
  readonly dolphin: Dolphin;
  /** The folder that it runs in. */
  readonly cwd: string;
}

async function started(t: TestContext, name: string): Promise<Sample> {
  const conf = readFileSync(join(projectRoot, "conf", name), "utf8");
  const dolphin = await Dolphin.start(t, { conf, cores: 1 });
  return { dolphin, cwd: `/proc/${dolphin.pid}/cwd` };
}

async function publishAll(dolphin: Dolphin, media: readonly Media[], speed: number): Promise<void> {
  const source = await publisher(dolphin.rtmpUrl("livestream"));
  await sendClip(source, media, speed);
  source.close();
}

/** What ffmpeg is called in these files, and what they publish, are there from now on. */
function bringFfmpeg({ cwd }: Sample): void {
  mkdirSync(join(cwd, "objs/ffmpeg/bin"), { recursive: true });
  symlinkSync(findFfmpeg(), join(cwd, "objs/ffmpeg/bin/ffmpeg"));
}

const provoked = ({ event }: { event?: string }): boolean => event?.startsWith("program.") === true;

suite("conf", { concurrency: true }, () => {
  test("conf: hls.conf writes segments of ten seconds and a list that names them", async (t) => {
    const { dolphin } = await started(t, "hls.conf");
    const media = repeated(await clip({ seconds: 2 }), 11, 2000);
    await publishAll(dolphin, media, 15);
    const url = dolphin.flvUrl("livestream").replace(/\.flv$/, ".m3u8");
    const variants = await eventually(async () => {
      const response = await fetch(url);
      return response.status === 200 ? parseList(await response.text()) : null;
    });
    const list = await eventually(async () => {
      const found = parseList(await (await fetch(new URL(variants.entries[0]!.uri, url))).text());
      return found.entries.length === 3 ? found : null;
    });
    assert.deepEqual(
      list.entries.map(({ uri, seconds }) => [uri.replace(/\?.*$/, ""), Math.round(seconds)]),
      [
        ["livestream-0.ts", 10],
        ["livestream-1.ts", 10],
        ["livestream-2.ts", 2],
      ],
    );
    const segments = await Promise.all(list.entries.map(async ({ uri }) => (await fetch(new URL(uri, url))).arrayBuffer()));
    assert.deepEqual(await pictureSums(Buffer.concat(segments.map((one) => Buffer.from(one))), "ts"), await clipSums(media));
    await dolphin.stop();
  });

  for (const { name, ending, files } of [
    { name: "dvr.session.conf", ending: "flv", files: 1 },
    { name: "dvr.segment.conf", ending: "mp4", files: 2 },
  ]) {
    test(`conf: ${name} records`, async (t) => {
      const { dolphin, cwd } = await started(t, name);
      const media = repeated(await clip({ seconds: 2 }), 16, 2000);
      await publishAll(dolphin, media, 20);
      await eventually(() => dolphin.logLines(({ event }) => event === "dvr.finished").length === files, { what: `${files} recordings` });
      const folder = join(cwd, "objs/nginx/html/live");
      const names = readdirSync(folder).toSorted();
      assert.equal(names.length, files);
      assert.ok(
        names.every((one) => new RegExp(`^livestream\\.\\d{13}\\.${ending}$`).test(one)),
        names.join(" "),
      );
      const sums = await Promise.all(names.map((one) => pictureSums(readFileSync(join(folder, one)), ending)));
      assert.deepEqual(sums.flat(), await clipSums(media));
      if (files > 1) assert.equal(sums[0]!.length, 750, "30 s");
      await dolphin.stop();
    });
  }

  test("conf: ingest.conf publishes its file again and again", async (t) => {
    // What it names has to be there before it is read.
    const dolphin = await Dolphin.start(t, { conf: "listen 1935; max_connections 1000; vhost __defaultVhost__ { }", cores: 1 });
    const sample = { dolphin, cwd: `/proc/${dolphin.pid}/cwd` };
    mkdirSync(join(sample.cwd, "doc"));
    writeFileSync(join(sample.cwd, "doc/source.flv"), flvOf(await clip({ seconds: 2 })));
    bringFfmpeg(sample);
    await dolphin.reload(readFileSync(join(projectRoot, "conf/ingest.conf"), "utf8"));
    const viewer = await player(sample.dolphin.rtmpUrl("livestream"));
    t.after(() => viewer.connection.close());
    await viewer.waitForMedia(160, 25_000); // more than the file has once
    viewer.connection.close();
    await sample.dolphin.kill(); // its log has the error that there was no ffmpeg at first
  });

  test("conf: ffmpeg.transcode.conf makes another stream of each", async (t) => {
    const sample = await started(t, "ffmpeg.transcode.conf");
    bringFfmpeg(sample);
    const { dolphin } = sample;
    const source = await publisher(dolphin.rtmpUrl("livestream"));
    t.after(() => source.close());
    void sendClip(source, repeated(await clip({ seconds: 2 }), 30, 2000), 1).catch(() => undefined); // it is closed in the middle
    const viewer = await player(dolphin.rtmpUrl("livestream_ff"));
    t.after(() => viewer.connection.close());
    await viewer.waitForMedia(20, 25_000);
    const { streams } = await dolphin.status();
    assert.match(streams.find(({ stream }) => stream === "livestream_ff")?.video ?? "", /768.?320|H\.?264|avc/i);
    source.close();
    viewer.connection.close();
    await dolphin.stop({ allow: provoked });
  });
});
