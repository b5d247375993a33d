// A box that is struck again and again, with publishers and viewers on every edge: edges are killed and hang, are replaced by USR2
// and by reloads, and the whole box is upgraded. Nobody is disconnected but who is counted as cut, and only a hang may cost a picture.
import assert from "node:assert/strict";
import { assertInOrder, audience, closeAll, mediaOf, type Viewer } from "./audience.js";
import { promptConf } from "./bystanders.js";
import { untilKept } from "./carried.js";
import { Dolphin, type Cleanup, type LogLine } from "./dolphin.js";
import { pictures } from "./media.js";
import { freeze } from "./processes.js";
import { eventually } from "./wait.js";

const conf = (cores: number): string => `${promptConf} dolphin { heartbeat_timeout 2; cores ${cores}; }`;

/** A death: deaths in a row are answered with longer and longer waits. */
export const deaths = ["kill", "hang"] as const;
export const replacements = ["restart", "reload", "upgrade"] as const;
export type Blow = (typeof deaths)[number] | (typeof replacements)[number];

export class StruckBox {
  /** What it has been through, in its order. */
  readonly done: Blow[] = [];
  private readonly dolphin: Dolphin;
  private readonly viewers: readonly Viewer[];
  private readonly random: () => number;
  private readonly socketsBefore: number;
  private readonly gone = new Set<Viewer>();
  private cores = 2;
  private missing = 0;

  private constructor(dolphin: Dolphin, viewers: readonly Viewer[], random: () => number) {
    this.dolphin = dolphin;
    this.viewers = viewers;
    this.random = random;
    this.socketsBefore = dolphin.openSockets();
    for (const viewer of viewers) void viewer.ended.then(() => this.gone.add(viewer));
  }

  /** `random` says which edge is killed or hangs, by numbers below 1. */
  static async start(t: Cleanup, random: () => number): Promise<StruckBox> {
    const dolphin = await Dolphin.start(t, { words: wordsOf, conf: conf(2) });
    const viewers = [
      ...(await audience(t, dolphin, "edge-1", "edge-2", "one")),
      ...(await audience(t, dolphin, "edge-2", "edge-1", "other")),
    ];
    return new StruckBox(dolphin, viewers, random);
  }

  /** Fails unless everybody who is still there goes on with the next picture. */
  async strike(blow: Blow): Promise<void> {
    this.done.push(blow);
    await this.blows[blow]();
    const here = this.viewers.filter((viewer) => !this.gone.has(viewer));
    await Promise.all(here.map((viewer) => hasMore(viewer)));
    const missing = this.viewers.reduce((sum, viewer) => sum + missingIn(viewer), 0);
    if (blow !== "hang") assert.equal(missing, this.missing, `pictures are missing after ${this.done.join(", ")}`);
    this.missing = missing;
  }

  /** Holds all of it to what it began with, ends it, and returns the numbers. */
  async end(): Promise<string> {
    const { dolphin, viewers } = this;
    assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
    // A process may be killed in the middle of a write: that viewer alone is cut, and counted.
    const carried = dolphin.logLines(({ event }) => event === "connections.carried");
    const cut = carried.reduce((sum, line) => sum + Number(line["cut"] ?? 0), 0);
    assert.equal(this.gone.size, cut);
    // With the same processes as in the beginning there are as many descriptors: either edge may pull either stream by now.
    if (this.cores !== 2) await dolphin.reload(conf(2));
    await dolphin.ask("upgrade");
    const most = this.socketsBefore + 4;
    await eventually(() => dolphin.openSockets() <= most, { what: `at most ${most} sockets` });
    const longestGapMs = Math.max(...viewers.map((viewer) => viewer.longestGapMs));
    closeAll(viewers);
    await untilKept(dolphin, 0);
    await dolphin.stop({ allow: isProvoked });
    return `${this.done.length} blows; of ${viewers.length} viewers ${cut} were cut; the longest gap was ${longestGapMs} ms`;
  }

  private readonly blows: Readonly<Record<Blow, () => Promise<unknown>>> = {
    kill: () => this.replaced((pid) => process.kill(pid, "SIGKILL")),
    hang: () => this.replaced(freeze),
    restart: async () => {
      const from = this.dolphin.logLength;
      this.dolphin.signal("SIGUSR2");
      await this.dolphin.waitFor("dolphin.restarted", { from, timeoutMs: 20_000 });
    },
    reload: async () => {
      this.cores = this.cores === 2 ? 3 : 2;
      await this.dolphin.reload(conf(this.cores));
    },
    upgrade: () => this.dolphin.ask("upgrade"),
  };

  /** Does this to an edge, and waits until another has its place. */
  private async replaced(end: (pid: number) => unknown): Promise<void> {
    const { processes } = await this.dolphin.status();
    const edges = processes.filter(({ duty, state, pid }) => duty === "edge" && state === "up" && pid !== null);
    const { name, pid } = edges[Math.floor(this.random() * edges.length)]!;
    const from = this.dolphin.logLength;
    await end(pid ?? 0);
    await this.dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
  }
}

/** Pictures that are missing from what a viewer has got, all of which come forward. */
function missingIn(viewer: Viewer): number {
  assertInOrder(viewer);
  const seen = pictures(mediaOf(viewer));
  return (seen.at(-1) ?? 0) - (seen[0] ?? 0) + 1 - seen.length;
}

/** Waits for more of his stream, or for his end. */
async function hasMore(viewer: Viewer): Promise<void> {
  const more = viewer.waitForMedia(viewer.media.length + 30, 20_000);
  const ended = viewer.ended.then(() => "ended");
  if ((await Promise.race([more.catch(() => ended), ended])) !== "ended") await more;
}

function wordsOf(rtmpPort: number, httpPort: number): string[] {
  return ["--listen", `127.0.0.1:${rtmpPort}`, "--http", `127.0.0.1:${httpPort}`];
}

function isProvoked({ event }: LogLine): boolean {
  return ["child.exited", "child.hung", "pull.lost", "connections.carried"].includes(event ?? "");
}
