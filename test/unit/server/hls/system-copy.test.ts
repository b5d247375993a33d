// What the system sends by itself, over real connections.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSystemCopies } from "../../../../src/server/hls/system-copy.js";
import { eventually } from "../../../helpers/wait.js";
import { pair, read } from "../../socket-pair.js";

const copyToSystem = await loadSystemCopies();
const options = { skip: copyToSystem === null && "this system gives no copies" };

const head = Buffer.from("head\r\n\r\n");
/** In which every place can be told. */
const numbered = (sizeBytes: number, first: number): Buffer =>
  Buffer.from(Uint32Array.from({ length: sizeBytes / 4 }, (_, index) => first + index).buffer);

test("system copy: a head and any part of it arrive as they were, whatever the pages", options, async (t) => {
  const bytes = numbered(3_000_000, 0);
  const copy = copyToSystem!(bytes)!;
  t.after(() => copy.close());
  for (const [at, count] of [
    [0, 4096],
    [1, 65_000],
    [4095, 2],
    [123_457, 1_876_543],
    [0, 3_000_000],
  ] as const) {
    const { fd, sender, reader } = await pair(t);
    const taken = copy.send(fd, head, at, count);
    assert.ok(taken > head.length, `${taken} of ${count}`);
    sender.write(bytes.subarray(at + taken - head.length, at + count));
    const got = await read(reader, head.length + count);
    assert.ok(got.equals(Buffer.concat([head, bytes.subarray(at, at + count)])), `${count} from ${at}`);
  }
});

test("system copy: what a socket has taken stays as it was when the copy has gone and its memory is another's", options, async (t) => {
  const bytes = numbered(1_000_000, 0);
  const copy = copyToSystem!(bytes)!;
  const { fd, reader } = await pair(t);
  const taken = copy.send(fd, head, 0, bytes.length);
  assert.ok(taken > head.length);
  copy.close();
  assert.equal(copy.send(fd, head, 0, bytes.length), 0, "gone");
  const others = Array.from({ length: 30 }, (_, index) => copyToSystem!(numbered(1_000_000, 1_000_000 * (index + 1)))!);
  t.after(() => others.forEach((other) => other.close()));
  const got = await read(reader, taken);
  assert.ok(got.equals(Buffer.concat([head, bytes]).subarray(0, taken)));
});

test("system copy: what one socket has no room for goes to no other", options, async (t) => {
  const bytes = numbered(8_000_000, 0);
  const copy = copyToSystem!(bytes)!;
  t.after(() => copy.close());
  const full = await pair(t);
  await eventually(() => copy.send(full.fd, head, 0, bytes.length) === 0, { what: "a socket that is full" });
  const ended = await pair(t);
  ended.sender.on("error", () => undefined);
  ended.reader.resetAndDestroy();
  await eventually(() => copy.send(ended.fd, head, 0, 10) === 0, { what: "a socket whose reader has gone" });
  const { fd, reader } = await pair(t);
  const sent = copy.send(fd, head, 400, 400_000);
  const got = await read(reader, sent);
  assert.ok(got.equals(Buffer.concat([head, bytes.subarray(400, 400_400)]).subarray(0, sent)));
});
