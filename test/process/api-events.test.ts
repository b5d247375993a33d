// What happens in a box, as operators follow it: over the API as a stream, and by the verb.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { askApi } from "../helpers/api.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { promptConf } from "../helpers/bystanders.js";
import { start } from "../helpers/child.js";
import { Dolphin, type Cleanup } from "../helpers/dolphin.js";
import { eventually, within } from "../helpers/wait.js";

interface Event {
  readonly id: number;
  readonly event: string;
  readonly msg: string;
  readonly process?: string;
  readonly stream?: string;
  readonly reason?: string;
}

/** Reads the stream of events behind the one of a number until it ends. */
async function follow(t: Cleanup, dolphin: Dolphin, after = 0): Promise<{ readonly events: Event[]; readonly ended: Promise<void> }> {
  const aborting = new AbortController();
  t.after(() => aborting.abort());
  const headers = { accept: "text/event-stream", "last-event-id": String(after) };
  const response = await fetch(dolphin.apiUrl("/api/v1/dolphin/events"), { headers, signal: aborting.signal });
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  const events: Event[] = [];
  const read = async (): Promise<void> => {
    let rest = "";
    for await (const part of response.body ?? []) {
      rest += Buffer.from(part as Uint8Array).toString();
      const blocks = rest.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(block) ?? [];
        if (data === undefined) continue;
        events.push(JSON.parse(data) as Event);
        assert.equal(events.at(-1)?.id, Number(id));
      }
    }
  };
  return { events, ended: read().catch(() => undefined) };
}

void test("a stream of events tells of publishes, deaths and their cause, carried connections, reloads and acts, over an upgrade too", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, conf: promptConf });
  const { events, ended } = await follow(t, dolphin);
  const has = (name: string, where: Partial<Event> = {}): Promise<Event> =>
    eventually(
      () => events.find((one) => one.event === name && Object.entries(where).every(([key, value]) => one[key as keyof Event] === value)),
      {
        what: `the event ${name}`,
      },
    );
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "show");
  const viewer = await playerAt(t, dolphin, "show", dolphin.pidOf("edge-2"));
  await viewer.waitForMedia(10);
  await has("publish.started", { stream: "__defaultVhost__/live/show", process: "master" });
  const edge = dolphin.pids["edge-2"];
  assert.ok(edge !== undefined);
  process.kill(edge, "SIGKILL");
  await has("child.exited", { process: "edge-2", reason: "killed by SIGKILL" });
  await has("connections.carried", { process: "edge-2" });
  await dolphin.ask("reload");
  await has("reload.unchanged");
  const act = async (what: string): Promise<number> => (await fetch(dolphin.apiUrl(`/api/v1/dolphin/${what}`), { method: "POST" })).status;
  assert.equal(await act("scale/3"), 200);
  await has("scale.applied");
  const last = events.at(-1)?.id ?? 0;
  assert.equal(await act("upgrade"), 200);
  await within(ended, 10_000, "the stream to end with the admin that it was read from");
  const again = await follow(t, dolphin, last);
  source.close();
  await eventually(() => again.events.some(({ event }) => event === "publish.ended"), { what: "the end of the stream" });
  assert.ok(
    again.events.every(({ id }) => id > last),
    "nothing comes twice",
  );
  const kept = (await askApi(dolphin, "/dolphin/events?count=1"))["events"] as readonly Event[];
  assert.equal(kept.length, 1);
  const all = (await askApi(dolphin, "/dolphin/events?count=all"))["events"] as readonly Event[];
  assert.ok(all.length > 1, "what is no number says nothing");
  viewer.close();
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" || event === "connections.carried" });
});

void test("the verb tells what has happened and what happens, a line each", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1 });
  const lines: string[] = [];
  const reader = start(process.execPath, ["bin/dolphin.js", "events", "--json", "--socket", dolphin.controlSocket], {
    onLine: (line) => lines.push(line),
  });
  t.after(() => void reader.stop("SIGTERM"));
  await eventually(() => lines.some((line) => line.includes("child.ready")), { what: "what has happened" });
  await dolphin.ask("reload");
  await eventually(() => lines.some((line) => (JSON.parse(line) as Event).event === "reload.unchanged"), { what: "what happens" });
  assert.match(await dolphin.ask("events", "--no-follow", "-n", "1"), /^\S+ \S+Z {2}info {3}- +reload\.unchanged +reload unchanged$/);
  await reader.stop("SIGTERM");
  await dolphin.stop();
});

void test("connections that are refused for want of room are told of once a second, and not each", async (t) => {
  const conf = `max_connections 1; ${promptConf}`;
  const dolphin = await Dolphin.start(t, { api: true, cores: 1, conf });
  const sockets = Array.from({ length: 30 }, () => connect(dolphin.rtmpPort, "127.0.0.1").on("error", () => undefined));
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  const told = await eventually(
    async () => {
      const events = (await askApi(dolphin, "/dolphin/events"))["events"] as readonly (Event & { count?: number })[];
      const counts = events.flatMap(({ event, count = 0 }) => (event === "rtmp.refused" ? [count] : []));
      return counts.reduce((sum, count) => sum + count, 0) === 29 ? counts : null;
    },
    { what: "the events of 29 refusals" },
  );
  // One, or another for each second that it took the machine to refuse them all.
  assert.ok(told.length < 10, told.join());
  await dolphin.stop({ allow: ({ code }) => code === "RTMP_FULL" });
});

void test("readers of the events who leave while the master lets them wait take nobody's place", async (t) => {
  const dolphin = await Dolphin.start(t, { api: true, cores: 1 });
  const master = dolphin.pidOf("master");
  await askApi(dolphin, "/versions");
  process.kill(master, "SIGSTOP");
  try {
    const peers = Array.from({ length: 25 }, () => {
      const peer = connect(dolphin.apiPort, "127.0.0.1").on("error", () => undefined);
      peer.write("GET /api/v1/dolphin/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
      return peer;
    });
    await Promise.all(peers.map((peer) => once(peer, "connect")));
    const page = async (): Promise<number> => (await fetch(dolphin.apiUrl("/players/srs_player.html"))).status;
    assert.equal(await page(), 200, "the admin has read what came before");
    for (const peer of peers) peer.destroy();
    assert.equal(await page(), 200, "and has seen them leave");
  } finally {
    process.kill(master, "SIGCONT");
  }
  await follow(t, dolphin);
  await dolphin.stop();
});
