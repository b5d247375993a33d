// Connections outlive the proxy of plan b that moves their bytes: it is killed, and they go on in another one without a byte missing
// or coming twice. Proxies that hang or are replaced are in carried-pairs-moved.test.ts, foreign servers in carried-nginx.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, killChild, socketsOf, untilKept } from "../helpers/carried.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { ownerOf, provoked } from "../helpers/planb.js";
import { ownServers, proxies, ProxiedShow } from "../helpers/proxied-show.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually, within } from "../helpers/wait.js";

for (const routing of ["stream", "connection"] as const) {
  void test(`routing ${routing}: proxies are killed in turn, and nobody is disconnected or misses a picture`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: ownServers(routing) });
    const before = socketsOf(dolphin.pid);
    // With `routing stream` a viewer over HTTP is an exchange of the proxy's, which ends with it.
    const show = await ProxiedShow.open(t, dolphin, routing === "connection" ? 3 : 0);
    await untilKept(dolphin, show.connections);
    for (const name of [...proxies, "proxy-1"]) {
      await killChild(dolphin, name, (kill) => show.inLull(kill));
      await show.goesOn();
    }
    const counts = await countsOf(dolphin);
    assert.equal(counts?.cut, 0);
    assert.ok(counts.carried >= show.connections, `${counts.carried} times`);
    assert.equal(dolphin.logLines(({ event }) => event === "proxy.resumed").length, counts.carried);
    show.close();
    await untilKept(dolphin, 0);
    await eventually(() => socketsOf(dolphin.pid) <= before, { what: "the master to have as many sockets as before" });
    await dolphin.stop({ allow: provoked });
  });
}

void test("a stream stays where its publisher is when the proxy dies, until the publisher leaves", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream") });
  const show = await ProxiedShow.open(t, dolphin);
  await untilKept(dolphin, show.connections);
  const owner = await ownerOf(dolphin, "show");
  for (let deaths = 0; deaths < 3; deaths++) {
    const holder = (await dolphin.status()).balance?.leases[0]?.proxy ?? "";
    await killChild(dolphin, holder, (kill) => show.inLull(kill));
    await show.goesOn();
    const leases = (await dolphin.status()).balance?.leases ?? [];
    assert.deepEqual([leases.length, leases[0]?.backend], [1, owner]);
    assert.notEqual(leases[0]?.proxy, holder, "another proxy holds it");
    await assert.rejects(
      publisher(dolphin.rtmpUrl("show")),
      /NetStream\.Publish\.BadName/,
      "it is led to the same server, which refuses it",
    );
  }
  const line = dolphin.logLength;
  show.close();
  await eventually(async () => (await dolphin.status()).balance?.leases.length === 0, { what: "the lease to end" });
  const closed = await dolphin.waitFor("proxy.closed", { from: line, where: ({ stream }) => stream === "show" });
  assert.equal(closed["backend"], owner);
  await dolphin.stop({ allow: (one: LogLine) => provoked(one) || one.code === "RTMP_BUSY" });
});

void test("with carry_sessions off, connections end with their proxy", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream", "carry_sessions off;") });
  const show = await ProxiedShow.open(t, dolphin);
  for (const name of proxies) await killChild(dolphin, name);
  for (const viewer of show.viewers) await within(viewer.ended, 5000, "the end of a viewer");
  assert.equal(await countsOf(dolphin), null);
  await dolphin.stop({ allow: provoked });
});
