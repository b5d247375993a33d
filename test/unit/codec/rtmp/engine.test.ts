import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { SocketAddress } from "../../../../src/codec/ip-address.js";
import { writePreface } from "../../../../src/codec/preface.js";
import { makeCommand } from "../../../../src/codec/rtmp/command.js";
import { writeMessages } from "../../../../src/codec/rtmp/chunk-writer.js";
import { Engine } from "../../../../src/codec/rtmp/engine.js";
import { answerBytes, handshakeBytes, helloBytes } from "../../../../src/codec/rtmp/handshake.js";
import { controlEvent, controlMessage, messageType, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import { hex, throwsOnly } from "../hex.js";
import { bytewise, pattern, read, whole } from "./chunks.js";

/** An engine with what it said written down. */
class Recorded {
  readonly sent: Buffer[] = [];
  readonly messages: Message[] = [];
  readonly clients: SocketAddress[] = [];
  opened = 0;
  readonly engine: Engine;

  constructor(side: "server" | "client", readsPreface = false) {
    this.engine = new Engine(side, {
      ...(readsPreface ? { onClient: (client: SocketAddress) => void this.clients.push(client) } : {}),
      onSend: (bytes) => void this.sent.push(bytes),
      onOpen: () => void this.opened++,
      onMessage: (message) => void this.messages.push(message),
    });
  }

  /** What was sent since the last call, as one piece. */
  take(): Buffer {
    return Buffer.concat(this.sent.splice(0));
  }
}

/** A server that has been shaken hands with. */
function openServer(): Recorded {
  const server = new Recorded("server");
  server.engine.receive(Buffer.concat([Buffer.of(3), pattern(handshakeBytes), pattern(handshakeBytes)]));
  server.take();
  return server;
}

const video = pattern(1000);

/** What a publisher says on a connection from its first byte on, pipelined. */
function session(): Buffer {
  return Buffer.concat([
    Buffer.of(3),
    pattern(2 * handshakeBytes),
    writeMessages([makeCommand(0, "connect", 1, { app: "live" }), controlMessage(messageType.setChunkSize, 500)], 128),
    writeMessages(
      [
        makeCommand(0, "createStream", 2, null),
        userControl(controlEvent.pingRequest, 7),
        { type: 9, streamId: 1, timestamp: 0x1000000, payload: video },
      ],
      500,
    ),
  ]);
}

function assertSession(server: Recorded): void {
  assert.equal(server.opened, 1);
  assert.deepEqual(
    server.messages.map(({ type, timestamp }) => [type, timestamp]),
    [
      [messageType.command, 0],
      [messageType.command, 0],
      [messageType.video, 0x1000000],
    ],
  );
  assert.ok(server.messages[2]?.payload.equals(video));
  const sent = server.take();
  assert.deepEqual(read(sent.subarray(answerBytes)), [userControl(controlEvent.pingResponse, 7)]);
}

test("engine: a session in one piece is understood, handshake and all", () => {
  const server = new Recorded("server");
  server.engine.receive(session());
  assertSession(server);
  assert.equal(server.engine.bytesIn, session().length);
});

test("engine: a session byte by byte is understood", () => {
  const server = new Recorded("server");
  for (const byte of bytewise(session())) server.engine.receive(byte);
  assertSession(server);
});

test("engine: a session in pieces of any one size is understood", () => {
  const bytes = session();
  for (let size = 2; size <= bytes.length; size += size < 64 ? 1 : 7) {
    const server = new Recorded("server");
    for (let at = 0; at < bytes.length; at += size) server.engine.receive(bytes.subarray(at, at + size));
    assertSession(server);
  }
});

test("engine: a session that is read into the same memory again and again is understood", () => {
  const bytes = session();
  const server = new Recorded("server");
  const memory = Buffer.alloc(700);
  for (let at = 0; at < bytes.length; at += memory.length) {
    server.engine.receive(memory.subarray(0, bytes.copy(memory, 0, at)));
    memory.fill(0xee);
  }
  assertSession(server);
});

test("engine: a session cut once at any byte is understood", () => {
  const bytes = session();
  for (let cut = 1; cut < bytes.length; cut++) {
    const server = new Recorded("server");
    server.engine.receive(bytes.subarray(0, cut));
    server.engine.receive(bytes.subarray(cut));
    assertSession(server);
  }
});

test("engine: the server answers when the whole hello is there, and opens when the echo is", () => {
  const server = new Recorded("server");
  server.engine.receive(Buffer.concat([Buffer.of(3), pattern(handshakeBytes - 1)]));
  assert.equal(server.sent.length, 0);
  server.engine.receive(Buffer.of(1));
  assert.equal(server.take().length, answerBytes);
  server.engine.receive(pattern(handshakeBytes - 1));
  assert.equal(server.engine.isOpen, false);
  assert.equal(server.opened, 0);
  server.engine.receive(Buffer.of(1));
  assert.equal(server.engine.isOpen, true);
  assert.equal(server.opened, 1);
});

test("engine: another protocol is refused at its first byte", () => {
  for (const bytes of [hex("16 03 01"), Buffer.from("GET / HTTP/1.1\r\n"), hex("f4 00 04"), hex("00")]) {
    const server = new Recorded("server");
    assert.throws(() => server.engine.receive(bytes), { code: "RTMP_HANDSHAKE" });
    assert.equal(server.sent.length, 0);
  }
});

const behind = { host: "192.0.2.1", port: 50_000 };
const here = { host: "198.51.100.2", port: 1935 };

for (const [form, clients] of [
  ["v1", [behind]],
  ["v2", [behind]],
  ["srs", [{ host: "192.0.2.1", port: 0 }]],
] as const) {
  test(`engine: the client that a preface of the form ${form} names is told, wherever the bytes are cut`, () => {
    const preface = writePreface(form, behind, here);
    const bytes = Buffer.concat([preface, session()]);
    for (let cut = 1; cut <= preface.length + 2; cut++) {
      const server = new Recorded("server", true);
      server.engine.receive(bytes.subarray(0, cut));
      server.engine.receive(bytes.subarray(cut));
      assert.deepEqual(server.clients, clients);
      assertSession(server);
      assert.equal(server.engine.bytesIn, bytes.length);
    }
    const server = new Recorded("server", true);
    for (let at = 0; at < bytes.length; at++) server.engine.receive(bytes.subarray(at, at + 1));
    assert.deepEqual(server.clients, clients);
    assertSession(server);
  });
}

test("engine: a preface may be left out, or name nobody", () => {
  for (const preface of [Buffer.alloc(0), Buffer.from("PROXY UNKNOWN\r\n")]) {
    const server = new Recorded("server", true);
    server.engine.receive(Buffer.concat([preface, session()]));
    assert.deepEqual(server.clients, []);
    assertSession(server);
  }
});

test("engine: a preface of a peer who may not send one is refused as what it is when the client speaks behind it", () => {
  const stray = writePreface("v1", here, behind);
  for (const [mayName, before] of [
    [true, writePreface("v2", behind, here)], // who is named by the first one is not trusted himself
    [false, Buffer.alloc(0)],
  ] as const) {
    const bytes = Buffer.concat([before, stray]);
    for (const size of [1, bytes.length]) {
      const server = new Recorded("server", mayName);
      for (let at = 0; at < bytes.length; at += size) server.engine.receive(bytes.subarray(at, at + size));
      assert.deepEqual(server.clients, mayName ? [behind] : []);
      assert.throws(() => server.engine.receive(session()), { code: "PROXY_HEADER", message: /198\.51\.100\.2 .* trusted_proxies/ });
    }
  }
});

test("engine: what is no RTMP is called by its name", () => {
  for (const [bytes, name] of [
    [Buffer.from("GET / HTTP/1.1\r\n"), /HTTP/],
    [Buffer.from("1603010200010001fc0303", "hex"), /TLS/],
    [Buffer.from("SSH-2.0-OpenSSH"), /the first byte is 83/],
  ] as const)
    assert.throws(() => new Recorded("server").engine.receive(bytes), { code: "RTMP_HANDSHAKE", message: name });
});

test("engine: what is neither a preface nor RTMP is refused, also where it begins like one", () => {
  for (const [text, code] of [
    ["GET / HTTP/1.1\r\n", "RTMP_HANDSHAKE"],
    ["POST / HTTP/1.1\r\n", "RTMP_HANDSHAKE"],
    ["\r\n\r\nGET", "RTMP_HANDSHAKE"],
    ["PROXY TCP4 nobody nowhere 1 2\r\n", "PROXY_HEADER"],
    [`PROXY ${"x".repeat(200)}`, "PROXY_HEADER"],
    [`${writePreface("v2", behind, here).toString("latin1", 0, 14)}\xff\xff`, "PROXY_HEADER"],
  ] as const) {
    const server = new Recorded("server", true);
    const bytes = Buffer.from(text, "latin1");
    const feed = (): void => {
      for (let at = 0; at < bytes.length; at++) server.engine.receive(bytes.subarray(at, at + 1));
    };
    assert.throws(feed, { code }, JSON.stringify(text));
  }
});

test("engine: a client refuses a server of another version", () => {
  const client = new Recorded("client");
  client.engine.start();
  assert.throws(() => client.engine.receive(Buffer.alloc(answerBytes, 6)), { code: "RTMP_HANDSHAKE" });
  assert.equal(client.opened, 0);
});

/** Carries what two engines send to each other, `size` bytes at a time, until both are silent. */
function converse(client: Recorded, server: Recorded, size: number): void {
  for (;;) {
    const toServer = client.take();
    const toClient = server.take();
    if (toServer.length + toClient.length === 0) return;
    for (let at = 0; at < toServer.length; at += size) server.engine.receive(toServer.subarray(at, at + size));
    for (let at = 0; at < toClient.length; at += size) client.engine.receive(toClient.subarray(at, at + size));
  }
}

for (const size of [1, 7, 1536, 1537, 1_000_000]) {
  test(`engine: a client and a server come to talk in pieces of ${size}`, () => {
    const client = new Recorded("client");
    const server = new Recorded("server");
    client.engine.start();
    server.engine.start();
    assert.equal(server.sent.length, 0, "a server waits to be spoken to");
    assert.equal(client.sent[0]?.length, helloBytes);
    converse(client, server, size);
    assert.deepEqual([client.opened, server.opened], [1, 1]);
    const question = makeCommand(0, "connect", 1, { app: "live", tcUrl: `rtmp://h/${"x".repeat(500)}` });
    client.engine.write([
      question,
      controlMessage(messageType.setChunkSize, 60_000),
      { type: 9, streamId: 1, timestamp: 5, payload: video },
    ]);
    server.engine.write([controlMessage(messageType.setChunkSize, 4096), { type: 8, streamId: 1, timestamp: 9, payload: video }]);
    converse(client, server, size);
    assert.deepEqual(server.messages, [question, { type: 9, streamId: 1, timestamp: 5, payload: video }]);
    assert.deepEqual(client.messages, [{ type: 8, streamId: 1, timestamp: 9, payload: video }]);
  });
}

test("engine: a chunk size holds from the next message on, in the same write and in later ones", () => {
  const server = openServer();
  const media = { type: 9, streamId: 1, timestamp: 0, payload: video };
  server.engine.write([media, controlMessage(messageType.setChunkSize, 4096), media]);
  server.engine.write([media]);
  assert.equal(server.sent.length, 2, "each write is one piece");
  const bytes = server.take();
  assert.deepEqual(read(bytes).length, 3);
  assert.equal(bytes.length, 12 + 1000 + 7 + 16 + 2 * (12 + 1000));
});

test("engine: any bytes are read or refused with the project's own error", () => {
  const codes = [
    "RTMP_HANDSHAKE",
    "RTMP_CHUNK_HEADER",
    "RTMP_CHUNK_SIZE",
    "RTMP_CHUNK_STREAMS",
    "RTMP_MESSAGE_SIZE",
    "RTMP_MEMORY",
    "RTMP_AGGREGATE",
  ];
  const pieces = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 });
  fc.assert(
    fc.property(pieces, (list) => {
      throwsOnly(codes, () => {
        const server = openServer();
        for (const piece of list) server.engine.receive(Buffer.from(piece));
      });
    }),
    { numRuns: 2000 },
  );
  const typed = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 22), fc.uint8Array({ maxLength: 100 }));
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 10 }), (list) => {
      throwsOnly(codes, () => {
        const server = openServer();
        for (const [type, payload] of list) server.engine.receive(whole(3, type, 0, Buffer.from(payload)));
      });
    }),
    { numRuns: 2000 },
  );
});

test("engine: a session with any one byte changed after the handshake is read or refused", () => {
  const good = session();
  const codes = ["RTMP_CHUNK_HEADER", "RTMP_CHUNK_SIZE", "RTMP_CHUNK_STREAMS", "RTMP_MESSAGE_SIZE", "RTMP_MEMORY", "RTMP_AGGREGATE"];
  for (let at = helloBytes + handshakeBytes; at < good.length; at++) {
    const bytes = Buffer.from(good);
    bytes[at]! ^= 0xff;
    throwsOnly(codes, () => new Recorded("server").engine.receive(bytes));
  }
});
