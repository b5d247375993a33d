// Starts children with node:cluster. A child is gone when its process has ended *and* its channel has closed: only then
// has the cluster module let go of the descriptors that it held for it.
import type { StdioOptions } from "node:child_process";
import cluster, { type Worker } from "node:cluster";
import { closeSync } from "node:fs";
import { messageOf } from "../../base/errors.js";
import { causeOf } from "../../base/programs/tied.js";
import { channelToChild } from "../../ipc/channel.js";
import type { FromChild } from "../../ipc/messages.js";
import type { ProcessSpec } from "./plan.js";
import type { Running, RunningEvents, Spawner } from "./supervisor.js";

export interface ClusterSpawnerOptions {
  /** The entry file of a child. */
  entryOf(spec: ProcessSpec): string;
  /** Whether children bring listening sockets of their own (see listeners.ts); else the primary accepts for all in turn. */
  readonly hasOwnSockets: boolean;
  /** Descriptors that a child is given beside its channel, from 4 on, and closed here when it has them; and how it is told. */
  give(spec: ProcessSpec): { readonly fds: readonly number[]; readonly env: Readonly<Record<string, string>> };
  /** A child said what no child says; it was dropped. */
  invalid(spec: ProcessSpec, error: Error): void;
}

/** A spawner over the cluster module, of which there is one in a process. */
export function clusterSpawner(options: ClusterSpawnerOptions): Spawner {
  cluster.schedulingPolicy = options.hasOwnSockets ? cluster.SCHED_NONE : cluster.SCHED_RR;
  return { spawn: (spec, events) => spawn(options, spec, events) };
}

function spawn(options: ClusterSpawnerOptions, spec: ProcessSpec, events: RunningEvents): Running {
  const { fds, env } = options.give(spec);
  const stdio: StdioOptions = ["inherit", "inherit", "inherit", "ipc", ...fds];
  cluster.setupPrimary({ exec: options.entryOf(spec), args: [], execArgv: [...process.execArgv], stdio });
  let worker: Worker;
  try {
    worker = cluster.fork({ DOLPHIN_CHILD: spec.name, ...env });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
  const { pid } = worker.process;
  worker.on("error", () => undefined); // a failed send or fork; the end of the process is what counts
  if (pid === undefined) throw new Error("the system has no room for another process");
  const channel = channelToChild(worker, {
    message: (message: FromChild) => events.message(message),
    invalid: (error) => options.invalid(spec, error),
  });
  whenGone(worker, (cause) => {
    channel.close();
    events.exit(cause);
  });
  return {
    pid,
    send: (message) => void channel.send(message),
    kill(signal) {
      try {
        process.kill(pid, signal);
      } catch (thrown) {
        // ESRCH: it went by itself in this very moment, and its exit is on the way.
        if (!messageOf(thrown).includes("ESRCH")) throw thrown;
      }
    },
  };
}

function whenGone(worker: Worker, gone: (cause: string) => void): void {
  let cause: string | null = null;
  let isDisconnected = false;
  const check = (): void => {
    if (cause !== null && isDisconnected) gone(cause);
  };
  worker.once("exit", (code: number | null, signal: string | null) => {
    cause = causeOf(code, signal);
    isDisconnected ||= !worker.isConnected();
    check();
  });
  worker.once("disconnect", () => {
    if (isDisconnected) return;
    isDisconnected = true;
    check();
  });
}
