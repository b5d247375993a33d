// ffmpeg under supervision in a real box: what is written in ingest, transcode and exec runs as long as it is wanted, once, whatever
// becomes of the process that started it.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isRunning } from "../helpers/child.js";
import { clip } from "../helpers/clips.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { findFfmpeg } from "../helpers/ffmpeg.js";
import { flvOf, repeated, sendClip } from "../helpers/packages.js";
import { publisher, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const ffmpeg = findFfmpeg();
const confOf = (vhosts: string, more = ""): string => `listen 1935; ${more} ${vhosts}`;
const copyTo = (engine: string, output: string): string => `engine ${engine} { enabled on; vcodec copy; acodec copy; output ${output}; }`;
const made = "rtmp://127.0.0.1:[port]/[app]?vhost=[vhost]/[stream]_[engine]";
/** The death of a packager is provoked, and a program that loses the stream that it reads comes again. */
const provoked = ({ event }: LogLine): boolean => event === "child.exited" || event === "program.exited";

/** The processes whose command has this word in it. */
function running(word: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const words = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0") : [];
      return words[0] === ffmpeg && words.some((one) => one.includes(word)) ? [Number(name)] : [];
    } catch {
      return []; // it ended while we looked
    }
  });
}

function isPublished(dolphin: Dolphin, stream: string): Promise<unknown> {
  const look = async (): Promise<boolean> => {
    const { streams } = await dolphin.status();
    return streams.some((one) => `${one.app}/${one.stream}` === stream && one.state === "publish");
  };
  return eventually(look, { what: `${stream} to be published`, timeoutMs: 15_000 });
}

/** Publishes a clip again and again, in real time, until the test is over. */
async function publishOn(t: TestContext, dolphin: Dolphin, stream: string): Promise<RtmpPublisher> {
  const source = await publisher(dolphin.rtmpUrl(stream));
  t.after(() => source.close());
  void sendClip(source, repeated(await clip({ seconds: 2 }), 30, 2000), 1).catch(() => undefined); // it is closed in the middle
  return source;
}

test("programs: a transcode runs once over the death of its packager, a restart and an upgrade, and ends with its stream", async (t) => {
  const dolphin = await Dolphin.start(t, {
    conf: confOf(`vhost __defaultVhost__ { transcode { enabled on; ffmpeg ${ffmpeg}; ${copyTo("ff", made)} } }`),
  });
  const word = `:${dolphin.rtmpPort}/live/s?vhost=`;
  const source = await publishOn(t, dolphin, "s");
  const strikes: readonly [what: string, strike: () => unknown][] = [
    ["nothing", () => undefined],
    [
      "kill -9",
      () =>
        process.kill(
          Number(dolphin.logLines(({ child, event }) => child === "packager" && event === "child.ready")[0]?.["childPid"]),
          "SIGKILL",
        ),
    ],
    ["restart", () => dolphin.signal("SIGUSR2")],
    ["upgrade", () => dolphin.ask("upgrade")],
  ];
  let before: number | null = null;
  for (const [what, strike] of strikes) {
    const from = dolphin.logLength;
    await strike();
    const started = await dolphin.waitFor("program.started", { from, timeoutMs: 15_000 });
    const pid = Number(started["childPid"]);
    if (before !== null) assert.equal(isRunning(before), false, `after ${what} the program before is gone`);
    await isPublished(dolphin, "live/s_ff");
    assert.deepEqual(running(word), [pid], `one after ${what}`);
    const { programs } = await dolphin.status();
    assert.deepEqual(
      programs.map(({ kind, name, stream, pid: told }) => [kind, name, stream, told]),
      [["transcode", "ff", "s", pid]],
    );
    before = pid;
  }
  source.close();
  await eventually(() => running(word).length === 0, { what: "ffmpeg to end with its stream" });
  await eventually(async () => (await dolphin.status()).programs.length === 0);
  await dolphin.stop({ allow: provoked });
});

test("programs: what engines make goes round no circle, within a vhost and between two", async (t) => {
  const to = (vhost: string): string => `rtmp://127.0.0.1:[port]/[app]?vhost=${vhost}/[stream]`;
  const dolphin = await Dolphin.start(t, {
    conf: confOf(
      `vhost __defaultVhost__ { transcode { enabled on; ffmpeg ${ffmpeg}; ${copyTo("own", made)} ${copyTo("away", to("b.example"))} } }
       vhost b.example { transcode { enabled on; ffmpeg ${ffmpeg}; ${copyTo("back", to("__defaultVhost__"))} } }`,
    ),
  });
  const source = await publishOn(t, dolphin, "s");
  await dolphin.waitFor("program.refused", { where: ({ vhost, stream }) => vhost === "b.example" && stream === "s" });
  await dolphin.waitFor("program.refused", { where: ({ stream }) => stream === "s_own" });
  assert.equal((await dolphin.status()).programs.length, 2);
  source.close();
  await eventually(async () => (await dolphin.status()).programs.length === 0);
  await dolphin.stop({ allow: provoked });
});

test("programs: an ingest publishes a file, one program on the whole box; exec runs while the stream is there, without a shell", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-ingest-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "in.flv");
  writeFileSync(file, flvOf(repeated(await clip({ seconds: 2 }), 30, 2000)));
  const ingest = `ingest one { enabled on; input { type file; url ${file}; } ffmpeg ${ffmpeg};
    engine { enabled off; output rtmp://127.0.0.1:[port]/live?vhost=[vhost]/in; } }`;
  const exec = "exec { enabled on; publish /bin/sh -c 'echo $0 $1; exec sleep 60' [stream] '$(touch hacked) [app]' >./told.txt; }";
  const dolphin = await Dolphin.start(t, {
    conf: confOf(`vhost __defaultVhost__ { ${ingest} ${exec} }`, "dolphin { packagers 2; }"),
  });
  await isPublished(dolphin, "live/in");
  assert.equal(running(file).length, 1);
  const told = join(`/proc/${dolphin.pid}/cwd`, "told.txt");
  await eventually(() => existsSync(told) && readFileSync(told, "utf8") === "in $(touch hacked) live\n");
  const { programs } = await dolphin.status();
  assert.deepEqual(programs.map(({ kind }) => kind).sort(), ["exec", "ingest"]);
  const execPid = programs.find(({ kind }) => kind === "exec")?.pid ?? 0;
  await dolphin.reload(confOf(`vhost __defaultVhost__ { ${exec} }`, "dolphin { packagers 2; }"));
  await eventually(() => running(file).length === 0 && !isRunning(execPid), { what: "both to end with the ingest" });
  await dolphin.stop({ allow: provoked });
});

test("programs: one that is not there is told by check, and once by the log; it runs as soon as it is there", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf("vhost __defaultVhost__ { exec { enabled on; publish ./later [stream]; } }") });
  const source = await publishOn(t, dolphin, "s");
  const failed = await dolphin.waitFor("program.failed");
  assert.match(String(failed.msg), /\.\/later is no program here/);
  writeFileSync(join(`/proc/${dolphin.pid}/cwd`, "later"), "#!/bin/sh\necho it runs for $1\nexec sleep 60\n", { mode: 0o755 });
  await dolphin.waitFor("program.output", { where: ({ msg }) => msg === "it runs for s" });
  assert.equal(dolphin.logLines(({ event }) => event === "program.failed").length, 1);
  source.close();
  await eventually(async () => (await dolphin.status()).programs.length === 0);
  await dolphin.kill();
});
