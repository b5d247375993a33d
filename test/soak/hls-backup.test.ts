// Nodes of `dolphin hls-backup` and the servers beside them are killed, stopped and started by chance for DOLPHIN_SOAK_S seconds, and no
// viewer of either sees a number change or fall, nor other bytes at a URL. Folders and memory stay within their bounds.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BackupProcess, StandIn, StrictReader } from "../helpers/backup-pair.js";
import { numbersFrom, soakSeconds, soakSeed } from "../helpers/soak.js";

const path = "live/livestream.m3u8";

void test(`hls-backup: for ${soakSeconds} s nodes and servers are killed (seed ${soakSeed})`, async (t) => {
  const random = numbersFrom(soakSeed);
  let timer: NodeJS.Timeout | undefined;
  t.after(() => clearInterval(timer));
  const nodes = await BackupProcess.pair(t, { args: ["--window", "5"] });
  const [a, b] = nodes;
  await Promise.all(nodes.map((node) => node.start()));
  const servers = nodes.map((node) => new StandIn(node));
  const silent = new Set<StandIn>();
  timer = setInterval(() => servers.forEach((server) => void (silent.has(server) ? null : server.segment(0.3))), 300);
  const reader = new StrictReader(t, nodes, path);
  let blows = 0;
  for (const untilMs = Date.now() + soakSeconds * 1000; Date.now() < untilMs; blows++) {
    const at = random() < 0.5 ? 0 : 1;
    const node = nodes[at];
    const chance = random();
    if (chance < 0.5) {
      await node.stop("SIGKILL");
      if (random() < 0.5) await reader.more(nodes[1 - at]!, 4);
      await node.start();
    } else if (chance < 0.7) {
      process.kill(node.pid, "SIGSTOP");
      await reader.more(nodes[1 - at]!, 4);
      process.kill(node.pid, "SIGCONT");
    } else {
      silent.add(servers[at]!);
      await reader.more(nodes[1 - at]!, 10);
      if (random() < 0.5) servers[at]!.republish();
      silent.delete(servers[at]!);
    }
    await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  }
  await reader.close();
  for (const node of nodes) {
    const segments = readdirSync(join(node.folder, "state/segments")).length;
    assert.ok(segments < 150, `${segments} segments`);
    const memoryKiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${node.pid}/status`, "utf8"))?.[1]);
    assert.ok(memoryKiB < 200 << 10, `${memoryKiB} KiB`);
    t.diagnostic(`seed ${soakSeed}: ${blows} blows; node ${node.name} has ${segments} segments and ${memoryKiB >> 10} MiB`);
  }
});
