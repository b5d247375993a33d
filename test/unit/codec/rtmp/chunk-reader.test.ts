import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { abort, bytewise, chunk, pattern, read, readMoved, setChunkSize, whole } from "./chunks.js";
import { hex } from "../hex.js";

const { audio, video, data } = messageType;
const ten = pattern(10);
const long = pattern(300);

interface Row {
  readonly name: string;
  readonly bytes: Buffer;
  readonly value: readonly Message[];
}

function message(type: number, timestamp: number, payload: Buffer, streamId = 1): Message {
  return { type, timestamp, payload, streamId };
}

/** A message of 300 bytes and an extended timestamp in three chunks, as encoders of either habit write it. */
function extendedMessage(csid: number, extended: number, isRepeated: boolean): Buffer {
  const again = isRepeated ? { extended } : {};
  return Buffer.concat([
    chunk({ csid, fmt: 0, time: 0xffffff, extended, length: 300, type: video, payload: long.subarray(0, 128) }),
    chunk({ csid, fmt: 3, ...again, payload: long.subarray(128, 256) }),
    chunk({ csid, fmt: 3, ...again, payload: long.subarray(256) }),
  ]);
}

const rows: Row[] = [
  {
    name: "fmt 0 has everything",
    bytes: hex("04 00 03 e8 00 00 02 08 01 00 00 00 af 01"),
    value: [message(audio, 1000, hex("af 01"))],
  },
  {
    name: "the message stream id is little-endian",
    bytes: chunk({ csid: 3, fmt: 0, type: data, streamId: 0x01020304, length: 1, payload: hex("05") }),
    value: [message(data, 0, hex("05"), 0x01020304)],
  },
  {
    name: "fmt 1 keeps the stream id and adds its time",
    bytes: Buffer.concat([whole(4, audio, 1000, ten), chunk({ csid: 4, fmt: 1, time: 20, length: 2, type: video, payload: hex("01 02") })]),
    value: [message(audio, 1000, ten), message(video, 1020, hex("01 02"))],
  },
  {
    name: "fmt 2 keeps length and type too",
    bytes: Buffer.concat([whole(4, audio, 1000, ten), chunk({ csid: 4, fmt: 2, time: 23, payload: ten })]),
    value: [message(audio, 1000, ten), message(audio, 1023, ten)],
  },
  {
    name: "fmt 3 repeats the last difference for a new message",
    bytes: Buffer.concat([
      whole(4, audio, 1000, ten),
      chunk({ csid: 4, fmt: 2, time: 23, payload: ten }),
      chunk({ csid: 4, fmt: 3, payload: ten }),
    ]),
    value: [message(audio, 1000, ten), message(audio, 1023, ten), message(audio, 1046, ten)],
  },
  {
    name: "fmt 3 after fmt 0 takes its time for the difference (section 5.3.1.2.4)",
    bytes: Buffer.concat([whole(4, audio, 1000, ten), chunk({ csid: 4, fmt: 3, payload: ten })]),
    value: [message(audio, 1000, ten), message(audio, 2000, ten)],
  },
  {
    name: "fmt 3 goes on with a message that is longer than the chunk size",
    bytes: Buffer.concat([
      chunk({ csid: 6, fmt: 0, time: 7, type: video, length: 300, payload: long.subarray(0, 128) }),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(128, 256) }),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(256) }),
    ]),
    value: [message(video, 7, long)],
  },
  {
    name: "messages of two chunk streams come interleaved",
    bytes: Buffer.concat([
      chunk({ csid: 6, fmt: 0, time: 7, type: video, length: 300, payload: long.subarray(0, 128) }),
      whole(4, audio, 9, ten),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(128, 256) }),
      chunk({ csid: 4, fmt: 2, time: 1, payload: ten }),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(256) }),
    ]),
    value: [message(audio, 9, ten), message(audio, 10, ten), message(video, 7, long)],
  },
  ...[2, 3, 63, 64, 65, 319, 320, 577, 65_599].map((csid): Row => ({
    name: `chunk stream ${csid} is one of its own`,
    bytes: Buffer.concat([
      whole(csid, audio, 5, ten),
      whole(csid === 3 ? 4 : 3, audio, 50, ten),
      chunk({ csid, fmt: 2, time: 1, payload: ten }),
    ]),
    value: [message(audio, 5, ten), message(audio, 50, ten), message(audio, 6, ten)],
  })),
  {
    name: "chunk stream 64 is the same in the form of 3 bytes",
    bytes: Buffer.concat([whole(64, audio, 5, ten), hex("81 00 00 00 00 01"), ten]),
    value: [message(audio, 5, ten), message(audio, 6, ten)],
  },
  {
    name: "an extended timestamp that every chunk repeats",
    bytes: Buffer.concat([extendedMessage(6, 0x01020304, true), whole(4, audio, 1, ten)]),
    value: [message(video, 0x01020304, long), message(audio, 1, ten)],
  },
  {
    name: "an extended timestamp that the further chunks leave out",
    bytes: Buffer.concat([extendedMessage(6, 0x01020304, false), whole(4, audio, 1, ten)]),
    value: [message(video, 0x01020304, long), message(audio, 1, ten)],
  },
  {
    name: "an extended timestamp of just 0xffffff",
    bytes: extendedMessage(6, 0xffffff, true),
    value: [message(video, 0xffffff, long)],
  },
  {
    name: "an extended timestamp of less than it needs to be one",
    bytes: extendedMessage(6, 16, true),
    value: [message(video, 16, long)],
  },
  {
    name: "an extended difference",
    bytes: Buffer.concat([whole(4, audio, 1000, ten), chunk({ csid: 4, fmt: 2, time: 0xffffff, extended: 0x02000000, payload: ten })]),
    value: [message(audio, 1000, ten), message(audio, 0x02000000 + 1000, ten)],
  },
  {
    name: "fmt 3 repeats an extended difference for a new message",
    bytes: Buffer.concat([
      whole(4, audio, 1000, ten),
      chunk({ csid: 4, fmt: 2, time: 0xffffff, extended: 0x02000000, payload: ten }),
      chunk({ csid: 4, fmt: 3, extended: 0x02000000, payload: ten }),
    ]),
    value: [message(audio, 1000, ten), message(audio, 0x02000000 + 1000, ten), message(audio, 0x04000000 + 1000, ten)],
  },
  {
    name: "a header without an extended timestamp ends it",
    bytes: Buffer.concat([
      chunk({ csid: 4, fmt: 0, time: 0xffffff, extended: 0x01000000, length: 10, payload: ten }),
      chunk({ csid: 4, fmt: 2, time: 5, payload: ten }),
      chunk({ csid: 4, fmt: 3, payload: ten }),
    ]),
    value: [message(audio, 0x01000000, ten), message(audio, 0x01000005, ten), message(audio, 0x0100000a, ten)],
  },
  {
    name: "a time of 2³²−1 and a difference that wraps it",
    bytes: Buffer.concat([
      chunk({ csid: 4, fmt: 0, time: 0xffffff, extended: 0xffffffff, length: 10, payload: ten }),
      chunk({ csid: 4, fmt: 2, time: 21, payload: ten }),
    ]),
    value: [message(audio, 0xffffffff, ten), message(audio, 20, ten)],
  },
  {
    name: "a message without a payload",
    bytes: Buffer.concat([whole(4, audio, 8, Buffer.alloc(0)), chunk({ csid: 4, fmt: 3 }), whole(6, video, 9, ten)]),
    value: [message(audio, 8, Buffer.alloc(0)), message(audio, 16, Buffer.alloc(0)), message(video, 9, ten)],
  },
  {
    name: "a payload that fills its chunks to the last byte",
    bytes: Buffer.concat([
      chunk({ csid: 4, fmt: 0, length: 256, payload: long.subarray(0, 128) }),
      chunk({ csid: 4, fmt: 3, payload: long.subarray(128, 256) }),
      chunk({ csid: 4, fmt: 1, time: 1, length: 10, payload: ten }),
    ]),
    value: [message(audio, 0, long.subarray(0, 256)), message(audio, 1, ten)],
  },
  {
    name: "a chunk size holds from the next message on",
    bytes: Buffer.concat([setChunkSize(4096), whole(6, video, 3, long)]),
    value: [message(video, 3, long)],
  },
  {
    name: "a chunk size that grows inside a message holds from its next chunk on",
    bytes: Buffer.concat([
      chunk({ csid: 6, fmt: 0, type: video, length: 300, payload: long.subarray(0, 128) }),
      setChunkSize(4096),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(128) }),
    ]),
    value: [message(video, 0, long)],
  },
  {
    name: "a chunk size that shrinks inside a message holds from its next chunk on",
    bytes: Buffer.concat([
      setChunkSize(150),
      chunk({ csid: 6, fmt: 0, type: video, length: 300, payload: long.subarray(0, 150) }),
      setChunkSize(128),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(150, 278) }),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(278) }),
    ]),
    value: [message(video, 0, long)],
  },
  ...[0xffffff, 0x1000000, 0x7fffffff].map((size): Row => ({
    name: `a chunk size of ${size} takes memory only for what comes`,
    bytes: Buffer.concat([setChunkSize(size), whole(6, video, 3, long)]),
    value: [message(video, 3, long)],
  })),
  {
    name: "an abort drops the message that was under way, and the next header begins another",
    bytes: Buffer.concat([
      chunk({ csid: 6, fmt: 0, type: video, length: 300, payload: long.subarray(0, 128) }),
      abort(6),
      chunk({ csid: 6, fmt: 1, time: 40, type: video, length: 10, payload: ten }),
    ]),
    value: [message(video, 40, ten)],
  },
  {
    name: "an abort of an unknown chunk stream, or between messages, does nothing",
    bytes: Buffer.concat([abort(77), whole(4, audio, 1, ten), abort(4), chunk({ csid: 4, fmt: 2, time: 1, payload: ten })]),
    value: [message(audio, 1, ten), message(audio, 2, ten)],
  },
  {
    name: "the control stream may open with fmt 1, as librtmp does",
    bytes: chunk({ csid: 2, fmt: 1, length: 6, type: messageType.userControl, payload: hex("00 03 00 00 00 01") }),
    value: [message(messageType.userControl, 0, hex("00 03 00 00 00 01"), 0)],
  },
];

for (const { name, bytes, value } of rows) {
  test(`chunk reader: ${name}`, () => assert.deepEqual(read(bytes), value));
  test(`chunk reader: ${name}, byte by byte`, () => assert.deepEqual(read(...bytewise(bytes)), value));
  test(`chunk reader: ${name}, and another reader goes on behind any byte`, () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.deepEqual(readMoved(bytes.subarray(0, cut), bytes.subarray(cut)), value, `cut at ${cut}`);
    }
    assert.deepEqual(readMoved(...bytewise(bytes)), value, "behind every byte");
  });
}

test("chunk reader: where reads cut the bytes makes no difference", () => {
  const bytes = Buffer.concat([
    ...rows.slice(0, 3).map((row) => row.bytes),
    extendedMessage(7, 0x01020304, false),
    extendedMessage(65_599, 0x7fffffff, true),
    whole(577, data, 5, ten),
  ]);
  const expected = read(bytes);
  assert.equal(expected.length, 7);
  for (let first = 0; first <= bytes.length; first++) {
    assert.deepEqual(read(bytes.subarray(0, first), bytes.subarray(first)), expected, `cut at ${first}`);
    assert.deepEqual(readMoved(bytes.subarray(0, first), bytes.subarray(first)), expected, `moved at ${first}`);
  }
  for (let size = 1; size < 200; size++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    assert.deepEqual(read(...pieces), expected, `pieces of ${size}`);
  }
});

test("chunk reader: short headers may follow at once where an extended timestamp is awaited in vain", () => {
  const bytes = Buffer.concat([
    chunk({ csid: 6, fmt: 0, time: 0xffffff, extended: 0x01020304, length: 129, type: video, payload: long.subarray(0, 128) }),
    chunk({ csid: 6, fmt: 3, payload: long.subarray(128, 129) }),
    whole(4, audio, 1, ten),
    whole(3, data, 2, hex("05")),
  ]);
  assert.deepEqual(read(...bytewise(bytes)), [
    message(video, 0x01020304, long.subarray(0, 129)),
    message(audio, 1, ten),
    message(data, 2, hex("05")),
  ]);
});

test("chunk reader: a payload belongs to whoever gets it", () => {
  const bytes = whole(4, audio, 1, ten);
  const [first] = read(bytes);
  bytes.fill(0);
  assert.deepEqual(first?.payload, ten);
});

test("chunk reader: what its handler throws comes out of push", () => {
  const reader = new ChunkReader(() => {
    throw new DolphinError("RTMP_STATE", "not now");
  });
  assert.throws(() => reader.push(whole(4, audio, 1, ten)), { code: "RTMP_STATE" });
});
