// ENTRY POINT of the splice pump's worker thread: loads the calls, runs the loop, carries messages. It never returns to
// node's event loop before it is over, so messages are fetched when the wake descriptor tells of them.
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { loadMarks } from "../../ipc/marks.js";
import { loadSpliceCalls } from "./splice-calls.js";
import { SpliceLoop, type LoopHost } from "./splice-loop.js";
import { commandNumbers, endCommand, letGoCommand, stopped, tableOver, type WorkerSetup } from "./splice-table.js";

const port = parentPort;
const { memory, wakeFd, marksFd, stop } = workerData as WorkerSetup;
const [calls, marksMaker] = await Promise.all([loadSpliceCalls(), loadMarks()]);
if (port === null || calls === null || marksMaker === null) throw new Error("the splice worker needs a parent, Linux and koffi");

/** Between two messages that tell of ends, for each wakes the main thread: an end that comes alone is told of at once. */
const tellEveryMs = 5;

/** Three numbers for each pair that has ended and was not told of yet. */
let ends: number[] = [];
let toldAtMs = -tellEveryMs;

const host: LoopHost = {
  wakeFd,
  commands() {
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
      const numbers = got.message as number[];
      for (let at = 0; at < numbers.length; at += commandNumbers) {
        obey(numbers[at]!, numbers[at + 1]!, numbers[at + 2]!, numbers[at + 3]!);
      }
    }
  },
  ended(slot, by, reason) {
    ends.push(slot, by, reason);
  },
  turned(nowMs) {
    const isStopped = Atomics.load(stop, 0) !== 0;
    if (ends.length > 0 && (isStopped || nowMs - toldAtMs >= tellEveryMs)) {
      port.postMessage(ends);
      ends = [];
      toldAtMs = nowMs;
    }
    if (isStopped) return null;
    return ends.length === 0 ? -1 : Math.ceil(toldAtMs + tellEveryMs - nowMs);
  },
};
const marks = marksFd === null ? null : marksMaker.open(marksFd);
const loop = new SpliceLoop(calls, tableOver(memory), host, marks?.words ?? null);
port.postMessage("ready");
loop.run();
port.close();

function obey(slot: number, idleMs: number, totalMs: number, row: number): void {
  if (idleMs === endCommand) loop.end(slot, stopped);
  else if (idleMs === letGoCommand) loop.letGo(slot);
  else loop.join(slot, idleMs, totalMs, row);
}
