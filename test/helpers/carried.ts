// What tests of carried connections share: what the master says of its copies, and the end of a process whose connections go on.
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import type { Dolphin, Status } from "./dolphin.js";
import { eventually } from "./wait.js";

/** What has become of connections, as the status tells; null where they are not carried. */
export async function countsOf(dolphin: Dolphin): Promise<Status["carried"]> {
  return (await dolphin.status()).carried;
}

/** Waits until the master has copies of so many connections. */
export async function untilKept(dolphin: Dolphin, connections: number): Promise<void> {
  const isThere = async (): Promise<boolean> => (await countsOf(dolphin))?.kept === connections;
  await eventually(isThere, { what: `copies of ${connections} connections` });
}

/** The pid that a process has now. */
export async function pidOf(dolphin: Dolphin, name: string): Promise<number> {
  const { processes } = await dolphin.status();
  return processes.find((one) => one.name === name)?.pid ?? assert.fail(`${name} does not run`);
}

/** Kills a process, when `at` says, and waits until another has its place. */
export async function killChild(
  dolphin: Dolphin,
  name: string,
  at: (kill: () => void) => void | Promise<void> = (kill) => kill(),
): Promise<void> {
  const pid = await pidOf(dolphin, name);
  const from = dolphin.logLength;
  await at(() => void process.kill(pid, "SIGKILL"));
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
}

/** How many sockets a process has open. */
export function socketsOf(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ""; // closed while we looked
    }
  });
  return links.filter((link) => link.startsWith("socket:")).length;
}
