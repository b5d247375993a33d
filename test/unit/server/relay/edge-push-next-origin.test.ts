// A publisher at an edge whose foreign origin is lost: the stream goes on at the next one, in the same session.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { keyFrameWaitMs, Reprise } from "../../../../src/server/relay/reprise.js";
import { headers, pictures, step, videoFrame } from "../../../helpers/media.js";
import { publisher, type Media, type RtmpPlayer } from "../../../helpers/rtmp-client.js";
import { eventually, within } from "../../../helpers/wait.js";
import { FakeServer } from "../../proxy/rtmp/fake-server.js";
import { Encoder, startServer, watch, type Rig } from "../rig.js";

const prompt = "vhost __defaultVhost__ { min_latency on; }";

function edgeOf(t: TestContext, ...origins: readonly string[]): Promise<Rig> {
  return startServer(t, `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${origins.join(" ")}; } }`);
}

const told = ({ lines }: Rig, event: string): string[] =>
  lines.filter((line) => line.event === event).map((line) => `${String(line["upstream"])} ${String(line["next"] ?? "")}`.trim());

async function untilPublished(origin: Rig): Promise<void> {
  await eventually(() => origin.stream("s")?.state === "publish", { what: "the publisher", everyMs: 5 });
}

const isPicture = ({ type, payload }: Media): boolean => type === 9 && payload[1] === 1;

/** What a viewer has of pictures begins with a header and a key frame, and none is missing behind that. */
function assertWhole({ messages }: RtmpPlayer): void {
  const video = messages.filter(({ type }) => type === 9);
  assert.deepEqual([video[0]?.payload[1], video[1]?.payload[0]], [0, 0x17], "a header, and a key frame behind it");
  const numbers = pictures(messages);
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => numbers[0]! + i),
  );
}

test("next origin: a publisher stays when its origin is lost, and is seen at the next one from a key frame on", async (t) => {
  const [first, second] = [await startServer(t, prompt), await startServer(t, prompt)];
  const edge = await edgeOf(t, first.address, second.address);
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  const viewer = await watch(t, second.rtmpUrl("s"));
  encoder.send(10);
  await eventually(() => (first.stream("s")?.bytesIn ?? 0) > 7000, { what: "the pictures at the first origin", everyMs: 5 });
  await first.server.close("it is lost");
  await untilPublished(second);
  encoder.send(30);
  await viewer.waitUntil("the pictures behind the next key frame", (messages) => pictures(messages).at(-1) === 39);
  assertWhole(viewer);
  assert.equal(pictures(viewer.messages)[0], 25);
  assert.equal(encoder.source.connection.endedBy, null);
  assert.deepEqual(told(edge, "push.lost"), [`${first.address} ${second.address}`]);
  assert.deepEqual(told(edge, "push.resumed"), [second.address]);
});

test("next origin: what is sent behind the loss is not lost, and a stream of sound alone waits for no key frame", async (t) => {
  const [first, second] = [await startServer(t, prompt), await startServer(t, prompt)];
  const edge = await edgeOf(t, first.address, second.address);
  const source = await publisher(edge.rtmpUrl("s"));
  t.after(() => source.close());
  const viewer = await watch(t, second.rtmpUrl("s"));
  source.metadata({ audiocodecid: 10 });
  for (const media of [...headers("none", "aac"), ...step("none", "aac", 0)]) source.send(media);
  await eventually(() => (first.stream("s")?.bytesIn ?? 0) > 180, { what: "the sound at the first origin", everyMs: 5 });
  await first.server.close("it is lost");
  await eventually(() => told(edge, "push.lost").length > 0, { what: "the loss", everyMs: 1 });
  for (const media of step("none", "aac", 1)) source.send(media);
  await viewer.waitForMedia(3);
  assert.deepEqual(
    viewer.media.map(({ payload }) => payload[1] === 0),
    [true, false, false],
    "the header, and all that came",
  );
  assert.ok(viewer.messages.some(({ payload }) => payload.includes("onMetaData")));
});

test("next origin: one that refuses is passed over, and when none is left the publisher is told", async (t) => {
  const first = await startServer(t, prompt);
  const refuses = await startServer(t, "vhost a.test { }");
  const third = await startServer(t, prompt);
  const edge = await edgeOf(t, first.address, refuses.address, third.address);
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  encoder.send(1);
  await eventually(() => (first.stream("s")?.bytesIn ?? 0) > 700, { what: "the picture", everyMs: 5 });
  await first.server.close("it is lost");
  await untilPublished(third);
  encoder.send(30);
  await eventually(() => (third.stream("s")?.bytesIn ?? 0) > 700, { what: "the pictures", everyMs: 5 });
  assert.equal(encoder.source.connection.endedBy, null);
  await third.server.close("it is lost");
  await within(encoder.source.connection.ended, 5000, "the end");
  const last = encoder.source.connection.commands.at(-1);
  assert.match(JSON.stringify(last?.values[1]), /NetStream\.Publish\.Denied/);
});

test("next origin: a publisher whom its origin sends away is sent away", async (t) => {
  const [first, second] = [await startServer(t, `${prompt} vhost a.test { }`), await startServer(t, prompt)];
  const edge = await startServer(
    t,
    `vhost __defaultVhost__ { cluster { mode remote; origin ${first.address} ${second.address}; vhost a.test; } }`,
  );
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  encoder.send(1);
  await eventually(() => (first.stream("s")?.bytesIn ?? 0) > 700, { what: "the picture", everyMs: 5 });
  first.reconfigure(prompt);
  await within(encoder.source.connection.ended, 5000, "the end");
  assert.deepEqual([told(edge, "push.lost"), second.server.streams()], [[], []]);
});

test("next origin: a publisher at whose media one origin after the other dies is ended", async (t) => {
  const deadly = async (): Promise<FakeServer> => {
    const fake = await FakeServer.start(t);
    const timer = setInterval(() => {
      for (const [at, { media }] of fake.sessions.entries()) if (media.length > 0) [...fake.sockets][at]?.resetAndDestroy();
    }, 5);
    t.after(() => clearInterval(timer));
    return fake;
  };
  const [first, second] = [await deadly(), await deadly()];
  const edge = await edgeOf(t, `127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`);
  const source = await publisher(edge.rtmpUrl("s"));
  t.after(() => source.close());
  t.after(source.sendEvery((i) => (i === 0 ? headers("avc", "none") : [videoFrame("avc", i - 1, i * 20)]), 20));
  await within(source.connection.ended, 8000, "the end");
  assert.deepEqual([first.sessions.length, second.sessions.length], [2, 1]);
});

test("next origin: pictures without a key frame are passed on after a while all the same", (t) => {
  t.mock.timers.enable({ apis: ["Date"] });
  const reprise = new Reprise();
  const inter = (index: number): Media & { streamId: number } => ({ ...videoFrame("avc", index, index * 40), streamId: 1 });
  const written: number[] = [];
  const sink = { backlogBytes: 0, write: (sent: readonly Media[]) => void written.push(...pictures(sent.filter(isPicture))) };
  reprise.begin(sink);
  reprise.write([inter(1)]);
  reprise.begin(sink);
  reprise.write([inter(2)]);
  t.mock.timers.tick(keyFrameWaitMs);
  reprise.write([inter(3)]);
  assert.deepEqual(written, [1, 3]);
});
