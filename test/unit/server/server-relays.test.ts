// Relays between servers that are not there, are there again, say nothing, or are the relay's own: what the log tells of it, and
// how soon viewers have the stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLine } from "../../helpers/dolphin.js";
import { freePort } from "../../helpers/ports.js";
import { publisher } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

/** The lines above debug of these events, or of all. */
function told({ lines }: Rig, ...events: readonly string[]): LogLine[] {
  return lines.filter(({ level, event }) => level !== "debug" && (events.length === 0 || events.includes(event ?? "")));
}

function tries({ lines }: Rig, event: string): number {
  return lines.filter((line) => line.event === event).length;
}

const forwarding = (address: string, name = "__defaultVhost__"): string =>
  `vhost ${name} { min_latency on; forward { enabled on; destination ${address}; } }`;
const pulling = (address: string, more = ""): string =>
  `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${address}; ${more} } }`;

test("a forward to a server that is not there is one line until it is there, and then all streams go there at once", async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const near = await startServer(t, forwarding(address));
  const streams = ["a", "b", "c", "d"];
  for (const stream of streams) (await Encoder.open(t, near.rtmpUrl(stream))).sendSteadily(t);
  await eventually(() => tries(near, "forward.lost") >= 6 * streams.length, { what: "some tries", timeoutMs: 20_000 });
  assert.equal(told(near, "forward.lost").length, streams.length);

  const far = await startServer(t, "vhost __defaultVhost__ { }", { address });
  const started = (): LogLine[] => told(near, "forward.started");
  await eventually(() => started().length > 0, { what: "the first forward", timeoutMs: 20_000, everyMs: 5 });
  // Each of them would be in a pause of 2 s and more now.
  await eventually(() => started().length === streams.length, { what: "the others, which it has woken", timeoutMs: 1000 });
  for (const line of started()) {
    assert.ok(Number(line["tries"]) >= 4 && Number(line["durMs"]) > 0, JSON.stringify(line));
    assert.equal(line["upstream"], address);
  }
  for (const stream of streams) assert.equal(far.stream(stream)?.state, "publish");
});

test("a pull of a stream that nobody publishes stands at its only origin, and has it when it begins", async (t) => {
  const far = await startServer(t, "vhost __defaultVhost__ { min_latency on; }");
  const edge = await startServer(t, pulling(far.address));
  const viewer = await watch(t, edge.rtmpUrl("late"));
  await eventually(() => told(edge, "pull.lost").length > 0, { what: "the first silence", timeoutMs: 8000 });
  await eventually(() => told(far).filter(({ event }) => event === "play.started").length === 2, { what: "the next connection" });
  const encoder = await Encoder.open(t, far.rtmpUrl("late"));
  encoder.send(5);
  await viewer.waitForMedia(5);
  assert.deepEqual(
    told(edge, "pull.lost", "pull.started").map(({ event, code }) => [event, code]),
    [
      ["pull.lost", "RELAY_SILENT"],
      ["pull.started", undefined],
    ],
  );
});

test("whoever comes to watch does not wait for the end of a pause", async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const edge = await startServer(t, pulling(address));
  const first = await watch(t, edge.rtmpUrl("s"));
  // Pauses of more than 4 s, of which none may be the reason that the stream comes.
  await eventually(() => tries(edge, "pull.lost") === 7, { what: "a long pause", timeoutMs: 20_000 });
  const far = await startServer(t, "vhost __defaultVhost__ { min_latency on; }", { address });
  (await Encoder.open(t, far.rtmpUrl("s"))).sendSteadily(t);
  await eventually(() => far.stream("s")?.state === "publish", { what: "the stream" });
  await new Promise((resolve) => setTimeout(resolve, 1000)); // as long as a try is not repeated
  const second = await watch(t, edge.rtmpUrl("s"));
  await Promise.all([first.waitForMedia(3, 2000), second.waitForMedia(3, 2000)]);
  assert.equal(told(edge, "pull.lost").length, 1);
});

test("a publisher that the first origin cannot take goes to the next, and the line names the one that failed", async (t) => {
  const gone = `127.0.0.1:${await freePort()}`;
  const far = await startServer(t, "vhost __defaultVhost__ { }");
  const edge = await startServer(t, pulling(`${gone} ${far.address}`));
  await Encoder.open(t, edge.rtmpUrl("s"));
  const [line] = told(edge, "push.retried");
  assert.deepEqual([line?.code, line?.["upstream"], line?.["next"]], ["RELAY_CONNECT", gone, far.address]);
  assert.match(line?.msg ?? "", new RegExp(`ECONNREFUSED ${gone} while connecting to ${gone}`));
});

test("a forward that leads to itself is told once, as that, and its publisher does not notice", async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const one = await startServer(t, forwarding(address), { address, edgeKey: "one" });
  const encoder = await Encoder.open(t, one.rtmpUrl("s"));
  encoder.send(5);
  await eventually(() => told(one, "forward.lost").length > 0, { what: "a line" });
  const [line, ...others] = told(one).filter(({ level }) => level === "warn");
  assert.deepEqual([line?.event, line?.code, others], ["forward.lost", "RELAY_LOOP", []]);
  assert.match(line?.msg ?? "", new RegExp(`^it leads back here: ${address} is this very server`));
  assert.equal(encoder.source.connection.endedBy, null);
});

test("servers that forward to each other in a ring know it where the ring closes, and the stream is on all of them", async (t) => {
  const [a, b, c] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`] as const;
  const rigs = [
    await startServer(t, forwarding(b), { address: a, edgeKey: "a" }),
    await startServer(t, forwarding(c), { address: b, edgeKey: "b" }),
    await startServer(t, forwarding(a), { address: c, edgeKey: "c" }),
  ] as const;
  (await Encoder.open(t, rigs[0].rtmpUrl("s"))).sendSteadily(t);
  await eventually(() => told(rigs[2], "forward.lost").length > 0, { what: "the ring to be closed" });
  assert.deepEqual(
    rigs.map((rig) => told(rig).flatMap(({ level, code }) => (level === "warn" ? [code] : []))),
    [[], [], ["RELAY_LOOP"]],
  );
  for (const rig of rigs) assert.equal(rig.stream("s")?.state, "publish");
});

test("a forward to another vhost of the same server is no loop", async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const vhosts = `vhost a.test { cluster { vhost b.test; } forward { enabled on; destination ${address}; } } vhost b.test { }`;
  const one = await startServer(t, vhosts, { address, edgeKey: "one" });
  (await Encoder.open(t, one.rtmpUrl("s?vhost=a.test"))).sendSteadily(t);
  await eventually(() => told(one, "forward.started").length === 1, { what: "the forward" });
  assert.deepEqual(
    one.server
      .streams()
      .map(({ vhost, state }) => `${vhost} ${state}`)
      .sort(),
    ["a.test publish", "b.test publish"],
  );
});

test("a pull that leads to itself, or in a ring, is told as that", async (t) => {
  const [a, b, c] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`] as const;
  const self = await startServer(t, pulling(a), { address: a, edgeKey: "self" });
  await watch(t, self.rtmpUrl("s"));
  const ring = [
    await startServer(t, pulling(c), { address: b, edgeKey: "b" }),
    await startServer(t, pulling(b), { address: c, edgeKey: "c" }),
  ] as const;
  await watch(t, ring[0].rtmpUrl("s"));
  for (const rig of [self, ring[1]]) {
    await eventually(() => told(rig, "pull.lost").length > 0, { what: "a line" });
    assert.deepEqual(
      told(rig).flatMap(({ level, code }) => (level === "warn" ? [code] : [])),
      ["RELAY_LOOP"],
    );
  }
});

test("a publisher at an edge that leads back to itself is refused with the reason", async (t) => {
  const address = `127.0.0.1:${await freePort()}`;
  const one = await startServer(t, pulling(address), { address, edgeKey: "one" });
  await assert.rejects(publisher(one.rtmpUrl("s")), /it leads back here/);
  await eventually(() => told(one, "rtmp.closed").length > 0, { what: "its line" });
  assert.deepEqual(
    told(one, "rtmp.closed").map(({ code }) => code),
    ["RELAY_REFUSED"],
  );
});
