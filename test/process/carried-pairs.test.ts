// Connections outlive the proxy of plan b that moves their bytes: it is killed, hangs, or is replaced, and they go on in another
// one without a byte missing or coming twice, whatever server is behind them, and a stream stays where its publisher is.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { countsOf, killChild, pidOf, socketsOf, untilKept } from "../helpers/carried.js";
import { projectRoot } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { watchFlv, type FlvPlayer } from "../helpers/flv-reader.js";
import { pictures } from "../helpers/media.js";
import { findNginx } from "../helpers/nginx.js";
import { ownerOf, provoked } from "../helpers/planb.js";
import { player, publisher, type RtmpPlayer, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually, within } from "../helpers/wait.js";

const nginx = await findNginx();
const proxies = ["proxy-1", "proxy-2"];

function ownServers(routing: "stream" | "connection", more = ""): string {
  return `listen 1935; http_server { enabled on; listen 8080; } dolphin { plan b; routing ${routing}; servers ${routing === "stream" ? 2 : 1}; ${more} }
vhost __defaultVhost__ { min_latency on; http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }`;
}

/** One publisher and viewers of it, wherever the system has put them. */
class Show {
  readonly source: RtmpPublisher;
  readonly viewers: readonly (RtmpPlayer | FlvPlayer)[];

  private constructor(source: RtmpPublisher, viewers: readonly (RtmpPlayer | FlvPlayer)[]) {
    this.source = source;
    this.viewers = viewers;
  }

  /** As many viewers as make it all but sure that each proxy has some. */
  static async open(t: TestContext, dolphin: Dolphin, flvViewers = 0): Promise<Show> {
    const source = await steadyPublisher(t, dolphin, "show");
    const viewers: (RtmpPlayer | FlvPlayer)[] = [];
    while (viewers.length < 8) viewers.push(await player(dolphin.rtmpUrl("show")));
    while (viewers.length < 8 + flvViewers) viewers.push(await watchFlv(dolphin.flvUrl("show")));
    t.after(() => viewers.forEach((viewer) => viewer.close()));
    const show = new Show(source, viewers);
    await show.goesOn();
    return show;
  }

  get connections(): number {
    return this.viewers.length + 1;
  }

  /** Waits for more of every viewer, and holds it to every picture from its first on, each once and in its order. */
  async goesOn(count = 50): Promise<void> {
    await Promise.all(this.viewers.map((viewer) => viewer.waitForMedia(viewer.media.length + count, 15_000)));
    assert.equal(this.source.connection.endedBy, null, "the publisher was closed");
    for (const viewer of this.viewers) {
      const seen = pictures(mediaOf(viewer));
      const [first = 0] = seen;
      assert.deepEqual(
        seen,
        seen.map((_, at) => first + at),
      );
      const times = mediaOf(viewer).flatMap(({ type, timestamp }) => (type === 9 ? [timestamp] : []));
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
        "timestamps run forward",
      );
    }
  }

  /** Waits for the pause behind a step that the publisher has sent: nobody is behind then, and nobody may be cut. */
  async pause(): Promise<void> {
    const [viewer] = this.viewers;
    await viewer?.waitForMedia(viewer.media.length + 1);
    await pause(10);
  }

  close(): void {
    this.source.close();
    for (const viewer of this.viewers) viewer.close();
  }
}

function mediaOf(
  viewer: RtmpPlayer | FlvPlayer,
): readonly { readonly type: number; readonly timestamp: number; readonly payload: Buffer }[] {
  return viewer.media;
}

for (const routing of ["stream", "connection"] as const) {
  void test(`routing ${routing}: proxies are killed in turn, and nobody is disconnected or misses a picture`, async (t) => {
    const dolphin = await Dolphin.start(t, { conf: ownServers(routing) });
    const before = socketsOf(dolphin.pid);
    // With `routing stream` a viewer over HTTP is an exchange of the proxy's, which ends with it.
    const show = await Show.open(t, dolphin, routing === "connection" ? 3 : 0);
    await untilKept(dolphin, show.connections);
    for (const name of [...proxies, ...proxies]) {
      await killChild(dolphin, name, () => show.pause());
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
  const show = await Show.open(t, dolphin);
  await untilKept(dolphin, show.connections);
  const owner = await ownerOf(dolphin, "show");
  for (let deaths = 0; deaths < 3; deaths++) {
    const holder = (await dolphin.status()).balance?.leases[0]?.proxy ?? "";
    await killChild(dolphin, holder, () => show.pause());
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

void test("connections of a proxy that hangs go on in another once it is taken for dead", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream", "heartbeat_timeout 2;") });
  const show = await Show.open(t, dolphin);
  await untilKept(dolphin, show.connections);
  for (const name of proxies) {
    const pid = await pidOf(dolphin, name);
    const from = dolphin.logLength;
    await show.pause();
    process.kill(pid, "SIGSTOP");
    await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
    await show.goesOn();
  }
  assert.equal((await countsOf(dolphin))?.cut, 0);
  show.close();
  await dolphin.stop({ allow: provoked });
});

void test("rolling restarts move every raw connection, and the old proxies leave at once", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream") });
  const show = await Show.open(t, dolphin);
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

void test("viewers and publishers of nginx outlive the proxies too", { skip: typeof nginx === "string" && nginx }, async (t) => {
  assert.ok(typeof nginx !== "string");
  const template = readFileSync(join(projectRoot, "conf/nginx.planb.template"), "utf8").replace(
    /^load_module .*$/m,
    nginx.module === null ? "" : `load_module ${nginx.module};`,
  );
  const conf = readFileSync(join(projectRoot, "conf/nginx.planb.conf"), "utf8").replace("/usr/sbin/nginx", nginx.path);
  for (const routing of ["stream", "connection"]) {
    const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const templateFile = join(folder, "template");
    writeFileSync(templateFile, template);
    const dolphin = await Dolphin.start(t, {
      conf: conf
        .replace("conf/nginx.planb.template", templateFile)
        .replace(/^dolphin \{/m, `dolphin { routing ${routing}; servers ${routing === "stream" ? 2 : 1};`),
    });
    const show = await Show.open(t, dolphin);
    await untilKept(dolphin, show.connections);
    for (const name of [...proxies, ...proxies]) {
      await killChild(dolphin, name, () => show.pause());
      await show.goesOn();
    }
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted");
    await show.goesOn();
    assert.equal((await countsOf(dolphin))?.cut, 0);
    show.close();
    await dolphin.stop({ allow: provoked });
  }
});

void test("with carry_sessions off, connections end with their proxy", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: ownServers("stream", "carry_sessions off;") });
  const show = await Show.open(t, dolphin);
  for (const name of proxies) await killChild(dolphin, name);
  for (const viewer of show.viewers) await within(viewer.ended, 5000, "the end of a viewer");
  assert.equal(await countsOf(dolphin), null);
  await dolphin.stop({ allow: provoked });
});
