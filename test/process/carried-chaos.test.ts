// Everything that can happen to the processes of a box, in random order: edges are killed and hang, are replaced by USR2 and by
// reloads, and the whole box is upgraded, with publishers and viewers on every edge. Nobody is disconnected but who is counted as
// cut, and only a hang may cost a picture.
// DOLPHIN_CHAOS_S is how long it goes on (30), DOLPHIN_CHAOS_SEED the order.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { assertInOrder, audience, closeAll, mediaOf, type Viewer } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { untilKept } from "../helpers/carried.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { pictures } from "../helpers/media.js";
import { freeze } from "../helpers/processes.js";
import { eventually } from "../helpers/wait.js";

const seconds = Number(process.env["DOLPHIN_CHAOS_S"] ?? 30);
const seed = Number(process.env["DOLPHIN_CHAOS_SEED"] ?? Date.now() % 100_000);

interface Box {
  readonly dolphin: Dolphin;
  cores: number;
}

const conf = (cores: number): string => `${promptConf} dolphin { heartbeat_timeout 2; cores ${cores}; }`;

/** An edge that serves now. */
async function someEdge({ dolphin }: Box, random: () => number): Promise<{ readonly name: string; readonly pid: number }> {
  const { processes } = await dolphin.status();
  const edges = processes.filter(({ duty, state, pid }) => duty === "edge" && state === "up" && pid !== null);
  const { name, pid } = edges[Math.floor(random() * edges.length)]!;
  return { name, pid: pid ?? 0 };
}

const blows: Readonly<Record<string, (box: Box, random: () => number) => Promise<unknown>>> = {
  async kill(box, random) {
    const { name, pid } = await someEdge(box, random);
    const from = box.dolphin.logLength;
    process.kill(pid, "SIGKILL");
    await box.dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
  },
  async hang(box, random) {
    const { name, pid } = await someEdge(box, random);
    const from = box.dolphin.logLength;
    await freeze(pid);
    await box.dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
  },
  async restart({ dolphin }) {
    const from = dolphin.logLength;
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted", { from, timeoutMs: 20_000 });
  },
  reload(box) {
    box.cores = box.cores === 2 ? 3 : 2;
    return box.dolphin.reload(conf(box.cores));
  },
  upgrade: ({ dolphin }) => dolphin.ask("upgrade"),
};

/** Pictures that are missing from what a viewer has got, all of which come forward. */
function missing(viewer: Viewer): number {
  assertInOrder(viewer);
  const seen = pictures(mediaOf(viewer));
  return (seen.at(-1) ?? 0) - (seen[0] ?? 0) + 1 - seen.length;
}

const missingIn = (viewers: readonly Viewer[]): number => viewers.reduce((sum, viewer) => sum + missing(viewer), 0);

/** Waits for more of his stream, or for his end. */
async function waitForMore(viewer: Viewer): Promise<void> {
  const more = viewer.waitForMedia(viewer.media.length + 30, 20_000);
  const ended = viewer.ended.then(() => "ended");
  if ((await Promise.race([more.catch(() => ended), ended])) !== "ended") await more;
}

/** A generator of numbers below 1 that gives the same ones for a seed (mulberry32). */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

void test(
  `for ${seconds} s whatever can happen happens: nobody is disconnected (seed ${seed})`,
  { timeout: (seconds + 60) * 1000 },
  async (t: TestContext) => {
    const random = randomFrom(seed);
    const box: Box = { dolphin: await Dolphin.start(t, { words: wordsOf, conf: conf(2) }), cores: 2 };
    const { dolphin } = box;
    const viewers = [
      ...(await audience(t, dolphin, "edge-1", "edge-2", "one")),
      ...(await audience(t, dolphin, "edge-2", "edge-1", "other")),
    ];
    const before = dolphin.openSockets();
    const gone = new Set<Viewer>();
    for (const viewer of viewers) void viewer.ended.then(() => gone.add(viewer));
    const untilMs = Date.now() + seconds * 1000;
    const done: string[] = [];
    let lost = 0;
    while (Date.now() < untilMs) {
      const names = Object.keys(blows);
      // Deaths in a row are answered with longer and longer waits: something gentle comes in between.
      const gentle = names.filter((name) => name !== "kill" && name !== "hang");
      const choice = ["kill", "hang"].includes(done.at(-1) ?? "") ? gentle : names;
      const name = choice[Math.floor(random() * choice.length)]!;
      done.push(name);
      await blows[name]!(box, random);
      for (const viewer of viewers) if (!gone.has(viewer)) await waitForMore(viewer);
      const now = missingIn(viewers);
      if (name !== "hang") assert.equal(now, lost, `pictures are missing after ${done.join(", ")}`);
      lost = now;
    }
    assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
    t.diagnostic(
      `${done.length} blows: ${done.join(", ")}; longest gap ${Math.max(...viewers.map(({ longestGapMs }) => longestGapMs))} ms`,
    );
    // A process may be killed in the middle of a write: that viewer alone is cut, and counted.
    const cut = dolphin.logLines(({ event }) => event === "connections.carried").map((line) => Number(line["cut"] ?? 0));
    assert.equal(
      gone.size,
      cut.reduce((sum, count) => sum + count, 0),
    );
    // With the same processes as in the beginning there are as many descriptors: either edge may pull either stream by now.
    if (box.cores !== 2) await dolphin.reload(conf(2));
    await dolphin.ask("upgrade");
    const most = before + 4;
    await eventually(() => dolphin.openSockets() <= most, { timeoutMs: 10_000, what: `at most ${most} sockets` });
    closeAll(viewers);
    await untilKept(dolphin, 0);
    await dolphin.stop({ allow: isProvoked });
  },
);

function wordsOf(rtmpPort: number, httpPort: number): string[] {
  return ["--listen", `127.0.0.1:${rtmpPort}`, "--http", `127.0.0.1:${httpPort}`];
}

function isProvoked({ event }: LogLine): boolean {
  return ["child.exited", "child.hung", "pull.lost", "connections.carried"].includes(event ?? "");
}
