// `dolphin publish` against real boxes: what a player sees of the clip that comes along, servers that come and go, files that end or
// are none, and every way to end it.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { projectRoot, start, type Child } from "../helpers/child.js";
import { assertForward, assertSameMedia, assertSteady } from "../helpers/compare.js";
import { Dolphin, type Cleanup, type DolphinOptions, type LogLine } from "../helpers/dolphin.js";
import { probe, record } from "../helpers/ffmpeg.js";
import { flvBytes, temporaryFile } from "../helpers/flv-file.js";
import { launch, runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { headers, step, videoFrame } from "../helpers/media.js";
import { freePort, refuses } from "../helpers/ports.js";
import { player, type Media } from "../helpers/rtmp-client.js";
import { within } from "../helpers/wait.js";

const single: DolphinOptions = { args: ["--plan", "single"] };

/** A publisher whose sentences can be waited for. */
interface Teller {
  readonly child: Child;
  readonly told: (what: RegExp) => Promise<void>;
}

function teller(t: Cleanup, words: readonly string[], folder = temporaryFolder(t)): Teller {
  const lines: string[] = [];
  let wake = (): void => undefined;
  const child = launch(t, ["publish", ...words], { folder }, (line) => {
    lines.push(line);
    wake();
  });
  const look = async (what: RegExp): Promise<void> => {
    while (!lines.some((line) => what.test(line))) {
      assert.equal(child.ending, null, `it ended before ${String(what)}:\n${child.output()}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return { child, told: (what) => within(look(what), 30_000, () => `${String(what)}:\n${child.output()}`) };
}

void describe("dolphin publish", { concurrency: 2 }, () => {
  void test("--demo finds the box that runs here, and a player sees pictures and hears sound beyond the clip's end", async (t) => {
    const dolphin = await Dolphin.start(t);
    const { child, told } = teller(t, ["--demo"], dirname(dirname(dolphin.controlSocket)));
    await told(/^publishes the demo clip to rtmp:\/\/127\.0\.0\.1:\d+\/live\/livestream, over and over; Ctrl-C ends it$/);
    await told(new RegExp(`^ +${dolphin.flvUrl("livestream").replaceAll(".", "\\.")}$`));
    const file = join(temporaryFolder(t), "seen.flv");
    await record(dolphin.rtmpUrl("livestream"), file, 20);
    const { streams, packets } = await probe(file);
    assert.deepEqual(streams.map(({ codec }) => codec).sort(), ["aac", "h264"]);
    for (const [type, perSecond] of [
      ["video", 25],
      ["audio", 48_000 / 1024],
    ] as const) {
      assertSteady(packets, type, 60);
      const frames = streams.find((stream) => stream.type === type)?.frames ?? 0;
      assert.ok(frames >= 20 * perSecond * 0.9, `${frames} frames of ${type}`);
    }
    const clip = await probe(join(projectRoot, "conf/demo.flv"));
    const sizes = packets.filter(({ codecType }) => codecType === "video").map(({ sizeBytes }) => sizeBytes);
    const first = clip.packets.find(({ codecType }) => codecType === "video");
    assert.ok(sizes.slice(10).includes(first?.sizeBytes ?? 0), "the clip has begun anew");
    assert.deepEqual(await child.stop("SIGINT"), { code: 0, signal: null });
    const ended = await dolphin.waitFor("publish.ended");
    assert.equal(ended["stream"], "livestream");
    await dolphin.stop();
  });

  void test("goes on when its server was killed and is there again, and says both in a sentence each", async (t) => {
    const first = await Dolphin.start(t, single);
    const { child, told } = teller(t, ["--demo", first.rtmpUrl("show")]);
    await told(/^publishes /);
    await first.waitFor("publish.started");
    for (const pid of Object.values(first.pids)) process.kill(pid, "SIGKILL");
    await told(/^lost rtmp:.*\/live\/show: .* \(RELAY_CLOSED\); it is asked again until it accepts$|^lost .*ECONNRESET/);
    await refuses(first.rtmpPort);
    const words = ["--plan", "single", "--listen", `127.0.0.1:${first.rtmpPort}`, "--http", "off", "--api", "off"];
    const second = await Dolphin.start(t, { words: () => words });
    const viewer = await player(first.rtmpUrl("show"));
    t.after(() => viewer.close());
    await told(/^publishes to rtmp:.*\/live\/show again, from the file's beginning$/);
    await viewer.waitForMedia(100);
    assertForward(viewer.media);
    assert.equal(child.output().match(/^lost /gm)?.length, 1);
    assert.deepEqual(await child.stop("SIGTERM"), { code: 0, signal: null });
    await second.waitFor("publish.ended");
    await second.stop();
  });

  void test("a file's every round follows the one before at once, in time and in order", async (t) => {
    const dolphin = await Dolphin.start(t, single);
    const viewer = await player(dolphin.rtmpUrl("short"));
    t.after(() => viewer.close());
    const round = (fromMs: number): Media[] => Array.from({ length: 12 }, (_, at) => videoFrame("avc", at, fromMs + at * 40, 50, at === 0));
    const [header] = headers("avc", "none");
    const { child } = teller(t, [temporaryFile(t, flvBytes([header!, ...round(5000)])), dolphin.rtmpUrl("short")]);
    await viewer.waitForMedia(1 + 3 * 12);
    const rounds = [0, 480, 960].flatMap(round);
    assertSameMedia(viewer.media.slice(0, 37), [{ ...header!, timestamp: 0 }, ...rounds], "the viewer");
    assert.deepEqual(await child.stop("SIGTERM"), { code: 0, signal: null });
    await dolphin.stop();
  });

  void test("--once ends with the file, all of which has arrived", async (t) => {
    const dolphin = await Dolphin.start(t, single);
    const viewer = await player(dolphin.rtmpUrl("once"));
    t.after(() => viewer.close());
    const steps = Array.from({ length: 25 }, (_, at) => step("avc", "aac", at)).flat();
    // The last picture is more than a socket takes at once.
    const media = [...headers("avc", "aac"), ...steps, videoFrame("avc", 25, 1000, 3 << 20)];
    const file = temporaryFile(t, flvBytes(media));
    const { code, stdout } = await runToItsEnd(t, ["publish", "--once", file, dolphin.rtmpUrl("once")]);
    assert.deepEqual([code, stdout], [0, [`publishes ${file} to ${dolphin.rtmpUrl("once")}; Ctrl-C ends it`]]);
    await dolphin.waitFor("publish.ended");
    await viewer.waitUntil("the file's end", (messages) => messages.at(-1)?.payload.equals(media.at(-1)!.payload) === true);
    await dolphin.stop();
  });

  void test("a hang-up ends one on a terminal, and not one whose output is elsewhere", async (t) => {
    const dolphin = await Dolphin.start(t, single);
    const { child, told } = teller(t, ["--demo", dolphin.rtmpUrl("elsewhere")]);
    await told(/^publishes /);
    process.kill(child.pid, "SIGHUP");
    const command = [process.execPath, join(projectRoot, "bin/dolphin.js"), "publish", "--demo", dolphin.rtmpUrl("terminal")];
    // script(1) runs a command on a terminal of its own, which ends with it.
    const terminal = start("script", ["--quiet", "--return", "--command", command.join(" "), "/dev/null"]);
    t.after(async () => void (await terminal.stop("SIGKILL")));
    const isOf = (stream: string) => (line: LogLine) => line["stream"] === stream;
    await dolphin.waitFor("publish.started", { where: isOf("terminal") });
    await terminal.stop("SIGKILL");
    await dolphin.waitFor("publish.ended", { where: isOf("terminal") });
    assert.equal(child.ending, null);
    assert.equal(dolphin.logLines(isOf("elsewhere")).filter(({ event }) => event === "publish.ended").length, 0);
    await child.stop("SIGTERM");
    await dolphin.stop();
  });

  void test("a stream that somebody publishes already is refused with 69", async (t) => {
    const dolphin = await Dolphin.start(t, single);
    const { child, told } = teller(t, ["--demo", dolphin.rtmpUrl("taken")]);
    await told(/^publishes /);
    const { code, stderr } = await runToItsEnd(t, ["publish", "--demo", dolphin.rtmpUrl("taken")]);
    assert.equal(code, 69);
    assert.match(stderr, /^dolphin: RTMP_BUSY: cannot publish to rtmp:.*\/live\/taken: the upstream refused: NetStream\.Publish\.BadName /);
    await child.stop("SIGTERM");
    await dolphin.stop({ allow: (line) => line.code === "RTMP_BUSY" });
  });

  void test("where no server is, the sentence says what to do, and it ends with 69", async (t) => {
    const url = `rtmp://127.0.0.1:${await freePort()}/live/x`;
    const { code, stdout, stderr } = await runToItsEnd(t, ["publish", "--demo", url]);
    assert.deepEqual([code, stdout], [69, []]);
    assert.match(
      stderr,
      /^dolphin: RELAY_CONNECT: cannot publish to rtmp:.*ECONNREFUSED.*; `.*dolphin.js` starts a server here, a URL names another$/,
    );
    const asked = await runToItsEnd(t, ["publish", "--demo", "--socket", "none.sock"]);
    assert.deepEqual([asked.code, asked.stdout], [69, []]);
    assert.match(asked.stderr, /none\.sock: there is no such socket/);
  });

  void test("a file that cannot be played is told with its remedy, before any server is asked, with 66", async (t) => {
    const film = temporaryFile(t, Buffer.from("\0\0\0\u0020ftypisom\0\0\u0002\0"), "film.mp4");
    const { code, stdout, stderr } = await runToItsEnd(t, ["publish", film, "rtmp://127.0.0.1:1/live/x"]);
    assert.deepEqual([code, stdout], [66, []]);
    assert.ok(stderr.endsWith(`\`ffmpeg -i ${film} -c copy ${film.replace(".mp4", ".flv")}\` makes one that can be played`), stderr);
  });

  for (const [words, sentence] of [
    ["", "name a file before the URL, or write --demo for the clip that comes along"],
    ["rtmp://h/live/x", "name a file before the URL, or write --demo for the clip that comes along"],
    ["--demo x.flv rtmp://h/live/x", "--demo has a file of its own: leave out x.flv"],
    ["--demo rtmp://h/live/x --socket x", "both --socket and a URL say where to: leave out one"],
    [
      "--demo rtmp://h/x",
      "RTMP_NAME: rtmp://h/x is no URL to publish to: write rtmp://HOST/APP/STREAM, as in rtmp://127.0.0.1/live/livestream",
    ],
    ["x.flv rtmp://h:0/live/x", 'CONF_VALUE: the port of "h:0" is not a number from 1 to 65535'],
  ] as const) {
    void test(`"publish ${words}" is refused with 64 and what is right`, async (t) => {
      const { code, stdout, stderr } = await runToItsEnd(t, ["publish", ...words.split(" ").filter((word) => word !== "")]);
      assert.deepEqual([code, stdout, stderr], [64, [], `dolphin: ${sentence}`]);
    });
  }
});
