// What a process tree costs: CPU in nanoseconds as the scheduler counts it, for every thread, and how often a thread slept.
//
//   open ──── look ──── look ──── look ──── close        a look notes for each thread what it has taken since it began
//
// A thread that begins in between counts from nothing. One that ends in between counts as far as the last look before its end saw
// it: at most what it took within one interval is missing. Numbers of threads are used again, so one that has taken less than at
// the last look is another one.
import { readdirSync } from "node:fs";
import { processesOf, readProc, type Tree } from "./process-tree.js";

/** What was spent between opening and closing. */
export interface Spent {
  readonly seconds: number;
  readonly cpuMs: number;
  /** Percent of one core. */
  readonly cpu: number;
  /** Times that a thread went to sleep and was woken, a second. Of threads that live at the close. */
  readonly wakeUps: number;
}

interface Thread {
  readonly firstNs: number;
  lastNs: number;
}

const lookEveryMs = 1000;

/** One measurement; `close` ends it. */
export class CpuMeter {
  private readonly tree: Tree;
  private readonly openedAtMs = performance.now();
  private readonly threads = new Map<string, Thread>();
  private readonly switchesBefore: ReadonlyMap<string, number>;
  private readonly timer: NodeJS.Timeout;
  /** Of threads whose numbers were used again. */
  private endedNs = 0;

  constructor(tree: Tree) {
    this.tree = tree;
    for (const [thread, ns] of cpuOf(tree)) this.threads.set(thread, { firstNs: ns, lastNs: ns });
    this.switchesBefore = switchesOf(tree);
    this.timer = setInterval(() => this.look(), lookEveryMs);
  }

  close(): Spent {
    clearInterval(this.timer);
    this.look();
    const seconds = (performance.now() - this.openedAtMs) / 1000;
    let ns = this.endedNs;
    for (const { firstNs, lastNs } of this.threads.values()) ns += lastNs - firstNs;
    let switches = 0;
    for (const [thread, count] of switchesOf(this.tree)) switches += count - (this.switchesBefore.get(thread) ?? 0);
    return { seconds, cpuMs: ns / 1e6, cpu: ns / 1e7 / seconds, wakeUps: switches / seconds };
  }

  private look(): void {
    for (const [name, ns] of cpuOf(this.tree)) {
      const known = this.threads.get(name);
      if (known !== undefined && ns >= known.lastNs) {
        known.lastNs = ns;
        continue;
      }
      if (known !== undefined) this.endedNs += known.lastNs - known.firstNs;
      this.threads.set(name, { firstNs: 0, lastNs: ns });
    }
  }
}

/** Nanoseconds on a CPU, by `PID/task/TID`. */
function cpuOf(tree: Tree): Map<string, number> {
  return ofThreads(tree, (thread) => readProc(`${thread}/schedstat`)?.split(" ")[0]);
}

/** Voluntary context switches: each is a sleep, and the wake-up that ended it. */
function switchesOf(tree: Tree): Map<string, number> {
  return ofThreads(tree, (thread) => /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readProc(`${thread}/status`) ?? "")?.[1]);
}

function ofThreads(tree: Tree, figure: (thread: string) => string | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of processesOf(tree)) {
    for (const tid of threadsOf(pid)) {
      const value = figure(`${pid}/task/${tid}`);
      if (value !== undefined) found.set(`${pid}/task/${tid}`, Number(value));
    }
  }
  return found;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // it ended while we looked
  }
}
