// ENTRY POINT of the splice pump's worker thread: loads the calls, runs the loop, carries messages. It never returns to
// node's event loop before it is over, so messages are fetched when the wake descriptor tells of them.
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { loadSpliceCalls } from "./splice-calls.js";
import { SpliceLoop, type LoopHost } from "./splice-loop.js";
import { endCommand, stopped, tableOver, type WorkerSetup } from "./splice-table.js";

const port = parentPort;
const { memory, wakeFd, stop } = workerData as WorkerSetup;
const calls = await loadSpliceCalls();
if (port === null || calls === null) throw new Error("the splice worker needs a parent, Linux and koffi");

/** Three numbers for each pair that ended in this turn. */
let ends: number[] = [];

const host: LoopHost = {
  wakeFd,
  commands() {
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
      const numbers = got.message as number[];
      for (let at = 0; at < numbers.length; at += 3) obey(numbers[at]!, numbers[at + 1]!, numbers[at + 2]!);
    }
  },
  ended(slot, by, reason) {
    ends.push(slot, by, reason);
  },
  turned() {
    if (ends.length > 0) {
      port.postMessage(ends);
      ends = [];
    }
    return Atomics.load(stop, 0) === 0;
  },
};
const loop = new SpliceLoop(calls, tableOver(memory), host);
port.postMessage("ready");
loop.run();
port.close();

function obey(slot: number, idleMs: number, totalMs: number): void {
  if (idleMs === endCommand) loop.end(slot, stopped);
  else loop.join(slot, idleMs, totalMs);
}
