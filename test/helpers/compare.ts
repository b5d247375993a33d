// Whether players got what a publisher sent: byte for byte, in order, and with the distances in time.
import assert from "node:assert/strict";
import type { ProbedPacket } from "./ffmpeg.js";
import type { Media } from "./rtmp-client.js";

/** Fails unless `got` is exactly `sent`, times shifted by one constant. */
export function assertSameMedia(got: readonly Media[], sent: readonly Media[], who: string): void {
  assert.equal(got.length, sent.length, `${who}: number of messages`);
  const shift = (got[0]?.timestamp ?? 0) - (sent[0]?.timestamp ?? 0);
  for (const [at, message] of got.entries()) {
    const original = sent[at];
    assert.ok(original !== undefined);
    const where = `${who}: message ${at} of ${sent.length}`;
    assert.equal(message.type, original.type, `${where}: type`);
    assert.ok(
      message.payload.equals(original.payload),
      `${where}: ${message.payload.toString("hex", 0, 24)} instead of ${original.payload.toString("hex", 0, 24)}`,
    );
    assert.equal(message.timestamp - original.timestamp, shift, `${where}: its time moved against the first one's`);
  }
}

/** Fails unless every stream's decoding times rise, and none of its steps is longer than `maxStepMs`. */
export function assertSteady(packets: readonly ProbedPacket[], codecType: string, maxStepMs: number): void {
  const times = packets.filter((packet) => packet.codecType === codecType).map(({ dtsMs }) => dtsMs);
  assert.ok(times.length > 1, `there is hardly any ${codecType}`);
  for (const [at, time] of times.entries()) {
    const before = times[at - 1];
    if (before === undefined) continue;
    assert.ok(time > before, `${codecType} packet ${at}: ${time} ms after ${before} ms`);
    assert.ok(time - before <= maxStepMs, `${codecType} packet ${at}: a step of ${time - before} ms`);
  }
}

/** Fails when the timestamps of audio or of video run backwards. */
export function assertForward(media: readonly Media[]): void {
  for (const kind of [8, 9]) {
    const times = media.filter(({ type }) => type === kind).map(({ timestamp }) => timestamp);
    for (const [at, time] of times.entries()) assert.ok(time >= (times[at - 1] ?? 0), `type ${kind}: ${time} ms after ${times[at - 1]} ms`);
  }
}
