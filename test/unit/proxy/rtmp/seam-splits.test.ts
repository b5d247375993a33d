import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { answerBytes } from "../../../../src/codec/rtmp/handshake.js";
import { RtmpFront } from "../../../../src/proxy/rtmp/front.js";
import { Seam } from "../../../../src/proxy/rtmp/seam.js";
import { encodeAmf } from "../../../helpers/amf0.js";
import { step } from "../../../helpers/media.js";
import { command, login, message } from "../../../helpers/raw-peer.js";
import { FakeSession, type FakeHabits } from "./fake-server.js";

const film = [...step("avc", "aac", 0), ...step("avc", "aac", 1), ...step("avc", "aac", 2)];
const lateFilm = film.map((media) => ({ ...media, timestamp: media.timestamp + 0xffffff - 30 }));

const worlds: readonly FakeHabits[] = (["srs", "nginx"] as const).flatMap((manner) =>
  (["repeated", "once"] as const).flatMap((extended) =>
    [128, 4096, 60_000].map((chunkSize) => ({ manner, extended, chunkSize, media: extended === "once" ? lateFilm : film })),
  ),
);

const dialogue = Buffer.concat([
  login(),
  command("createStream", 2, null),
  command("getStreamLength", 3, null, "s"),
  message(20, encodeAmf("play", 4, null, "s"), { streamId: 1, csid: 8 }),
]);

for (const habits of worlds) {
  const { manner, extended, chunkSize } = habits;
  test(`seam: however the bytes of a whole connection are cut, nothing changes: ${manner}, ${chunkSize}, extended ${extended}`, () => {
    const told: Buffer[] = [];
    const front = new RtmpFront({ localAddress: "127.0.0.1", givesStreams: true }, (bytes) => void told.push(bytes));
    front.take(dialogue);
    const server: Buffer[] = [];
    new FakeSession(habits, (bytes) => void server.push(bytes)).push(dialogue); // a server takes any C2
    const fromProxy = Buffer.concat(told).subarray(answerBytes);
    const fromServer = Buffer.concat(server).subarray(answerBytes);
    let expected: unknown[] | null = null;
    for (let size = 1; size <= fromServer.length; size += size < 200 ? 1 : 97) {
      const seam = new Seam(front.seen);
      const got: unknown[] = [];
      const reader = new ChunkReader(({ type, timestamp, payload }, { csid }) => {
        if (type === 8 || type === 9) got.push([csid, timestamp, payload.toString("latin1")]);
      });
      reader.push(fromProxy);
      for (let at = 0; at < fromServer.length; at += size) reader.push(seam.push(fromServer.subarray(at, at + size)));
      assert.equal(got.length, film.length, `pieces of ${size}`);
      expected ??= got;
      assert.deepEqual(got, expected, `pieces of ${size}`);
      assert.equal(seam.isRaw, true, `pieces of ${size}`);
    }
  });
}
