// One window in which everything is measured: the servers, the load tools, and what the machine did beside them.
import { setTimeout as pause } from "node:timers/promises";
import type { Figures } from "../row.js";
import { CpuMeter, type Spent } from "./cpu-meter.js";
import { lookAtMachine, usageSince } from "./machine.js";
import type { Tree } from "./process-tree.js";

export interface Window {
  readonly spent: Spent;
  /** What the tools and others took, for the row's remarks. */
  readonly beside: Figures;
}

/** Opens a window on a server and the tools that load it; the result closes it. */
export function openWindow(server: Tree, tools: readonly number[]): () => Window {
  const machine = lookAtMachine();
  const self = process.cpuUsage();
  const meter = new CpuMeter(server);
  const toolMeter = new CpuMeter({ roots: tools, except: [] });
  const exceptMeter = new CpuMeter({ roots: server.except, except: [] });
  return () => {
    const spent = meter.close();
    const [load, except] = [toolMeter.close(), exceptMeter.close()];
    const { user, system } = process.cpuUsage(self);
    const { busy, stolen } = usageSince(machine);
    const others = busy - spent.cpu - load.cpu - except.cpu - (user + system) / 1e4 / spent.seconds;
    return { spent, beside: { loadCpu: load.cpu, othersCpu: Math.max(0, others), stolenCpu: stolen } };
  };
}

/** A window of some seconds. */
export async function watch(server: Tree, tools: readonly number[], seconds: number): Promise<Window> {
  const close = openWindow(server, tools);
  await pause(seconds * 1000);
  return close();
}
