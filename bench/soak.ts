// Ingest for as long as an hour, with publishers that come and go, one of them with 60 s between its key frames, and the curve of what
// the box takes of memory: a line a minute, and at the end whether it is flat.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../test/helpers/cleanups.js";
import { ownBuild } from "./boxes/build.js";
import { planA, serveBox, single } from "./boxes/servers.js";
import { startPublishers, type Load, type PublishersReport, type Publishing } from "./load.js";
import { median } from "./median.js";
import { CpuMeter } from "./meter/cpu-meter.js";
import { machineName } from "./meter/machine.js";
import { memoryOf } from "./meter/memory.js";
import { mib } from "./runs/pace.js";

/** Ten groups of thirty, each with a life of its own length, so that they drift apart and somebody always comes or goes. */
const groups = 10;
const perGroup = 30;
const kbps = 1000;
const shortestS = 40;
const longerByS = 13;
const awayS = 5;
const rareKeyS = 60;
/** The last third of the curve may lie so much above the third before it. */
const flat = 1.05;

/** Prints the curve line by line. Resolves to whether it is flat and every publisher was served. */
export async function soak(minutes: number, plan: "single" | "a", print: (line: string) => void): Promise<boolean> {
  const cleanups = new Cleanups();
  const problems: string[] = [];
  const curve: number[] = [];
  try {
    const own = await ownBuild();
    const serving = await serveBox(own, plan === "a" ? planA(1) : single);
    cleanups.after(() => serving.stop());
    const { rtmpPort: port, tree } = serving;
    const rare = await startPublishers({ port, stream: "rare-keys", publishers: 1, kbps, keyS: rareKeyS }, minutes * 60 + 120);
    cleanups.after(() => rare.stop());
    const crew = Array.from({ length: groups }, (_, index) => {
      return new Group({ port, stream: `group-${index}`, publishers: perGroup, kbps }, shortestS + index * longerByS, problems);
    });
    for (const group of crew) {
      void group.run();
      cleanups.after(() => group.stop());
    }
    print(
      `${machineName()}; node ${process.version}; dolphin ${own.commit}, plan ${plan}; up to ${groups * perGroup} publishers × ${kbps / 1000} Mbps ` +
        `that live ${shortestS} to ${shortestS + (groups - 1) * longerByS} s, and one with ${rareKeyS} s between key frames`,
    );
    print("");
    print("| minute | publishers | memory, MiB | CPU |");
    print("|---|---|---|---|");
    for (let minute = 1; minute <= minutes; minute++) {
      const meter = new CpuMeter(tree);
      await pause(60_000);
      const { cpu } = meter.close();
      curve.push(mib(memoryOf(tree)));
      print(`| ${minute} | ${crew.reduce((sum, { size }) => sum + size, 1)} | ${curve.at(-1)?.toFixed(0)} | ${cpu.toFixed(1)} % |`);
    }
  } finally {
    await cleanups.stopAll();
  }
  const third = Math.ceil(curve.length / 3);
  const growth = median(curve.slice(-third)) / median(curve.slice(-2 * third, -third));
  const isFlat = curve.length < 3 || growth <= flat;
  print("");
  print(
    `highest ${Math.max(...curve).toFixed(0)} MiB; the last third lies at ${growth.toFixed(3)} of the third before it (bar ${flat}): ${isFlat ? "flat" : "it grows"}`,
  );
  for (const problem of problems) print(`- ${problem}`);
  return isFlat && problems.length === 0;
}

/** A group of publishers that comes and goes, with new names each time, until it is stopped. */
class Group {
  private load: Load<PublishersReport> | null = null;
  private isOver = false;
  private readonly problems: string[];
  private readonly publishing: Publishing;
  private readonly lifeS: number;

  constructor(publishing: Publishing, lifeS: number, problems: string[]) {
    this.publishing = publishing;
    this.lifeS = lifeS;
    this.problems = problems;
  }

  get size(): number {
    return this.load === null ? 0 : this.publishing.publishers;
  }

  async run(): Promise<void> {
    for (let round = 1; !this.isOver; round++) {
      try {
        this.load = await startPublishers({ ...this.publishing, stream: `${this.publishing.stream}-${round}` }, this.lifeS);
        const { accepted, closed, publishers } = await this.load.report;
        if (accepted < publishers || closed > 0) throw new Error(`${accepted} of ${publishers} accepted, ${closed} closed`);
      } catch (thrown) {
        if (!this.isOver)
          this.problems.push(`${this.publishing.stream}-${round}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      }
      this.load = null;
      if (!this.isOver) await pause(awayS * 1000, undefined, { ref: false });
    }
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.load?.stop();
  }
}
