// Edges of a box and its origin, which is replaced on its address while they serve.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { headers, pictures, videoFrame } from "../../helpers/media.js";
import { publisher } from "../../helpers/rtmp-client.js";
import { eventually, within } from "../../helpers/wait.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

const prompt = "vhost __defaultVhost__ { min_latency on; }";
const edgeKey = "0123456789abcdef0123456789abcdef";

/** An origin, and an edge of its box. */
async function boxOf(t: TestContext): Promise<{ readonly edge: Rig; readonly origin: Rig }> {
  const origin = await startServer(t, prompt, { edgeKey });
  const edge = await startServer(t, `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${origin.address}; } }`, {
    edgeKey,
    isEdge: true,
  });
  return { edge, origin };
}

/** The origin ends, and another takes its address. */
async function replaced(t: TestContext, { server, address }: Rig): Promise<Rig> {
  await server.close("it is replaced");
  return startServer(t, prompt, { edgeKey, address });
}

const count = ({ lines }: Rig, event: string): number => lines.filter((line) => line.event === event).length;

test("own origin: a publisher and a viewer stay when it is replaced, and the viewer sees every picture once", async (t) => {
  const { edge, origin } = await boxOf(t);
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  const viewer = await watch(t, edge.rtmpUrl("s"));
  encoder.send(20);
  await viewer.waitUntil("20 pictures", (messages) => pictures(messages).length >= 20);
  const heir = await replaced(t, origin);
  encoder.send(20);
  await viewer.waitUntil("40 pictures", (messages) => pictures(messages).length >= 40);
  assert.deepEqual(
    pictures(viewer.messages),
    Array.from({ length: 40 }, (_, i) => i),
  );
  assert.deepEqual([count(edge, "push.resumed"), count(edge, "pull.resumed"), count(heir, "publish.started")], [1, 1, 1]);
});

test("own origin: a publisher who comes while it is away is told to start when it is back", async (t) => {
  const { edge, origin } = await boxOf(t);
  await origin.server.close("it is replaced");
  const started = publisher(edge.rtmpUrl("s"));
  await eventually(() => count(edge, "push.lost") > 0, { what: "the edge to have asked" });
  await startServer(t, prompt, { edgeKey, address: origin.address });
  (await within(started, 5000, "the publisher to be told")).close();
});

test("own origin: another publisher's stream is one of another clock, and goes on behind the first for those who watch", async (t) => {
  const { edge, origin } = await boxOf(t);
  const viewer = await watch(t, edge.rtmpUrl("s"));
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  encoder.send(20);
  await viewer.waitUntil("20 pictures", (messages) => pictures(messages).length >= 20);
  const heir = replaced(t, origin);
  encoder.source.close();
  await heir;
  (await Encoder.open(t, edge.rtmpUrl("s"))).send(20);
  await viewer.waitUntil("20 more", (messages) => pictures(messages).length >= 40);
  const times = viewer.media.map(({ timestamp }) => timestamp);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.equal(count(edge, "pull.resumed"), 0);
});

test("own origin: a publisher whose name another has taken meanwhile is told so", async (t) => {
  const { edge, origin } = await boxOf(t);
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  encoder.send(1);
  await eventually(() => origin.stream("s")?.bytesIn !== 0, { what: "its first picture" });
  const heir = await replaced(t, origin);
  (await Encoder.open(t, heir.rtmpUrl("s"))).send(1); // sooner than the edge asks again
  await encoder.source.connection.waitForStatus("NetStream.Publish.BadName");
});

test("own origin: a publisher of whom it is lost at once, three times in a row, is told so", async (t) => {
  const { edge, origin } = await boxOf(t);
  const source = await publisher(edge.rtmpUrl("s"));
  t.after(() => source.close());
  for (const one of [...headers("avc", "none"), videoFrame("avc", 0, 0)]) source.send(one);
  let last = origin;
  for (let losses = 1; losses <= 3; losses++) {
    await eventually(() => count(last, "publish.started") === 1, { what: "the publisher at the origin" });
    if (losses < 3) last = await replaced(t, last);
    else await last.server.close("it is replaced");
  }
  await within(source.connection.ended, 5000, "the publisher to be told");
});
