// Plan b under traffic when one of its processes fails: a server that is killed, that refuses, that accepts and says nothing; a
// proxy that is killed or hangs. Whoever comes meanwhile is served, and the streams of the others do not notice.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { oddServer, ownerOf, provoked, publishAndPlay } from "../helpers/planb.js";
import type { RtmpPlayer, RtmpPublisher } from "../helpers/rtmp-client.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

const everyMs = 150;

/** By `balance fill` whoever comes is for server-1, as long as it is thought to be up. */
const fill = { args: ["--server", `${process.execPath} ${oddServer} {rtmp_port} serve`, "--http", "off", "--balance", "fill"] };

for (const { what, signal } of [
  { what: "is killed", signal: "SIGKILL" },
  { what: "begins to refuse", signal: "SIGUSR2" },
  { what: "goes on to accept but says nothing any more", signal: "SIGSTOP" },
] as const) {
  void test(`while a server ${what}, every publisher is served by the other, whose streams go on`, async (t) => {
    const dolphin = await Dolphin.start(t, fill);
    await dolphin.ask("drain", "server-1");
    const kept = await publishAndPlay(t, dolphin, "kept");
    await dolphin.ask("undrain", "server-1");
    assert.equal(await ownerOf(dolphin, "kept"), "server-2");
    await steadyPublisher(t, dolphin, "lost");
    assert.equal(await ownerOf(dolphin, "lost"), "server-1");

    const from = dolphin.logLength;
    process.kill(dolphin.pidOf("server-1"), signal);
    if (signal === "SIGUSR2") await dolphin.waitFor("server.output", { from, where: ({ msg }) => msg === "refusing" });
    const come = await comeUntilNoticed(t, dolphin, from);
    assert.ok(come.length > 0);
    for (const source of come) source.close();
    const isLate = ({ stream }: { readonly [field: string]: unknown }): boolean => String(stream).startsWith("late-");
    const closed = await eventually(
      () => {
        const lines = dolphin.logLines((line) => line.event === "proxy.closed" && isLate(line));
        return lines.length === come.length ? lines : null;
      },
      { what: `${come.length} closed lines` },
    );
    assert.deepEqual(new Set(closed.map(({ backend }) => backend)), new Set(["server-2"]));
    if (signal === "SIGSTOP") {
      const tried = closed.map((line) => JSON.stringify(line["tried"]));
      assert.ok(tried.includes('["server-1","server-2"]'), `somebody was sent on: ${tried.join(" ")}`);
    }
    await goesOn(kept);
    kept.source.close();
    kept.viewer.close();
    if (signal === "SIGSTOP") process.kill(dolphin.pidOf("server-1"), "SIGCONT");
    else await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server-1", timeoutMs: 15_000 });
    await dolphin.stop({ allow: provoked });
  });
}

void test("without carry_sessions, a proxy that is killed or stopped takes its own connections with it, and no stream of others", async (t) => {
  const dolphin = await Dolphin.start(t, {
    args: ["--plan", "b"],
    conf: "listen 1935; vhost __defaultVhost__ { } dolphin { heartbeat_timeout 3; carry_sessions off; }",
  });
  const kept = {
    source: await steadyPublisherAt(t, dolphin, "proxy-1", "kept"),
    viewer: await playerAt(t, dolphin, "kept", dolphin.pidOf("proxy-1")),
  };
  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    const name = signal.toLowerCase();
    const from = dolphin.logLength;
    const source = await steadyPublisherAt(t, dolphin, "proxy-2", name);
    assert.notEqual(await ownerOf(dolphin, name), "nowhere");
    process.kill(dolphin.pidOf("proxy-2"), signal);
    await source.connection.ended;
    await eventually(async () => (await ownerOf(dolphin, name)) === "nowhere", { what: "the lease to end with its proxy" });
    const ready = await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "proxy-2", timeoutMs: 15_000 });
    dolphin.pids = { ...dolphin.pids, "proxy-2": Number(ready["childPid"]) };
    const again = await publishAndPlay(t, dolphin, name);
    await again.viewer.waitForMedia(5);
    await goesOn(kept);
    again.source.close();
    again.viewer.close();
  }
  await dolphin.stop({ allow: (line) => provoked(line) || line.event === "rtmp.closed" });
});

/** Publishers who come one after the other, until the master has seen that server-1 does not serve. All must be served. */
async function comeUntilNoticed(t: TestContext, dolphin: Dolphin, from: number): Promise<RtmpPublisher[]> {
  const arriving: Promise<RtmpPublisher>[] = [];
  const come = (): void => void arriving.push(steadyPublisher(t, dolphin, `late-${arriving.length}`));
  const timer = setInterval(come, everyMs);
  come();
  const isNoticed = (): boolean =>
    dolphin
      .logLines()
      .some(({ event = "", child }, at) => at >= from && child === "server-1" && ["child.exited", "server.silent"].includes(event));
  try {
    await eventually(isNoticed, { what: "the fault to be noticed" });
  } finally {
    clearInterval(timer);
  }
  return Promise.all(arriving);
}

/** Fails unless a stream's two ends are still connected and its media still comes. */
async function goesOn({ source, viewer }: { readonly source: RtmpPublisher; readonly viewer: RtmpPlayer }): Promise<void> {
  await viewer.waitForMedia(viewer.media.length + 10);
  assert.deepEqual([source.connection.endedBy, viewer.connection.endedBy], [null, null]);
}
