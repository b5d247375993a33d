// Edges and origins that die, while encoders publish and viewers watch: who notices, who does not, and what takes their place.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { isRunning } from "../helpers/child.js";
import { assertForward, assertSteady } from "../helpers/compare.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAt, playerAtEachEdge, steadyPublisherAt, watchFlvElsewhere } from "../helpers/edges.js";
import { probe, publish, record, type Probe } from "../helpers/ffmpeg.js";
import { watchFlv, type FlvPlayer } from "../helpers/flv-reader.js";
import { Knocker } from "../helpers/knocker.js";
import { assertOnlyChildren } from "../helpers/processes.js";
import type { RtmpPlayer } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const maxGapMs = 1500;
const maxStepMs = 60;

for (const { how, conf, recordSeconds, strike, cause, provoked } of [
  {
    how: "is killed",
    conf: promptConf,
    recordSeconds: 7,
    strike: (pid: number) => void process.kill(pid, "SIGKILL"),
    cause: "killed by SIGKILL",
    provoked: ["child.exited"],
  },
  {
    how: "hangs",
    conf: `${promptConf} dolphin { heartbeat_timeout 2; }`,
    recordSeconds: 10,
    strike: (pid: number) => void process.kill(pid, "SIGSTOP"),
    cause: "hung: nothing heard for 2 s",
    provoked: ["child.hung", "child.exited"],
  },
]) {
  void test(`an edge that ${how} is replaced, newcomers are all served, and viewers of the others notice nothing`, async (t) => {
    const dolphin = await Dolphin.start(t, { cores: 3, conf });
    const encoder = publish(dolphin.rtmpUrl("news"), { seconds: 60 });
    t.after(() => encoder.stop());
    await encoder.started;
    const { child: publishedAt } = await dolphin.waitFor("publish.started");
    let isRecorded = false;
    const recording = recordInto(t, dolphin.rtmpUrl("news"), recordSeconds).finally(() => (isRecorded = true));
    const { child: recordedAt } = await dolphin.waitFor("play.started");
    const players = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("news"));
    const names = ["edge-1", "edge-2", "edge-3"];
    const victim = names.find((name) => name !== publishedAt && name !== recordedAt) ?? "";
    const victimPid = dolphin.pidOf(victim);
    const others: (RtmpPlayer | FlvPlayer)[] = players.filter(({ connection }) => connection.serverPid !== victimPid);
    others.push(await watchFlvElsewhere(t, dolphin, "news", victim));
    for (const one of [...players, ...others]) await one.waitForMedia(10);
    for (const one of others) one.resetGap();

    const knocker = new Knocker(dolphin.rtmpPort);
    t.after(() => knocker.close());
    await eventually(() => knocker.answered >= 30);
    await knocker.between(() => strike(victimPid));
    const exited = await dolphin.waitFor("child.exited");
    assert.deepEqual([exited.child, exited["childPid"], exited.reason], [victim, victimPid, cause]);
    const ready = await dolphin.waitFor("child.ready", { where: (line) => line.child === victim && line["childPid"] !== victimPid });
    assert.equal(isRecorded, false, "the recording must last beyond the replacement");
    const answeredUntilReady = knocker.answered;
    await eventually(() => knocker.answered > answeredUntilReady + 30);
    await knocker.close();
    assert.equal(knocker.refused, 0, `of ${knocker.answered + knocker.refused} newcomers`);

    await Promise.all(others.map((one) => one.waitForMedia(one.media.length + 1, maxGapMs)));
    for (const [at, one] of others.entries()) {
      assert.ok(one.longestGapMs <= maxGapMs, `viewer ${at} of another edge waited ${one.longestGapMs} ms`);
      assertForward(one.media);
    }
    assertSteadyRecording(await recording, recordSeconds);
    const newcomer = await playerAt(t, dolphin, "news", Number(ready["childPid"]));
    await newcomer.waitForMedia(20);

    const pids = { ...dolphin.pids, [victim]: Number(ready["childPid"]) };
    const expected = names.map((name) => ({ name, pid: pids[name], state: "up", restarts: name === victim ? 1 : 0 }));
    const { processes } = await dolphin.status();
    assert.deepEqual(
      processes.filter(({ duty }) => duty === "edge").map(({ name, pid, state, restarts }) => ({ name, pid, state, restarts })),
      expected,
    );
    assert.equal(processes.find(({ name }) => name === victim)?.lastDeath?.cause, cause);
    assert.equal(isRunning(victimPid), false);
    assertOnlyChildren(
      dolphin.pid,
      names.flatMap((name) => pids[name] ?? []),
    );
    assert.deepEqual(
      dolphin.logLines(({ level }) => level === "warn").map(({ event }) => event),
      provoked,
    );
    assert.equal(dolphin.logLines(({ event }) => event === "dolphin.ready").length, 1, "a replacement is no second start");
    await encoder.stop();
    await dolphin.stop({ allow: ({ child }) => child === victim });
  });
}

void test("an origin of its own may die or be replaced: edges and their viewers stay, and go on with the next publisher", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--origin-process", "child"], api: true });
  const first = await steadyPublisherAt(t, dolphin, "edge-1", "shift");
  const flv = await watchFlv(dolphin.flvUrl("shift"));
  t.after(() => flv.close());
  const viewers = [...(await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("shift"))), flv];
  for (const one of viewers) await one.waitForMedia(20);
  const seen = viewers.map((one) => one.media.length);
  const originPid = dolphin.pidOf("origin");
  process.kill(originPid, "SIGKILL");
  first.close();
  const ready = await dolphin.waitFor("child.ready", { where: (line) => line.child === "origin" && line["childPid"] !== originPid });
  await dolphin.waitFor("rtmp.closed", { where: ({ child, doing }) => child === "edge-1" && doing === "publishing" });
  await steadyPublisherAt(t, dolphin, "edge-1", "shift");
  for (const [at, one] of viewers.entries()) {
    await one.waitForMedia((seen[at] ?? 0) + 40); // fails for a viewer who was disconnected
    assertForward(one.media);
  }
  // Somebody asks for another one: the publisher and his viewers stay.
  const from = dolphin.logLength;
  const replaced = await fetch(dolphin.apiUrl("/api/v1/dolphin/restart/origin"), { method: "POST" });
  assert.equal(replaced.status, 200, await replaced.text());
  const next = await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "origin" });
  assert.notEqual(next["childPid"], ready["childPid"]);
  for (const one of viewers) await one.waitForMedia(one.media.length + 40);
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 1);
  const { processes } = await dolphin.status();
  const told = processes
    .filter(({ duty }) => duty !== "admin")
    .map(({ name, pid, restarts, lastDeath }) => ({ name, pid, restarts, cause: lastDeath?.cause ?? null }));
  assert.deepEqual(told, [
    { name: "master", pid: dolphin.pid, restarts: 0, cause: null },
    { name: "origin", pid: next["childPid"], restarts: 2, cause: "killed by SIGKILL" },
    { name: "edge-1", pid: dolphin.pids["edge-1"], restarts: 0, cause: null },
    { name: "edge-2", pid: dolphin.pids["edge-2"], restarts: 0, cause: null },
  ]);
  // Edges say that their origin was lost.
  await dolphin.stop({ allow: ({ event, code }) => event === "child.exited" || (code?.startsWith("RELAY_") ?? false) });
});

async function recordInto(t: TestContext, url: string, seconds: number): Promise<Probe> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-recorded-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "seen.flv");
  await record(url, file, seconds);
  return probe(file);
}

function assertSteadyRecording({ streams, packets }: Probe, seconds: number): void {
  for (const type of ["video", "audio"]) assertSteady(packets, type, maxStepMs);
  const frames = streams.find(({ type }) => type === "video")?.frames ?? 0;
  assert.ok(frames >= seconds * 25 * 0.9, `${frames} frames decode of ${seconds} s`);
}
