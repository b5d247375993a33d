import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  answerBytes,
  answerHello,
  answerServer,
  checkVersion,
  handshakeBytes,
  helloBytes,
  makeHello,
} from "../../../../src/codec/rtmp/handshake.js";
import { pattern } from "./chunks.js";

// The digests once more, written from their description and not shared with the code under test.
const shared = Buffer.from("F0EEC24A8068BEE82E00D0D1029E7E576EEC5D2D29806FAB93B8E636CFEB31AE", "hex");
const clientText = "Genuine Adobe Flash Player 001";
const serverText = "Genuine Adobe Flash Media Server 001";

type Schema = 0 | 1;

function hmac(key: string | Buffer, bytes: Buffer): Buffer {
  return createHmac("sha256", key).update(bytes).digest();
}

/** Where the digest lies: schema 0 has the key block first, schema 1 the digest block. */
function digestAt(one: Buffer, schema: Schema): number {
  const block = schema === 0 ? 8 + 764 : 8;
  return block + 4 + ((one[block]! + one[block + 1]! + one[block + 2]! + one[block + 3]!) % 728);
}

function digestOf(one: Buffer, schema: Schema, key: string): Buffer {
  const at = digestAt(one, schema);
  return hmac(key, Buffer.concat([one.subarray(0, at), one.subarray(at + 32)]));
}

function isSigned(one: Buffer, schema: Schema, key: string): boolean {
  const at = digestAt(one, schema);
  return one.subarray(at, at + 32).equals(digestOf(one, schema, key));
}

/** C0C1, or S0S1S2 whose S2 is left empty, signed in one of the schemas; `fill` makes the offsets differ. */
function signed(schema: Schema, key: string, bytes: number, fill: number): Buffer {
  const out = Buffer.alloc(bytes);
  out[0] = 3;
  const one = out.subarray(1, helloBytes);
  pattern(handshakeBytes, fill).copy(one);
  one.writeUInt32BE(0, 0);
  one.writeUInt32BE(0x09007c02, 4);
  digestOf(one, schema, key).copy(one, digestAt(one, schema));
  return out;
}

/** Whether C2 or S2 is signed over the digest of the other side's 1. */
function isEchoSigned(two: Buffer, key: string, one: Buffer, schema: Schema): boolean {
  const at = digestAt(one, schema);
  const echoKey = hmac(Buffer.concat([Buffer.from(key), shared]), one.subarray(at, at + 32));
  return two.subarray(1504).equals(hmac(echoKey, two.subarray(0, 1504)));
}

test("handshake: a simple hello is answered with its echo, and with a version of 0 that asks for no digest", () => {
  const hello = Buffer.concat([Buffer.of(3), pattern(handshakeBytes)]);
  const answer = answerHello(hello);
  assert.equal(answer.length, answerBytes);
  assert.equal(answer[0], 3);
  assert.equal(answer.readUInt32BE(1 + 4), 0);
  assert.deepEqual(answer.subarray(helloBytes), hello.subarray(1));
});

for (const schema of [0, 1] as const) {
  test(`handshake: a hello signed in schema ${schema} is answered in the same schema, and S2 signs its digest`, () => {
    for (let fill = 0; fill < 50; fill++) {
      const hello = signed(schema, clientText, helloBytes, fill);
      const answer = answerHello(hello);
      assert.ok(isSigned(answer.subarray(1, helloBytes), schema, serverText));
      assert.ok(isEchoSigned(answer.subarray(helloBytes), serverText, hello.subarray(1), schema));
    }
  });

  test(`handshake: a server's answer signed in schema ${schema} is answered with a C2 that signs its digest`, () => {
    for (let fill = 0; fill < 50; fill++) {
      const answer = signed(schema, serverText, answerBytes, fill);
      const c2 = answerServer(answer);
      assert.equal(c2.length, handshakeBytes);
      assert.ok(isEchoSigned(c2, clientText, answer.subarray(1, helloBytes), schema));
    }
  });

  test(`handshake: a digest in schema ${schema} with one wrong bit makes a simple hello of it`, () => {
    const hello = signed(schema, clientText, helloBytes, 1);
    hello[helloBytes - 1]! ^= 1;
    assert.deepEqual(answerHello(hello).subarray(helloBytes), hello.subarray(1));
  });
}

test("handshake: what we send as a client is signed with the digest block first", () => {
  for (let i = 0; i < 50; i++) {
    const hello = makeHello();
    assert.equal(hello.length, helloBytes);
    assert.equal(hello[0], 3);
    assert.ok(isSigned(hello.subarray(1), 1, clientText));
  }
});

test("handshake: a server's simple answer is echoed", () => {
  const answer = Buffer.concat([Buffer.of(3), pattern(2 * handshakeBytes)]);
  assert.deepEqual(answerServer(answer), answer.subarray(1, helloBytes));
});

test("handshake: our two sides sign for each other", () => {
  const hello = makeHello();
  const answer = answerHello(hello);
  const s1 = answer.subarray(1, helloBytes);
  assert.ok(isEchoSigned(answer.subarray(helloBytes), serverText, hello.subarray(1), 1));
  assert.ok(isEchoSigned(answerServer(answer), clientText, s1, 1));
});

test("handshake: two hellos are never alike", () => assert.notDeepEqual(makeHello(), makeHello()));

for (const first of [0, 2, 4, 6, 0x16, 0x47, 0xf3, 0xff]) {
  test(`handshake: a client or a server of version ${first} is refused`, () => {
    assert.throws(() => checkVersion(Buffer.of(first)), { code: "RTMP_HANDSHAKE" });
    assert.throws(() => answerServer(Buffer.alloc(answerBytes, first)), { code: "RTMP_HANDSHAKE" });
  });
}

test("handshake: version 3 passes", () => assert.doesNotThrow(() => checkVersion(Buffer.of(3))));

test("handshake: any hello is answered", () => {
  const hellos = fc.uint8Array({ minLength: helloBytes, maxLength: helloBytes });
  fc.assert(fc.property(hellos, (hello) => assert.equal(answerHello(Buffer.from(hello)).length, answerBytes)));
});
