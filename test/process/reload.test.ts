// Reloads of plan a with people connected: a publisher and a player at each edge, who must not notice what does not concern
// them. What each change means for those whom it does concern is in docs/reload.md.
import assert from "node:assert/strict";
import { lstatSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { waitForMore } from "../helpers/audience.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { playerAtEachEdge } from "../helpers/edges.js";
import { publish } from "../helpers/ffmpeg.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { Knocker } from "../helpers/knocker.js";
import { pictures } from "../helpers/media.js";
import { publishAndPlay } from "../helpers/planb.js";
import { freePort, refuses } from "../helpers/ports.js";
import { player } from "../helpers/rtmp-client.js";
import { namesOf, show, steadyPublisher, vhost } from "../helpers/show.js";
import { eventually, within } from "../helpers/wait.js";

const head = "listen 1935; http_server { enabled on; listen 8080; }";

/** What those leave in the log whom a reload has sent away, and the relays that served them. */
const sentAway = ({ code, event }: LogLine): boolean =>
  code === "RTMP_RELOAD" || ((event === "pull.lost" || event === "rtmp.closed") && code?.startsWith("RELAY_") === true);

void test("reload: a file with errors changes nothing, and every error is told", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${head} ${vhost("one")}` });
  const one = await show(t, dolphin, "s?vhost=one");
  const refused = await dolphin.reload(
    `${head} ${vhost("one", "play { gop_cash off; }")} vhost two { cluster { mode remote; } }`,
    "refused",
  );
  assert.equal(refused.code, "CONF_RELOAD");
  const problems = (refused["problems"] as string[]).join("\n");
  assert.match(problems, /dolphin\.conf:1.*gop_cash/);
  assert.match(problems, /origin/);
  await one.goesOn();
  await assert.rejects(player(dolphin.rtmpUrl("s?vhost=two")), /no vhost serves the name two/);
  assert.deepEqual(
    dolphin.logLines(({ level }) => level === "error").map(({ event }) => event),
    ["reload.refused"],
  );
  await dolphin.reload(`${head} ${vhost("one")}`, "unchanged");
});

void test("reload: an included file that is cut off to nothing in the moment of a HUP changes nothing, and viewers stay", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-include-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const vhosts = join(folder, "vhosts.conf");
  writeFileSync(vhosts, `${vhost("one")}\n`);
  const dolphin = await Dolphin.start(t, { conf: `${head} include ${vhosts};` });
  const one = await show(t, dolphin, "s?vhost=one");
  for (const [text, sentence] of [
    ["", /"\/.*vhosts\.conf" is empty, and what it said is in force/],
    ["# vhost one {\n", /no vhost is left, and everybody would be sent away/],
  ] as const) {
    const from = dolphin.logLength;
    writeFileSync(vhosts, text);
    dolphin.signal("SIGHUP");
    const { code, problems } = await dolphin.waitFor("reload.refused", { from });
    assert.equal(code, "CONF_RELOAD");
    assert.match(String(problems), sentence);
    await one.goesOn();
  }
  writeFileSync(vhosts, `${vhost("one")}\n${vhost("two")}\n`);
  dolphin.signal("SIGHUP");
  assert.deepEqual((await dolphin.waitFor("reload.applied"))["changes"], ["vhost two"]);
  await one.goesOn();
});

/** How a file comes to say something else. */
const ways: Readonly<Record<string, (path: string, text: string) => void>> = {
  inPlace: writeFileSync,
  asAnEditor(path, text) {
    writeFileSync(`${path}~`, text);
    renameSync(`${path}~`, path);
  },
  asKubernetes: turnLink,
  asKubernetesAgain: turnLink,
};

/** The file is a link into `..data`, which is a link to a folder of this version; only that one changes the second time. */
function turnLink(path: string, text: string): void {
  const [folder, name] = [dirname(path), basename(path)];
  const version = mkdtempSync(join(folder, "..version-"));
  writeFileSync(join(version, name), text);
  symlinkSync(version, join(folder, "..new"));
  renameSync(join(folder, "..new"), join(folder, "..data"));
  if (lstatSync(path).isSymbolicLink()) return;
  rmSync(path);
  symlinkSync(join("..data", name), path);
}

void test("a watched file is applied by itself whichever way it is written, and one with errors changes nothing", async (t) => {
  const names = ["one"];
  const conf = (): string => `inotify_auto_reload on; ${head} ${names.map((name) => vhost(name)).join(" ")}`;
  const dolphin = await Dolphin.start(t, { conf: conf() });
  const one = await show(t, dolphin, "s?vhost=one");
  for (const [name, write] of Object.entries(ways)) {
    const from = dolphin.logLength;
    names.push(name);
    dolphin.writeConf(conf(), write);
    const { reason, changes } = await dolphin.waitFor("reload.applied", { from });
    assert.deepEqual([reason, changes], ["the file has changed", [`vhost ${name}`]]);
    const { viewer } = await publishAndPlay(t, dolphin, `s?vhost=${name}`);
    await viewer.waitForMedia(5);
  }
  const told = await dolphin.ask("reload");
  assert.match(told, /^nothing to do: .*\n  the last change came into force \d+s ago \(the file has changed\)$/);

  dolphin.writeConf(conf().replace("listen 1935", "lisen 1935"), turnLink);
  const { problems } = await dolphin.waitFor("reload.refused");
  assert.match((problems as string[]).join("\n"), /dolphin\.conf:1:\d+: CONF_UNKNOWN: "lisen" is not known.*listen/);
  await one.goesOn();
  assert.equal(dolphin.logLines(({ level }) => level === "error").length, 1, "one line tells it all");
});

void test("reload: play options change for all edges, and no viewer misses a picture", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${head} ${vhost("one")}` });
  const one = await show(t, dolphin, "s?vhost=one");
  const { changes } = await dolphin.reload(`${head} ${vhost("one", "play { gop_cache off; queue_length 5; }")}`);
  assert.deepEqual(changes, ["vhost one play.gop_cache", "vhost one play.queue_length"]);
  await one.goesOn();
  const had = Math.min(...one.viewers.map(({ messages }) => pictures(messages).length));
  const late = await player(dolphin.rtmpUrl("s?vhost=one"));
  t.after(() => late.close());
  await late.waitForMedia(5);
  const [first = 0] = pictures(late.messages);
  assert.ok(first >= had, `without a GOP cache a newcomer was given picture ${first}, of ${had} that had gone by`);
  await dolphin.stop();
});

void test("reload: a vhost comes and is served by every edge, and goes with its own clients alone", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${head} ${vhost("one")}` });
  const one = await show(t, dolphin, "s?vhost=one");
  await assert.rejects(player(dolphin.rtmpUrl("s?vhost=two")), /no vhost serves the name two/);

  await dolphin.reload(`${head} ${vhost("one")} ${vhost("two")}`);
  const two = await show(t, dolphin, "new?vhost=two");
  const responses = await flvAtEachEdge(t, dolphin, `${dolphin.flvUrl("new")}?vhost=two`);
  for (const response of responses) await response.waitForMedia(5);
  await one.goesOn();

  await dolphin.reload(`${head} ${vhost("one")}`);
  const ended = [two.source.connection.ended, ...two.viewers.map((viewer) => viewer.ended), ...responses.map((response) => response.ended)];
  await within(Promise.all(ended), 5000, "the end of everybody of the vhost two");
  await one.goesOn();
  await assert.rejects(player(dolphin.rtmpUrl("new?vhost=two")), /no vhost serves the name two/);
  await eventually(async () => (await dolphin.status()).streams.every((stream) => stream.vhost === "one"), {
    what: "the end of its streams",
  });
  await dolphin.stop({ allow: (line) => sentAway(line) || line.code === "RTMP_VHOST" });
});

/** A response at each edge; which edge it is at, the log tells. */
async function flvAtEachEdge(t: TestContext, dolphin: Dolphin, url: string): Promise<Awaited<ReturnType<typeof watchFlv>>[]> {
  const responses = [];
  const edges = new Set<unknown>();
  for (let tries = 0; edges.size < 2 && tries < 100; tries++) {
    const from = dolphin.logLength;
    const response = await watchFlv(url);
    t.after(() => response.close());
    assert.equal(response.status, 200);
    responses.push(response);
    const isFlv = ({ protocol }: LogLine): boolean => protocol === "flv";
    edges.add((await dolphin.waitFor("play.started", { from, where: isFlv })).child);
  }
  assert.deepEqual(
    [...edges].map(String).toSorted((a, b) => a.localeCompare(b)),
    ["edge-1", "edge-2"],
  );
  return responses;
}

void test("reload: an origin becomes an edge and an origin again, and its viewers stay", async (t) => {
  const far = await Dolphin.start(t, { conf: `${head} ${vhost("one")}`, args: ["--plan", "single"] });
  await steadyPublisher(t, far, "s?vhost=one");
  const dolphin = await Dolphin.start(t, { conf: `${head} ${vhost("one")}` });
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("s?vhost=one"));
  const first = await steadyPublisher(t, dolphin, "s?vhost=one");
  const sourceIs = (state: string) => async (): Promise<boolean> => (await dolphin.status()).streams.some((one) => one.state === state);
  const moreForAll = async (): Promise<void> => {
    await waitForMore(viewers, 10);
  };
  await moreForAll();

  const edge = vhost("one", `cluster { mode remote; origin 127.0.0.1:${far.rtmpPort}; }`);
  await dolphin.reload(`${head} ${edge}`);
  await within(first.connection.ended, 5000, "the end of the publisher");
  await eventually(sourceIs("pull"), { what: "a pull from the far origin" });
  await moreForAll();

  await dolphin.reload(`${head} ${vhost("one")}`);
  await eventually(sourceIs("wait"), { what: "viewers that wait for a publisher" });
  await steadyPublisher(t, dolphin, "s?vhost=one");
  await moreForAll();
  for (const { media, connection } of viewers) {
    const times = media.map(({ timestamp }) => timestamp);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
    assert.equal(connection.endedBy, null);
  }
  await dolphin.stop({ allow: sentAway });
  await far.stop();
});

void test("reload: another port is served, the old one refuses, and those who came by it stay", async (t) => {
  const other = await freePort();
  const confAt = (port: number) => (_rtmp: number, http: number) =>
    `listen 127.0.0.1:${port}; http_server { enabled on; listen 127.0.0.1:${http}; } dolphin { cores 2; } ${vhost("one")}`;
  const dolphin = await Dolphin.start(t, { words: () => [], conf: (rtmp, http) => confAt(rtmp)(rtmp, http) });
  const one = await show(t, dolphin, "s?vhost=one");
  const response = await watchFlv(`${dolphin.flvUrl("s")}?vhost=one`);
  t.after(() => response.close());
  await dolphin.reload(confAt(other)(dolphin.rtmpPort, dolphin.httpPort));
  // Everybody goes on in the new processes, and the old ones have nobody left.
  for (const edge of ["edge-1", "edge-2"]) {
    await dolphin.waitFor("child.exited", { where: ({ child, reason }) => child === edge && reason === "exit 0" });
  }
  assert.deepEqual(await namesOf(dolphin), ["master up", "edge-1.2 up", "edge-2.2 up"]);
  await refuses(dolphin.rtmpPort);
  const late = await player(`rtmp://127.0.0.1:${other}/live/s?vhost=one`);
  t.after(() => late.close());
  await late.waitForMedia(20);
  const lateFlv = await watchFlv(`${dolphin.flvUrl("s")}?vhost=one`);
  t.after(() => lateFlv.close());
  await lateFlv.waitForMedia(20);
  await one.goesOn();
  await response.waitForMedia(response.media.length + 10);
  response.close();
  one.close();
  await dolphin.stop();
});

void test("reload: more and fewer cores, and an encoder and its viewers stay", async (t) => {
  const confOf = (cores: number, rtmp: number, http: number): string =>
    `listen 127.0.0.1:${rtmp}; http_server { enabled on; listen 127.0.0.1:${http}; } dolphin { cores ${cores}; } ${vhost("__defaultVhost__")}`;
  const dolphin = await Dolphin.start(t, { words: () => [], conf: (rtmp, http) => confOf(2, rtmp, http) });
  const encoder = publish(dolphin.rtmpUrl("s"), { seconds: 120 });
  t.after(() => encoder.stop());
  await encoder.started;
  const viewers = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("s"));
  for (const [cores, edges] of [
    [3, ["edge-1.2 up", "edge-2.2 up", "edge-3.2 up"]],
    [1, ["edge-1.3 up"]],
  ] as const) {
    await dolphin.reload(confOf(cores, dolphin.rtmpPort, dolphin.httpPort));
    assert.deepEqual(
      (await namesOf(dolphin)).filter((name) => name.startsWith("edge") && name.endsWith("up")),
      edges,
    );
    const late = await player(dolphin.rtmpUrl("s"));
    t.after(() => late.close());
    viewers.push(late);
    await waitForMore(viewers, 25);
  }
  for (const viewer of viewers) viewer.close();
  await encoder.stop();
  await eventually(async () => (await namesOf(dolphin)).length === 2, { what: "the old edges to be gone" });
  await dolphin.stop();
});

for (const plan of ["a", "b"] as const) {
  void test(`reload: nobody is refused while plan ${plan}'s public processes are replaced, once by a reload and once by USR2`, async (t) => {
    const confOf = (rtmp: number, http: number, serves: boolean): string =>
      `listen 127.0.0.1:${rtmp}; http_server { enabled ${serves ? "on" : "off"}; listen 127.0.0.1:${http}; } dolphin { plan ${plan}; cores 2; } ${vhost("one")}`;
    const dolphin = await Dolphin.start(t, { words: () => [], conf: (rtmp, http) => confOf(rtmp, http, true) });
    const knocker = new Knocker(dolphin.rtmpPort);
    t.after(() => knocker.close());
    const thirtyMore = async (): Promise<void> => {
      const { answered } = knocker;
      await eventually(() => knocker.answered > answered + 30, { what: "thirty more newcomers" });
    };
    await thirtyMore();
    await dolphin.reload(confOf(dolphin.rtmpPort, dolphin.httpPort, false));
    await thirtyMore();
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted", { timeoutMs: 20_000 });
    await thirtyMore();
    await knocker.close();
    assert.equal(knocker.refused, 0, `of ${knocker.answered + knocker.refused} newcomers`);
    const names = (await namesOf(dolphin)).filter((name) => name.endsWith(".3 up"));
    assert.equal(names.length, 2);
  });
}
