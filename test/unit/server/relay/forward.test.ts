// What a server elsewhere is sent of a stream that is forwarded to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { headers, step } from "../../../helpers/media.js";
import { publisher } from "../../../helpers/rtmp-client.js";
import { eventually } from "../../../helpers/wait.js";
import { FakeServer } from "../../proxy/rtmp/fake-server.js";
import { startServer } from "../rig.js";

test("forward: one that begins late is sent metadata without a time, then the headers with that of the first picture", async (t) => {
  const far = await FakeServer.start(t, {});
  const got = (): readonly Message[] => far.sessions.flatMap(({ media }) => media);
  const rig = await startServer(t, "vhost __defaultVhost__ { }");
  const source = await publisher(rig.rtmpUrl("s"));
  t.after(() => source.close());
  source.metadata({ width: 320 });
  const frames = Array.from({ length: 30 }, (_, i) => step("avc", "aac", i)).flat();
  const all = [...headers("avc", "aac"), ...frames];
  for (const media of all) source.send(media);
  const bytes = all.reduce((sum, { payload }) => sum + payload.length, 0);
  await eventually(() => (rig.stream("s")?.bytesIn ?? 0) > bytes, { what: "the whole stream, and its metadata" });
  rig.reconfigure(`vhost __defaultVhost__ { forward { enabled on; destination 127.0.0.1:${far.port}; } }`);
  await eventually(() => got().length >= 10, { what: "the forward" });
  source.metadata({ width: 640 });
  await eventually(() => got().at(-1)?.type === messageType.data, { what: "other metadata" });
  assert.deepEqual(
    got()
      .slice(0, 4)
      .map(({ type, timestamp }) => [type, timestamp]),
    [
      [18, 0],
      [8, 1000],
      [9, 1000],
      [9, 1000],
    ],
  );
  assert.equal(got().at(-1)?.timestamp, 0);
});
