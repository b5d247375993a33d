// A small cluster that transcodes once: the first server makes another stream of what is published, in a vhost of its own, and forwards that
// to the second one, which cuts it into HLS. What was published itself stays where it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { findFfmpeg, findFfprobe, publish } from "../helpers/ffmpeg.js";
import { eventually } from "../helpers/wait.js";

/** What an encoder sends that is not fit for HLS is made fit, small enough for a test. */
const transcode = `transcode { enabled on; ffmpeg ${findFfmpeg()};
  engine sd { enabled on;
    vcodec libx264; vbitrate 100; vfps 25; vwidth 160; vheight 90; vthreads 1; vprofile baseline; vpreset ultrafast; vparams { g 25; }
    acodec aac; abitrate 32; asample_rate 44100; achannels 2;
    output rtmp://127.0.0.1:[port]/[app]?vhost=made.example/[stream]_[engine]; } }`;

const originConf = (destination: string): string => `
listen              1935;
max_connections     10240;
vhost __defaultVhost__ {
    gop_cache       on;
    ${transcode}
}
vhost made.example {
    gop_cache       on;
    forward         ${destination};
}`;

const edgeConf = `
listen              1935;
max_connections     10240;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ {
    gop_cache       on;
    hls { enabled on; hls_fragment 1; hls_window 30; }
}`;

const isError = ({ level }: LogLine): boolean => level === "error" || level === "fatal";

test("small cluster: a stream is transcoded once, and only what was made is forwarded to the next server and is HLS there", async (t) => {
  const edge = await Dolphin.start(t, { conf: edgeConf, cores: 1 });
  const origin = await Dolphin.start(t, { conf: originConf(`127.0.0.1:${edge.rtmpPort}`), cores: 1 });
  const encoder = publish(origin.rtmpUrl("livestream"), { seconds: 60, audio: "mp3" });
  t.after(() => encoder.stop());
  await encoder.started;
  const url = edge.flvUrl("livestream_sd").replace(/\.flv$/, ".m3u8");
  await eventually(async () => (await fetch(url)).status === 200, { what: "HLS at the second server", timeoutMs: 20_000 });
  const args = ["-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=print_section=0", url];
  const found = new Set((await run(findFfprobe(), args, 30_000)).trim().split(/\s+/));
  assert.deepEqual(found, new Set(["h264,160,90", "aac"]), "neither 320x180 nor MP3, as they were published");
  const [here, there] = [await origin.status(), await edge.status()];
  assert.deepEqual(here.streams.map(({ vhost, stream }) => `${vhost}/${stream}`).toSorted(), [
    "__defaultVhost__/livestream",
    "made.example/livestream_sd",
  ]);
  assert.deepEqual(
    there.streams.map(({ stream }) => stream),
    ["livestream_sd"],
  );
  assert.deepEqual([here.programs.length, there.programs.length], [1, 0]);
  await encoder.stop();
  await eventually(async () => (await edge.status()).streams.every(({ state }) => state !== "publish"), {
    what: "it to end there as well",
  });
  assert.deepEqual([...origin.logLines(isError), ...edge.logLines(isError)], []);
  await Promise.all([origin.kill(), edge.kill()]); // they have said beside their logs which spellings of their files are old
});
