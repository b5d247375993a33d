// What happens to streams of plan b when a server dies or hangs. Servers that never serve are in planb-odd-servers.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { fakeSrs, ownerOf, portsOf, provoked, publishAndPlay, srsConf, startLikeSrs } from "../helpers/planb.js";
import { freeze } from "../helpers/processes.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

void test("when the server of a stream is killed, its publisher is on another with its next try, and the server comes back", async (t) => {
  for (const args of [
    ["--plan", "b"],
    ["--server", fakeSrs],
  ]) {
    const dolphin = await startLikeSrs(t, { args });
    const { source, viewer } = await publishAndPlay(t, dolphin, "s");
    await viewer.waitForMedia(5);
    const owner = await ownerOf(dolphin, "s");
    const ports = await portsOf(dolphin);
    const from = dolphin.logLength;
    process.kill(dolphin.pidOf(owner), "SIGKILL");
    await Promise.all([source.connection.ended, viewer.connection.ended]);
    const again = await publishAndPlay(t, dolphin, "s");
    await again.viewer.waitForMedia(5);
    await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === owner });
    await eventually(async () => (await serverOf(dolphin, owner))?.isUp, { what: `${owner} back in the balance` });
    assert.deepEqual(await portsOf(dolphin), ports, "each slot keeps its port");
    again.source.close();
    again.viewer.close();
    await dolphin.stop({ allow: provoked });
  }
});

void test("a server that is stopped gets no more connections, and is replaced", async (t) => {
  const dolphin = await startLikeSrs(t, { args: ["--server", fakeSrs] });
  const from = dolphin.logLength;
  process.kill(dolphin.pidOf("server-1"), "SIGSTOP");
  await dolphin.waitFor("server.silent", { from, where: ({ child }) => child === "server-1" });
  for (const name of ["a", "b", "c", "d"]) {
    const { source, viewer } = await publishAndPlay(t, dolphin, name);
    await viewer.waitForMedia(2);
    assert.equal(await ownerOf(dolphin, name), "server-2");
    source.close();
    viewer.close();
  }
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server-1", timeoutMs: 15_000 });
  await dolphin.stop({ allow: provoked });
});

void test("one of our own servers that is stopped gets no more connections, and is replaced after heartbeat_timeout", async (t) => {
  const dolphin = await startLikeSrs(t, { args: ["--plan", "b"], conf: `${srsConf} dolphin { heartbeat_timeout 4; }` });
  const from = dolphin.logLength;
  process.kill(dolphin.pidOf("server-1"), "SIGSTOP");
  await dolphin.waitFor("server.silent", { from, where: ({ child }) => child === "server-1" });
  const { viewer, source } = await publishAndPlay(t, dolphin, "a");
  await viewer.waitForMedia(2);
  assert.equal(await ownerOf(dolphin, "a"), "server-2");
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server-1", timeoutMs: 15_000 });
  source.close();
  viewer.close();
  await dolphin.stop({ allow: provoked });
});

void test("whoever comes while the only server is stopped is served when it goes on", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, args: ["--plan", "b"], conf: srsConf });
  const pid = dolphin.pidOf("server-1");
  await freeze(pid);
  const from = dolphin.logLength;
  const coming = Promise.all([publisher(dolphin.rtmpUrl("a")), publisher(dolphin.rtmpUrl("b"))]);
  coming.catch(() => undefined); // told below
  await dolphin.waitFor("server.silent", { from }); // by then a server that has a neighbour would have been given up
  process.kill(pid, "SIGCONT");
  for (const source of await coming) source.close();
  await dolphin.stop({ allow: ({ event }) => event === "server.silent" });
});

async function serverOf(dolphin: Dolphin, name: string): Promise<{ readonly isUp: boolean } | undefined> {
  return (await dolphin.status()).balance?.servers.find((server) => server.name === name);
}
