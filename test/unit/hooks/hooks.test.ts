import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { DolphinError } from "../../../src/base/errors.js";
import type { VhostHooks } from "../../../src/conf/meaning/config.js";
import { latencyBoundsMs } from "../../../src/ipc/dues.js";
import { HookBackend } from "../../helpers/hook-backend.js";
import { eventually } from "../../helpers/wait.js";
import { hooksAt, letIn, makeHooks, visit } from "./rig.js";

const play = ["on_connect", "on_close", "on_play", "on_stop"] as const;
const down = (response: { writeHead(status: number): { end(): void } }): void => response.writeHead(503).end();

test("hooks: a player is asked about twice, and told of twice when it is over, each once and in order", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const { answered, closings } = visit(hooks, hooksAt(site, ...play));
  const answer = await answered;
  assert.ok(!(answer instanceof DolphinError) && answer.due !== null && closings[0] !== undefined);
  hooks.end(answer.due);
  hooks.end(closings[0], { send_bytes: 7, recv_bytes: 3 });
  await hooks.settle(5000, true);
  assert.deepEqual(site.actions(), ["on_connect", "on_play", "on_stop", "on_close"]);
  assert.equal(site.of("on_close")[0]?.body["send_bytes"], 7);
});

test("hooks: where only what tells is configured nobody is asked, and somebody is told", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const { due } = await letIn(hooks, hooksAt(site, "on_stop"));
  assert.deepEqual(site.actions(), []);
  hooks.end(due!);
  await site.waitFor("on_stop");
});

test("hooks: several URLs are asked one behind the other, and the first no ends it", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = ({ path }) => (path === "/2" ? '{"code":3}' : "0");
  const { hooks } = makeHooks();
  const all: VhostHooks = { ...hooksAt(site), on_play: [site.url("1"), site.url("2"), site.url("3")] };
  const answer = await visit(hooks, all).answered;
  assert.ok(answer instanceof DolphinError && answer.code === "HOOK_REFUSED");
  assert.deepEqual(
    site.calls.map(({ path }) => path),
    ["/1", "/2"],
  );
});

test("hooks: who is refused by on_play has been connected, and owes no on_stop", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = ({ action }) => (action === "on_play" ? "1" : "0");
  const { hooks } = makeHooks();
  const { answered, closings } = visit(hooks, hooksAt(site, ...play));
  assert.ok((await answered) instanceof DolphinError);
  assert.deepEqual(
    closings.map(({ action }) => action),
    ["on_close"],
  );
});

test("hooks: who leaves while a question is under way is asked nothing more, and what is said yes to is closed at once", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const leaver = visit(hooks, hooksAt(site, ...play));
  site.answer = ({ action }) => {
    if (action === "on_play") leaver.leave();
    return "0";
  };
  await site.waitFor("on_stop");
  hooks.end(leaver.closings[0]!);
  await hooks.settle(5000, true);
  assert.deepEqual(site.actions(), ["on_connect", "on_play", "on_stop", "on_close"]);
});

test("hooks: who leaves while a question is under way that is answered by no owes nothing", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const leaver = visit(hooks, hooksAt(site, "on_play", "on_stop"));
  site.answer = () => {
    leaver.leave();
    return "1";
  };
  await site.waitFor("on_play");
  await hooks.settle(5000, true);
  assert.deepEqual(site.actions(), ["on_play"]);
});

test("hooks: the next publisher of a stream is asked about when all is told of the one before", async (t) => {
  const site = await HookBackend.start(t);
  const all = hooksAt(site, "on_connect", "on_close", "on_publish", "on_unpublish");
  const { hooks } = makeHooks();
  site.answer = ({ action }) => (action.startsWith("on_un") ? new Promise((resolve) => setImmediate(() => resolve("0"))) : "0");
  for (let i = 0; i < 20; i++) {
    const one = visit(hooks, all, { clientId: `c${i}`, wants: "publish" });
    const answer = await one.answered;
    assert.ok(!(answer instanceof DolphinError));
    hooks.end(answer.due!);
    hooks.end(one.closings[0]!);
  }
  await hooks.settle(5000, true);
  assert.deepEqual(
    site.calls.map(({ action, body }) => `${body["client_id"]} ${action}`),
    Array.from({ length: 20 }, (_, i) =>
      ["on_connect", "on_publish", "on_unpublish", "on_close"].map((action) => `c${i} ${action}`),
    ).flat(),
  );
});

test("hooks: what is told carries the HMAC-SHA256 of its body where there is a key, and nothing beyond SRS's where there is none", async (t) => {
  const site = await HookBackend.start(t);
  await letIn(makeHooks({ secret: "key" }).hooks, hooksAt(site, "on_play"));
  await letIn(makeHooks().hooks, hooksAt(site, "on_play"));
  const [signed, plain] = site.calls;
  const expected = `sha256=${createHmac("sha256", "key").update(signed!.text).digest("hex")}`;
  assert.equal(signed!.headers["x-dolphin-signature"], expected);
  assert.deepEqual(
    Object.keys(plain!.headers).filter((name) => name.startsWith("x-")),
    [],
  );
});

test("hooks: a backend that does not answer keeps everybody out, lets everybody in, or is taken to say what it said last", async (t) => {
  const site = await HookBackend.start(t);
  const all = hooksAt(site, "on_play");
  const tryOf = async (hooks: Parameters<typeof visit>[0], params: string): Promise<string> => {
    const answer = await visit(hooks, all, { params }).answered;
    return answer instanceof DolphinError ? answer.code : "in";
  };
  const [deny, allow, last] = [makeHooks(), makeHooks({ whenDown: "allow" }), makeHooks({ whenDown: "last" })];
  site.answer = ({ body }) => (body["param"] === "?bad" ? "1" : "0");
  assert.equal(await tryOf(last.hooks, "?good"), "in");
  assert.equal(await tryOf(last.hooks, "?bad"), "HOOK_REFUSED");
  site.answer = () => down;
  assert.equal(await tryOf(deny.hooks, "?good"), "HOOK_FAILED");
  assert.equal(await tryOf(allow.hooks, "?good"), "in");
  assert.equal(await tryOf(last.hooks, "?good"), "in");
  assert.equal(await tryOf(last.hooks, "?bad"), "HOOK_REFUSED");
  assert.equal(await tryOf(last.hooks, "?new"), "HOOK_FAILED");
});

test("hooks: an answer of status 4xx is a no also where one that does not answer would be let in", async (t) => {
  const site = await HookBackend.start(t);
  site.answer = () => (response) => response.writeHead(403).end();
  const answer = await visit(makeHooks({ whenDown: "allow" }).hooks, hooksAt(site, "on_play")).answered;
  assert.ok(answer instanceof DolphinError && answer.code === "HOOK_REFUSED");
});

test("hooks: an answer about a player holds for those that are alike, who are told of neither at their begin nor at their end", async (t) => {
  const site = await HookBackend.start(t);
  const all = hooksAt(site, ...play);
  const { hooks } = makeHooks({ cacheMs: 60_000 });
  const first = await letIn(hooks, all, { clientId: "a" });
  const second = visit(hooks, all, { clientId: "b" });
  assert.deepEqual(await second.answered, { due: null, forwards: null });
  assert.deepEqual(second.closings, []);
  assert.notEqual(first.due, null);
  await letIn(hooks, all, { clientId: "c", params: "?token=2" });
  assert.deepEqual(site.actions("b"), []);
  assert.deepEqual(site.actions("c"), ["on_connect", "on_play"]);
});

test("hooks: a publisher's number is told at his begin and his end, and no member where there is none", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const both = hooksAt(site, "on_publish", "on_unpublish");
  for (const [at, fence] of [
    [0, 5],
    [1, 0],
  ] as const) {
    const { due } = await letIn(hooks, both, { wants: "publish", clientId: `c000000${at}`, fence });
    hooks.end(due!);
  }
  await hooks.settle(5000, true);
  assert.deepEqual(
    site.calls.map(({ action, body }) => [action, body["fence"]]),
    [
      ["on_publish", 5],
      ["on_unpublish", 5],
      ["on_publish", undefined],
      ["on_unpublish", undefined],
    ],
  );
});

test("hooks: publishers are asked about each time, whatever holds for players", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks({ cacheMs: 60_000 });
  for (const clientId of ["a", "b"]) await letIn(hooks, hooksAt(site, "on_publish"), { clientId, wants: "publish" });
  assert.deepEqual(site.actions(), ["on_publish", "on_publish"]);
});

test("hooks: what nobody took is sent again where that is wanted, under one name and with a number", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks({ retries: 2 });
  const { due } = await letIn(hooks, hooksAt(site, "on_stop"));
  site.answer = () => (site.of("on_stop").length === 1 ? down : "0");
  hooks.end(due!);
  await site.waitFor("on_stop", 2);
  const [first, second] = site.of("on_stop");
  assert.equal(first!.text, second!.text);
  assert.deepEqual([first!.headers["x-dolphin-attempt"], second!.headers["x-dolphin-attempt"]], ["1", "2"]);
  assert.equal(first!.headers["x-dolphin-event"], second!.headers["x-dolphin-event"]);
  assert.equal(first!.headers["x-dolphin-event"], due!.key);
});

test("hooks: what nobody took is sent once where nothing else is wanted", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks, notes } = makeHooks();
  const { due } = await letIn(hooks, hooksAt(site, "on_stop"));
  site.answer = () => down;
  hooks.end(due!);
  await hooks.settle(5000, true);
  assert.equal(site.of("on_stop").length, 1);
  assert.deepEqual(
    notes.filter((note) => "undelivered" in note),
    [],
  );
});

test("hooks: a process that ends leaves to the master what waits to be sent again, and the last one sends it at once", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks, notes } = makeHooks({ retries: 5 });
  const { due } = await letIn(hooks, hooksAt(site, "on_stop"));
  site.answer = () => down;
  hooks.end(due!);
  await hooks.settle(5000, false);
  const left = notes.flatMap((note) => ("undelivered" in note ? [note.undelivered] : []));
  assert.deepEqual(
    left.map(({ action, event, attempt }) => ({ action, event, attempt })),
    [{ action: "on_stop", event: due!.key, attempt: 2 }],
  );
  const master = makeHooks({ retries: 5 });
  site.answer = () => "0";
  master.hooks.resume(left[0]!);
  await master.hooks.settle(5000, true);
  assert.equal(site.of("on_stop").length, 2);
});

test("hooks: the master knows what is due, what was called and what goes on elsewhere", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks, notes } = makeHooks();
  const all = hooksAt(site, "on_stop");
  const [called, moved] = [await letIn(hooks, all, { clientId: "a" }), await letIn(hooks, all, { clientId: "b" })];
  hooks.end(called.due!);
  hooks.release(moved.due!);
  await hooks.settle(5000, false);
  assert.deepEqual(notes, [{ open: called.due }, { open: moved.due }, { done: called.due!.key }, { moved: moved.due!.key }]);
});

test("hooks: what could not be told within the bound is left to the master", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks, notes } = makeHooks({ connections: 1 });
  const all = hooksAt(site, "on_stop");
  const dues = await Promise.all(["a", "b"].map((clientId) => letIn(hooks, all, { clientId })));
  site.answer = () => new Promise(() => undefined);
  for (const { due } of dues) hooks.end(due!);
  await hooks.settle(100, false);
  assert.deepEqual(
    notes.flatMap((note) => ("done" in note ? [note.done] : [])),
    [dues[0]!.due!.key],
  );
});

test("hooks: on_forward names the servers, and its no is the publisher's, who has been let in before", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const all = hooksAt(site, "on_publish", "on_unpublish");
  site.answer = ({ action }) => (action === "on_forward" ? '{"code":0,"data":{"urls":["rtmp://a/live/x?k=1",7]}}' : "0");
  const { due, forwards } = await letIn(hooks, all, { clientId: "a", wants: "publish" }, site.url("on_forward"));
  assert.deepEqual(forwards, ["rtmp://a/live/x?k=1"]);
  hooks.end(due!);
  site.answer = ({ action }) => (action === "on_forward" ? "1" : "0");
  const refused = await visit(hooks, all, { clientId: "b", wants: "publish" }, site.url("on_forward")).answered;
  assert.ok(refused instanceof DolphinError && refused.message.includes("on_forward"));
  await hooks.settle(5000, true);
  assert.deepEqual(site.actions("b"), ["on_publish", "on_forward", "on_unpublish"]);
});

test("hooks: what is said of files is told to all URLs, in SRS's order of members", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const visitor = {
    conn: "a",
    id: "a",
    ip: "192.0.2.1",
    vhost: "__defaultVhost__",
    app: "live",
    stream: "s",
    params: "?k=1",
    tcUrl: "rtmp://h/live",
    pageUrl: "",
  };
  hooks.notify("on_dvr", [site.url("1"), site.url("2")], visitor, { cwd: "/", file: "a.flv" });
  hooks.visit("a", [`${site.url("notify")}/live/s/0.ts?k=1`], { readsBytes: 64, timeoutMs: 5000 });
  await hooks.settle(5000, true);
  assert.deepEqual(
    site.calls.map(({ path }) => path),
    ["/1", "/2", "/notify/live/s/0.ts?k=1"],
  );
  const members = ["server_id", "service_id", "action", "client_id", "ip", "vhost", "app", "tcUrl", "stream", "param"];
  assert.deepEqual(Object.keys(site.calls[0]!.body), [...members, "cwd", "file", "stream_url", "stream_id"]);
  assert.equal(site.calls[0]!.action, "on_dvr");
});

test("hooks: calls are counted by URL and hook, without what a URL has of secrets", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks();
  const all: VhostHooks = { ...hooksAt(site), on_play: [`${site.url("on_play").replace("//", "//u:p@")}?secret=1`] };
  await letIn(hooks, all);
  site.answer = () => "1";
  await visit(hooks, all).answered;
  await site.stop();
  await visit(hooks, all).answered;
  const [counts] = hooks.snapshot();
  assert.equal(hooks.snapshot().length, 1);
  assert.equal(counts!.action, "on_play");
  assert.match(counts!.url, /^http:\/\/127\.0\.0\.1:\d+\/on_play$/);
  assert.deepEqual([counts!.calls, counts!.refusals, counts!.failures], [3, 1, 1]);
  assert.equal(counts!.latencies.length, latencyBoundsMs.length + 1);
  assert.equal(
    counts!.latencies.reduce((sum, count) => sum + count, 0),
    3,
  );
});

test("hooks: a backend that fails is told of in one line, and in one more when it is back", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks, lines } = makeHooks();
  const all = hooksAt(site, "on_play");
  site.answer = () => down;
  for (let i = 0; i < 3; i++) await visit(hooks, all).answered;
  site.answer = () => "0";
  for (let i = 0; i < 3; i++) await visit(hooks, all).answered;
  await eventually(() => lines.some(({ event }) => event === "hook.works"));
  const told = lines.filter(({ event }) => event === "hook.failed" || event === "hook.works");
  assert.deepEqual(
    told.map(({ event, code, failed }) => ({ event, code, failed })),
    [
      { event: "hook.failed", code: "HOOK_FAILED", failed: undefined },
      { event: "hook.works", code: undefined, failed: 3 },
    ],
  );
});

test("hooks: a thousand questions at once are all put, within the bound of what is under way", async (t) => {
  const site = await HookBackend.start(t);
  const { hooks } = makeHooks({ connections: 50, timeoutMs: 30_000 });
  const all = hooksAt(site, "on_play");
  const answers = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => visit(hooks, all, { clientId: `c${i}`, connection: null }).answered),
  );
  assert.ok(answers.every((answer) => !(answer instanceof DolphinError)));
  assert.ok(site.mostOpen <= 50, String(site.mostOpen));
  assert.equal(new Set(site.calls.map(({ body }) => body["client_id"])).size, 1000);
});
