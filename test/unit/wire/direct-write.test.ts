import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { bytesWrittenTo, useDirectWrites, writeTo } from "../../../src/wire/direct-write.js";
import type { Cleanup } from "../../helpers/dolphin.js";

/** A connection, of which the second end does not read yet. */
async function connected(t: Cleanup): Promise<readonly [Socket, Socket]> {
  const listener = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const reader = connect({ port: (listener.address() as AddressInfo).port, host: "127.0.0.1" }).pause();
  const [writer] = (await once(listener, "connection")) as [Socket];
  t.after(() => [reader, writer].forEach((one) => one.destroy()));
  t.after(() => void listener.close());
  return [writer, reader];
}

test("direct-write: bytes arrive in order and are counted, whoever of the two writes them and however slowly they are read", async (t) => {
  await useDirectWrites();
  const [writer, reader] = await connected(t);
  const pieces = Array.from({ length: 300 }, (_, at) => Buffer.alloc(1 + ((at * 7919) % 60_000), at));
  const seen: string[] = [];
  for (const [at, piece] of pieces.entries()) {
    if (at % 7 === 3) writer.write(piece);
    else writeTo(writer, piece);
    seen.push(writer.writableLength > 0 ? "waits" : "taken");
  }
  assert.deepEqual([...new Set(seen)], ["taken", "waits"]);
  writer.end();
  const got: Buffer[] = [];
  for await (const bytes of reader) got.push(bytes as Buffer);
  const all = Buffer.concat(pieces);
  assert.ok(Buffer.concat(got).equals(all));
  assert.equal(bytesWrittenTo(writer), all.length);
  assert.ok(writer.bytesWritten < all.length, "nothing was written directly");
});

test("direct-write: who has gone is told of by Node, as ever", async (t) => {
  await useDirectWrites();
  const [writer, reader] = await connected(t);
  reader.resetAndDestroy();
  const failed = once(writer, "error");
  const timer = setInterval(() => writeTo(writer, Buffer.alloc(1000)), 5);
  t.after(() => clearInterval(timer));
  const [error] = (await failed) as [NodeJS.ErrnoException];
  assert.match(error.code ?? "", /^(?:EPIPE|ECONNRESET)$/);
});
