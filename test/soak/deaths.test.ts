// Proxies of plan b and the origin of plan a are killed again and again for DOLPHIN_SOAK_S seconds each, and nobody misses a picture.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertUnbroken, waitForMore } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { countsOf, killChild, untilKept } from "../helpers/carried.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAtEachEdge, steadyPublisherAt } from "../helpers/edges.js";
import { provoked } from "../helpers/planb.js";
import { ownServers, ProxiedShow } from "../helpers/proxied-show.js";
import { numbersFrom, soakSeconds, soakSeed } from "../helpers/soak.js";

for (const routing of ["stream", "connection"] as const) {
  void test(`routing ${routing}: for ${soakSeconds} s proxies are killed and replaced (seed ${soakSeed})`, async (t) => {
    const random = numbersFrom(soakSeed);
    const dolphin = await Dolphin.start(t, { conf: ownServers(routing) });
    const show = await ProxiedShow.open(t, dolphin);
    await untilKept(dolphin, show.connections);
    let rounds = 0;
    for (const untilMs = Date.now() + soakSeconds * 1000; Date.now() < untilMs; rounds++) {
      const proxies = (await dolphin.status()).processes.filter(({ name, state }) => name.startsWith("proxy-") && state === "up");
      await killChild(dolphin, proxies[Math.floor(random() * proxies.length)]?.name ?? "", (kill) => show.inLull(kill));
      await show.goesOn();
      // Deaths in a row are answered with longer and longer waits, those of other processes are not.
      const from = dolphin.logLength;
      dolphin.signal("SIGUSR2");
      await dolphin.waitFor("dolphin.restarted", { from, timeoutMs: 20_000 });
      await show.goesOn();
    }
    const { carried = 0, cut = 0 } = (await countsOf(dolphin)) ?? {};
    assert.ok(rounds > 0 && cut === 0, `${cut} were cut in ${rounds} rounds`);
    const longestGapMs = Math.max(...show.viewers.map((viewer) => viewer.longestGapMs));
    t.diagnostic(
      `seed ${soakSeed}: ${rounds} deaths, ${rounds} restarts, connections carried ${carried} times; the longest gap was ${longestGapMs} ms`,
    );
    show.close();
    await dolphin.stop({ allow: provoked });
  });
}

void test(`for ${soakSeconds} s the origin is killed`, async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--origin-process", "child"] });
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "show");
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("show"));
  await waitForMore(viewers, 40);
  let deaths = 0;
  for (const untilMs = Date.now() + soakSeconds * 1000; Date.now() < untilMs; deaths++) {
    const from = dolphin.logLength;
    await killChild(dolphin, "origin");
    await dolphin.waitFor("push.resumed", { from, timeoutMs: 20_000 });
    // As long as keeps it from being given up.
    for (let seconds = 0; seconds < 15; seconds++) await waitForMore(viewers, 75);
    viewers.forEach(assertUnbroken);
  }
  assert.equal(source.connection.endedBy, null);
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  const longestGapMs = Math.max(...viewers.map((viewer) => viewer.longestGapMs));
  t.diagnostic(`${deaths} deaths; the longest gap was ${longestGapMs} ms`);
  for (const viewer of viewers) viewer.close();
  source.close();
  await dolphin.waitFor("rtmp.closed", { where: ({ doing }) => doing === "publishing" });
  await dolphin.stop({ allow: ({ event }) => ["child.exited", "pull.lost", "push.lost"].includes(event ?? "") });
});
