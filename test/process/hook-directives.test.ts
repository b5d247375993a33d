// What hooks have beyond SRS, each directive on one running box whose file is changed under it: two vhosts, each with a backend of its own.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { HookBackend, type HookAnswer } from "../helpers/hook-backend.js";
import { player, type RtmpPlayer } from "../helpers/rtmp-client.js";

const key = "a key of the site";
const other = "other.example.com";
const failed =
  (status: number): (() => HookAnswer) =>
  () =>
  (response) =>
    response.writeHead(status).end("0");

void test("a box asks as its file says: signed, within bounds, again, and by what holds when a backend is down", async (t) => {
  const [site, second] = [await HookBackend.start(t), await HookBackend.start(t)];
  const conf = (directives: string): string =>
    `listen 1935; vhost __defaultVhost__ { ${site.block("on_play", "on_stop")} } vhost ${other} { ${second.block("on_play", "on_stop")} }
dolphin { hook_secret "${key}"; ${directives} }`;
  const dolphin = await Dolphin.start(t, { args: ["--plan", "single"], conf: conf("hook_connections 2; hook_keep_alive on;") });
  const url = (stream: string, vhost = ""): string => dolphin.rtmpUrl(vhost === "" ? stream : `${stream}?vhost=${vhost}`);
  const isIn = async (stream: string, vhost = ""): Promise<boolean> => {
    try {
      (await player(url(stream, vhost))).close();
      return true;
    } catch {
      return false;
    }
  };
  const come = async (stream: string): Promise<RtmpPlayer> => {
    const viewer = await player(url(stream));
    t.after(() => viewer.close());
    return viewer;
  };

  // A crowd at one URL, which takes its time, and somebody for another one meanwhile.
  const answers: (() => void)[] = [];
  site.answer = () => new Promise((resolve) => answers.push(() => resolve("0")));
  const crowd = Array.from({ length: 6 }, (_, at) => come(`crowd-${at}`));
  await site.until("two questions", () => site.open === 2);
  assert.ok(await isIn("s", other), "the bound is each URL's own");
  for (let answered = 0; answered < 6; answered++) {
    await site.until("the next question", () => answers.length > answered);
    answers[answered]!();
  }
  for (const viewer of await Promise.all(crowd)) viewer.close();
  assert.deepEqual([site.mostOpen, site.connections], [2, 2], "two at once, on connections that are kept");
  site.answer = () => "0";
  await site.waitFor("on_stop", 6);

  // One vhost's backend is down: what its viewers get is what the site says, and nobody else's is another.
  second.answer = failed(503);
  assert.deepEqual([await isIn("s", other), await isIn("s")], [false, true], "deny");
  await dolphin.reload(conf("hook_when_down allow;"));
  assert.equal(await isIn("s", other), true, "allow");
  second.answer = failed(429);
  assert.equal(await isIn("s", other), true, "asked too often is down as well");
  second.answer = failed(403);
  assert.equal(await isIn("s", other), false, "a no is no silence");
  await dolphin.reload(conf("hook_when_down last; hook_timeout 0.3;"));
  second.answer = ({ body }) => (body["stream"] === "bad" ? "1" : "0");
  assert.deepEqual([await isIn("good", other), await isIn("bad", other)], [true, false]);
  second.answer = () => new Promise(() => undefined);
  const remembered = [await isIn("good", other), await isIn("bad", other), await isIn("new", other)];
  assert.deepEqual(remembered, [true, false, false], "what it said last, where it said anything, when it has had its time");

  // An answer holds for a while.
  await dolphin.reload(conf("hook_cache 60;"));
  const before = site.of("on_play").length;
  const [asked, alike] = [await come("cached"), await come("cached")];
  const differs = await player(`${url("cached")}?token=b`);
  for (const viewer of [alike, differs, asked]) viewer.close();
  await site.until("their ends", () => site.of("on_stop").length === site.of("on_play").length);
  assert.equal(site.of("on_play").length, before + 2);
  site.assertPairs("on_play", "on_stop");

  // Nobody takes what is told at the end: it is sent again, by the same name.
  await dolphin.reload(conf("hook_retries 2;"));
  const told = site.of("on_stop").length;
  site.answer = ({ action, headers }) => (action === "on_stop" && headers["x-dolphin-attempt"] === "1" ? failed(500)() : "0");
  assert.ok((await isIn("again")) && (await isIn("again")));
  await site.waitFor("on_stop", told + 4);
  const tries = site.of("on_stop").slice(told);
  const namesOf = (attempt: string): string[] =>
    tries.filter(({ headers }) => headers["x-dolphin-attempt"] === attempt).map(({ headers }) => String(headers["x-dolphin-event"]));
  assert.equal(new Set(namesOf("1")).size, 2);
  assert.deepEqual(namesOf("2").toSorted(), namesOf("1").toSorted());
  for (const { headers, text, body } of tries) {
    const firstTry = tries.find((one) => one.headers["x-dolphin-event"] === headers["x-dolphin-event"]);
    assert.deepEqual([text, body["client_id"]], [firstTry?.text, firstTry?.body["client_id"]]);
  }

  await dolphin.stop({ allow: ({ event, code }) => event === "hook.failed" || code === "HOOK_REFUSED" || code === "HOOK_FAILED" });
  for (const { text, headers } of [...site.calls, ...second.calls])
    assert.equal(headers["x-dolphin-signature"], `sha256=${createHmac("sha256", key).update(text).digest("hex")}`);
});
