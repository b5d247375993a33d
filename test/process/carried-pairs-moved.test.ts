// Connections of a proxy of plan b that hangs or is replaced go on in another one, and a stream stays where its publisher is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, pidOf, untilKept } from "../helpers/carried.js";
import { Dolphin } from "../helpers/dolphin.js";
import { ownerOf, provoked } from "../helpers/planb.js";
import { ownServers, proxies, ProxiedShow } from "../helpers/proxied-show.js";
import { eventually } from "../helpers/wait.js";

void test("connections of a proxy that hangs go on in another once it is taken for dead", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream", "heartbeat_timeout 2;") });
  const show = await ProxiedShow.open(t, dolphin);
  await untilKept(dolphin, show.connections);
  for (const name of proxies) {
    const pid = await pidOf(dolphin, name);
    const from = dolphin.logLength;
    await show.inLull(() => process.kill(pid, "SIGSTOP"));
    await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
    await show.goesOn();
  }
  assert.equal((await countsOf(dolphin))?.cut, 0);
  show.close();
  await dolphin.stop({ allow: provoked });
});

void test("rolling restarts move every raw connection, and the old proxies leave at once", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream") });
  const show = await ProxiedShow.open(t, dolphin);
  const owner = await ownerOf(dolphin, "show");
  for (let round = 2; round < 5; round++) {
    const from = dolphin.logLength;
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted", { from });
    for (const name of proxies) {
      const old = round === 2 ? name : `${name}.${round - 1}`;
      await dolphin.waitFor("child.exited", { from, where: ({ child }) => child === old });
    }
    await show.goesOn();
    assert.equal(await ownerOf(dolphin, "show"), owner);
  }
  assert.equal((await countsOf(dolphin))?.cut, 0);
  const connections = async (): Promise<number> => {
    const { balance } = await dolphin.status();
    return balance?.carried.reduce((sum, one) => sum + one.connections, 0) ?? 0;
  };
  await eventually(async () => (await connections()) === show.connections, { what: "the load of all connections, each once" });
  show.close();
  await eventually(async () => (await connections()) === 0, { what: "no load" });
  await dolphin.stop();
});
