// A process that waits, warm, for the place of one that dies.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { assertGoOn, audience, closeAll, inLull } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { waitUntilGone } from "../helpers/processes.js";
import { eventually } from "../helpers/wait.js";

void test("a spare takes the place of the edge that is killed, whose viewers stay, and another one waits", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, cores: 1, env: { SRS_DOLPHIN_WARM_UP: "on" } });
  const viewers = await audience(t, dolphin, "edge-1", "edge-1");
  const spare = await eventually(() => spareOf(dolphin.pid), { what: "a spare" });
  // It can hear as soon as it has been told to warm up, and then it listens for viewers of its own.
  await eventually(() => listens(spare), { what: "its rehearsal" });
  const from = dolphin.logLength;
  await inLull(dolphin, viewers.source, viewers, () => process.kill(dolphin.pids["edge-1"] ?? 0, "SIGKILL"));
  const { childPid } = await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "edge-1" });
  assert.equal(childPid, spare);
  await assertGoOn(viewers, 25);
  const next = await eventually(() => spareOf(dolphin.pid), { what: "the next spare" });
  assert.notEqual(next, spare);
  closeAll(viewers);
  assert.deepEqual(
    dolphin.logLines((line) => JSON.stringify(line).includes("rehearsal")),
    [],
    "nobody hears of it",
  );
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
  await waitUntilGone([spare, next], 5000);
});

function spareOf(master: number): number | undefined {
  const children = readFileSync(`/proc/${master}/task/${master}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  return children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("dolphin: spare"));
}

/** Whether a process has a listening TCP socket. */
function listens(pid: number): boolean {
  const listening = new Set(
    readFileSync(`/proc/${pid}/net/tcp`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .flatMap(([, , , state, , , , , , inode]) => (state === "0A" && inode !== undefined ? [inode] : [])),
  );
  const inodeOf = (fd: string): string | undefined => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    } catch {
      return undefined; // it has been closed meanwhile
    }
  };
  return readdirSync(`/proc/${pid}/fd`).some((fd) => listening.has(inodeOf(fd) ?? ""));
}
