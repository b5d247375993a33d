import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ChunkReader, maxSavedPayloadBytes } from "../../../../src/codec/rtmp/chunk-reader.js";
import { writeMessages } from "../../../../src/codec/rtmp/chunk-writer.js";
import { makeCommand } from "../../../../src/codec/rtmp/command.js";
import { Engine, type EngineHandler, type SavedEngine } from "../../../../src/codec/rtmp/engine.js";
import { answerBytes, handshakeBytes } from "../../../../src/codec/rtmp/handshake.js";
import { controlEvent, controlMessage, messageType, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import { ChunkWriter, type ChunkHabits, type RtmpMessage } from "../../../helpers/rtmp-chunks.js";
import { chunk, pattern, read, readMoved, setChunkSize, whole } from "./chunks.js";

const { audio, video, command } = messageType;

/** What one connection sends, cut anywhere: media and data on several chunk streams, with the habits of one encoder. */
const conversations = fc.record({
  chunkSize: fc.integer({ min: 128, max: 2000 }),
  format: fc.constantFrom<ChunkHabits["format"]>(0, 1, 2, 3),
  extended: fc.constantFrom<ChunkHabits["extended"]>("repeated", "once"),
  messages: fc.array(
    fc.record({
      csid: fc.constantFrom(3, 6, 64, 400),
      type: fc.constantFrom(audio, video, messageType.data),
      step: fc.constantFrom(0, 20, 40, 0xffffff, 0x1000000),
      sizeBytes: fc.integer({ min: 0, max: 5000 }),
    }),
    { maxLength: 12 },
  ),
  cuts: fc.array(fc.nat(), { minLength: 1, maxLength: 8 }),
});

test("saved: whatever an encoder writes, readers that take turns read what one reader reads", () => {
  fc.assert(
    fc.property(conversations, ({ chunkSize, format, extended, messages, cuts }) => {
      const writer = new ChunkWriter({ chunkSize, format, extended } as ChunkHabits);
      let timestamp = 0;
      const written = messages.map(({ csid, type, step, sizeBytes }, i): RtmpMessage => {
        timestamp += step;
        return { csid, type, timestamp, streamId: 1, payload: pattern(sizeBytes, i) };
      });
      // the last one lets a reader that awaits an extended timestamp find out that there is none
      const last = whole(7, audio, 0, pattern(4));
      const bytes = Buffer.concat([setChunkSize(chunkSize), ...written.map((message) => writer.write(message)), last]);
      const places = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
      const pieces = [...places, bytes.length].map((end, i) => bytes.subarray(places[i - 1] ?? 0, end));
      const expected = read(bytes);
      assert.equal(expected.length, messages.length + 1);
      assert.deepEqual(readMoved(...pieces), expected);
    }),
    { numRuns: 500 },
  );
});

test("saved: a reader with much of a message under way is not saved until that message is complete", () => {
  const messages: Message[] = [];
  const reader = new ChunkReader((message) => void messages.push(message));
  reader.push(setChunkSize(1_000_000));
  const payload = pattern(100_000);
  const bytes = chunk({ csid: 6, fmt: 0, type: video, length: payload.length, payload });
  reader.push(bytes.subarray(0, 12 + maxSavedPayloadBytes));
  assert.ok(reader.save(), "just as much as may be");
  reader.push(bytes.subarray(12 + maxSavedPayloadBytes, 12 + maxSavedPayloadBytes + 1));
  assert.equal(reader.save(), null);
  reader.push(bytes.subarray(12 + maxSavedPayloadBytes + 1));
  assert.ok(reader.save());
  assert.deepEqual(messages[0]?.payload, payload);
});

/** What an engine said and got, whoever it was at the time. */
class Recorded implements EngineHandler {
  readonly sent: Buffer[] = [];
  readonly messages: Message[] = [];
  onSend(bytes: Buffer): void {
    this.sent.push(bytes);
  }
  onOpen(): void {}
  onMessage(message: Message): void {
    this.messages.push(message);
  }
}

/** What a publisher says behind the handshake; a ping is answered, and the window of 2500 bytes asks for acknowledgements. */
function conversation(): Buffer {
  return Buffer.concat([
    writeMessages([makeCommand(0, "connect", 1, { app: "live" }), controlMessage(messageType.setChunkSize, 500)], 128),
    writeMessages(
      [
        controlMessage(messageType.windowAckSize, 2500),
        userControl(controlEvent.pingRequest, 7),
        { type: video, streamId: 1, timestamp: 0x1000000, payload: pattern(1500) },
        { type: audio, streamId: 1, timestamp: 0x1000001, payload: pattern(900) },
      ],
      500,
    ),
  ]);
}

test("saved: an engine that goes on elsewhere behind any byte understands and answers the same", () => {
  const bytes = conversation();
  const hello = Buffer.concat([Buffer.of(3), pattern(2 * handshakeBytes)]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)] as const;
    const stays = new Recorded();
    const staying = new Engine("server", stays);
    const moves = new Recorded();
    const leaving = new Engine("server", moves);
    for (const engine of [staying, leaving]) {
      engine.receive(hello);
      engine.write([controlMessage(messageType.setChunkSize, 1000)]);
      engine.receive(pieces[0]);
    }
    const coming = Engine.resume(JSON.parse(JSON.stringify(leaving.save())) as SavedEngine, moves);
    const question = makeCommand(1, "onStatus", 0, "x".repeat(2000));
    for (const engine of [staying, coming]) {
      engine.receive(pieces[1]);
      engine.write([question]);
    }
    assert.deepEqual(moves.messages, stays.messages, `cut at ${cut}`);
    assert.deepEqual(
      moves.messages.map(({ type }) => type),
      [command, video, audio],
    );
    const answers = ({ sent }: Recorded): Buffer => Buffer.concat(sent).subarray(answerBytes);
    assert.deepEqual(answers(moves), answers(stays), `cut at ${cut}`);
    assert.equal(coming.bytesIn, hello.length + bytes.length);
  }
});

test("saved: an engine is not saved during the handshake", () => {
  const engine = new Engine("server", new Recorded());
  assert.equal(engine.save(), null);
  engine.receive(Buffer.concat([Buffer.of(3), pattern(2 * handshakeBytes - 1)]));
  assert.equal(engine.save(), null);
  engine.receive(Buffer.of(0));
  assert.ok(engine.save());
});
