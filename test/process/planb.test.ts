// Plan b with real processes: four nginx, our own servers, and a stand-in for srs, each behind proxies that share the public
// port. What happens when a server dies, hangs or never serves is in planb-lost-servers.test.ts, faults under traffic in
// planb-faults.test.ts.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { probe, publish, record } from "../helpers/ffmpeg.js";
import { temporaryFolder } from "../helpers/launch.js";
import { findNginx } from "../helpers/nginx.js";
import { freePort } from "../helpers/ports.js";
import { fakeSrs, nginxConf, ownerOf, portsOf, provoked, publishAndPlay, srsConf, startLikeSrs } from "../helpers/planb.js";
import { eventually } from "../helpers/wait.js";

const nginx = await findNginx();

void test("four nginx serve one port: a publisher's players go where it is", { skip: typeof nginx === "string" && nginx }, async (t) => {
  assert.ok(typeof nginx !== "string");
  const folder = temporaryFolder(t);
  const conf = nginxConf(t, nginx);
  const dolphin = await Dolphin.start(t, { cores: 4, conf });

  const encoders = [];
  for (const name of ["one", "two", "three"]) {
    const encoder = publish(dolphin.rtmpUrl(name), { seconds: 40 });
    t.after(() => encoder.stop());
    encoders.push(encoder);
    await encoder.started;
    // The proxies share what they carry each second: whoever comes then goes to a server that has nothing.
    const loaded = async (): Promise<number> =>
      (await dolphin.status()).balance?.servers.filter(({ bytesPerSecond }) => bytesPerSecond > 0).length ?? 0;
    await eventually(async () => (await loaded()) === encoders.length, { what: `${encoders.length} servers with a stream each` });
  }
  await Promise.all(
    ["one", "one", "two", "three"].map(async (name, at) => {
      const file = join(folder, `${at}.flv`);
      await record(dolphin.rtmpUrl(name), file, 3);
      const video = (await probe(file)).streams.find(({ type }) => type === "video");
      assert.ok((video?.frames ?? 0) >= 50, `${video?.frames ?? 0} frames of ${name}`);
    }),
  );
  const { balance } = await dolphin.status();
  assert.equal(balance?.servers.length, 4);
  assert.deepEqual(new Set(balance.leases.map(({ key }) => key.split("/").at(-1))), new Set(["one", "two", "three"]));
  assert.equal(new Set(balance.leases.map(({ backend }) => backend)).size, 3, "three streams are on three servers");
  const owner = balance.leases.find(({ key }) => key.endsWith("/one"))?.backend ?? "";
  for (const name of ["live/one", "live/one.flv"]) {
    assert.match(await dolphin.ask("explain", name), new RegExp(`live/one → ${owner}: it is published there`));
  }
  for (const encoder of encoders) await encoder.stop();
  await eventually(async () => (await dolphin.status()).balance?.leases.length === 0, { what: "the leases to end" });
  await dolphin.stop();
});

void test("our own servers serve one port, and an srs that is told its slot by the environment does too", async (t) => {
  for (const args of [
    ["--plan", "b"],
    ["--server", fakeSrs],
  ]) {
    const dolphin = await startLikeSrs(t, { args });
    const { source, viewer } = await publishAndPlay(t, dolphin, "s");
    await viewer.waitForMedia(10);
    await receivesFlv(dolphin.flvUrl("s"));
    const { balance, processes } = await dolphin.status();
    assert.equal(balance?.software, args[1] === "b" ? "builtin" : "srs 7.0.18");
    assert.equal(balance.routing, "stream");
    assert.equal(balance.leases.length, 1);
    const ports = balance.servers.map(({ rtmp }) => rtmp.port);
    assert.deepEqual(ports, [...new Set(ports)]);
    assert.deepEqual(processes.map(({ name }) => name).sort(), ["master", "proxy-1", "proxy-2", "server-1", "server-2"]);
    source.close();
    viewer.close();
    await dolphin.stop();
  }
});

void test("the command line of 2015 starts an srs of its age on the ports that it names", async (t) => {
  const [one, two, httpOne, httpTwo] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "srs.conf"), srsConf);
  const dolphin = await Dolphin.start(t, {
    env: { FAKE_SRS_VERSION: "2.0.274" },
    words: (rtmp, http) =>
      `-w 3 -p ${rtmp} -x ${http} -b ${fakeSrs} -c ${folder}/srs.conf -s ${one},${two} -y ${httpOne},${httpTwo}`.split(" "),
  });
  const { viewer } = await publishAndPlay(t, dolphin, "s");
  await viewer.waitForMedia(5);
  const { balance } = await dolphin.status();
  assert.equal(balance?.software, "srs 2.0.274");
  assert.deepEqual(
    balance.servers.map(({ rtmp }) => rtmp.port),
    [one, two],
  );
  assert.equal(Object.keys(dolphin.pids).filter((name) => name.startsWith("proxy-")).length, 3);
  viewer.close();
  await dolphin.stop({ allow: provoked });
});

void test("a drained server keeps its stream and gets no other", async (t) => {
  const dolphin = await startLikeSrs(t, { args: ["--plan", "b"] });
  const { source, viewer } = await publishAndPlay(t, dolphin, "kept");
  const owner = await ownerOf(dolphin, "kept");
  await assert.rejects(dolphin.ask("drain", "server-9"), /there is no server server-9, only server-1, server-2/);
  await dolphin.ask("drain", owner);
  assert.match(await dolphin.ask("status"), new RegExp(`${owner} .*up, draining`));
  const other = await publishAndPlay(t, dolphin, "other");
  assert.notEqual(await ownerOf(dolphin, "other"), owner);
  await viewer.waitForMedia(viewer.media.length + 5);
  await dolphin.ask("undrain", owner);
  assert.doesNotMatch(await dolphin.ask("status"), /draining/);
  for (const one of [source, viewer, other.source, other.viewer]) one.close();
  await dolphin.stop();
});

void test("a port of its own that somebody else has is passed over, and a server that is no srs is refused with a sentence", async (t) => {
  const dolphin = await startLikeSrs(t, { args: ["--plan", "b"] });
  const other = await Dolphin.start(t, {
    conf: srsConf,
    words: (rtmp, http) => ["--plan", "b", "--cores", "1", "--listen", `127.0.0.1:${rtmp}`, "--http", `127.0.0.1:${http}`],
  });
  const ports = [...(await portsOf(dolphin)), ...(await portsOf(other))];
  assert.equal(new Set(ports).size, 3, ports.join(" "));
  await other.stop();
  await dolphin.stop();
  await assert.rejects(startLikeSrs(t, { args: ["--server", process.execPath] }), /is no srs/);
});

/** Reads the beginning of a stream over HTTP, wherever it is published. */
async function receivesFlv(url: string): Promise<void> {
  const ending = new AbortController();
  const response = await fetch(url, { signal: ending.signal });
  const { value } = await response.body!.getReader().read();
  assert.equal(Buffer.from(value ?? []).toString("latin1", 0, 3), "FLV");
  ending.abort();
}
