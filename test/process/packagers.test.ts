// Several packagers on one box: each stream has one, and the death of one, or another number of them, is told by no recording.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { clip } from "../helpers/clips.js";
import { Dolphin } from "../helpers/dolphin.js";
import { clipSums, pictureSums, repeated, sendClip } from "../helpers/packages.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const confOf = (packagers: number): string =>
  `listen 1935; dolphin { packagers ${packagers}; } vhost __defaultVhost__ { publish { normal_timeout 60000; } dvr { enabled on; dvr_path ./rec/[stream].mp4; } }`;

test("packagers: streams are spread; one dies and the others go on with its streams; fewer take over all of them", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: confOf(2) });
  const pid = Number((await dolphin.waitFor("child.ready", { where: ({ child }) => child === "packager-2" }))["childPid"]);
  await dolphin.waitFor("child.ready", { where: ({ child }) => child === "packager" });
  const media = repeated(await clip({ seconds: 2 }), 4, 2000);
  const names = ["a", "b", "c", "d"];
  const sent = names.map(async (name) => {
    const source = await publisher(dolphin.rtmpUrl(name));
    t.after(() => source.close());
    await sendClip(source, media, 1);
    source.unpublish(); // who closes at once may take the last picture along
    await dolphin.waitFor("publish.ended", { where: (line) => line["stream"] === name });
    source.close();
  });
  for (const stream of names) await dolphin.waitFor("package.started", { where: (line) => line["stream"] === stream });
  // Where one was first at all of them, it lets go of some.
  const carriers = (): Set<unknown> => new Set(dolphin.logLines(({ event }) => event === "package.started").map(({ child }) => child));
  await eventually(() => carriers().has("packager") && carriers().has("packager-2"), { what: "streams at both packagers" });
  process.kill(pid, "SIGKILL");
  await dolphin.waitFor("child.exited", { where: ({ child }) => child === "packager-2" });
  await dolphin.reload(confOf(1));
  await Promise.all(sent);
  const sums = await clipSums(media);
  for (const name of names) {
    const { file } = await dolphin.waitFor("dvr.finished", {
      // Who is killed in the moment in which a recording begins may leave its name taken.
      where: (line) => [`${name}.mp4`, `${name}-1.mp4`].includes(basename(String(line["file"]))),
      timeoutMs: 20_000,
    });
    assert.deepEqual(await pictureSums(readFileSync(join(`/proc/${dolphin.pid}/cwd`, String(file))), "mp4"), sums, name);
  }
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
});
