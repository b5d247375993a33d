import assert from "node:assert/strict";
import { test } from "node:test";
import { writePreface } from "../../../src/codec/preface.js";
import { isOwnCheck, prefaceIn, protocolOf, unreadableRequest } from "../../../src/codec/strangers.js";

const tls = Buffer.from("1603010200010001fc0303", "hex");

for (const [bytes, protocol] of [
  [tls, "TLS"],
  [tls.subarray(0, 1), "TLS"],
  [Buffer.of(0x16, 0), null],
  [Buffer.from("GET / HTTP/1.1\r\n"), "HTTP"],
  [Buffer.from("OPTIONS * HTTP/1.1\r\n"), "HTTP"],
  [Buffer.from("CONNECT a.test:443 HTTP/1.1\r\n"), "HTTP"],
  [Buffer.of(3, 0, 0), "RTMP"],
  [Buffer.from("SSH-2.0-OpenSSH\r\n"), null],
  [Buffer.alloc(0), null],
] as const) {
  test(`strangers: ${JSON.stringify(bytes.toString("latin1"))} is ${protocol ?? "unknown"}`, () =>
    assert.equal(protocolOf(bytes), protocol));
}

test("strangers: a preface is seen whatever follows, and what only begins like one is none", () => {
  const preface = writePreface("v2", { host: "192.0.2.1", port: 1 }, { host: "192.0.2.2", port: 2 });
  assert.equal(prefaceIn(Buffer.concat([preface, Buffer.from("GET / HTTP/1.1\r\n")]))?.sizeBytes, preface.length);
  assert.equal(prefaceIn(preface.subarray(0, 20)), null);
  assert.equal(prefaceIn(Buffer.from("PROXY nobody nowhere 1 2\r\n")), null);
  assert.equal(prefaceIn(Buffer.from("GET / HTTP/1.1\r\n")), null);
});

for (const [errno, bytes, status, sentence] of [
  ["HPE_INVALID_METHOD", tls, 400, /TLS/],
  ["HPE_INVALID_METHOD", Buffer.of(3, 0, 0), 400, /RTMP/],
  ["HPE_INVALID_METHOD", Buffer.from("nonsense"), 400, /HPE_INVALID_METHOD/],
  ["HPE_HEADER_OVERFLOW", Buffer.from("GET / HTTP/1.1\r\n"), 431, /too long/],
  ["ERR_HTTP_REQUEST_TIMEOUT", Buffer.alloc(0), 408, /in time/],
] as const) {
  test(`strangers: a request that fails with ${errno} at ${JSON.stringify(bytes.toString("latin1"))} is answered with ${status}`, () => {
    const answer = unreadableRequest(errno, bytes, null);
    assert.equal(answer.error.code, "FLV_REQUEST");
    assert.ok(answer.status.startsWith(String(status)));
    assert.match(answer.error.message, sentence);
  });
}

test("strangers: a request behind a preface of a peer who may not send one is refused for that", () => {
  const stray = prefaceIn(Buffer.from("PROXY TCP4 192.0.2.7 192.0.2.2 1 2\r\n"));
  const { status, error } = unreadableRequest("HPE_INVALID_METHOD", Buffer.from("GET / HTTP/1.1\r\n"), stray);
  assert.deepEqual([status, error.code], ["400 Bad Request", "PROXY_HEADER"]);
  assert.match(error.message, /192\.0\.2\.7 .* trusted_proxies/);
});

test("strangers: a preface that names nobody, or its own sender, is a balancer's check", () => {
  const peer = { host: "10.0.0.1", port: 40_000 };
  const isCheck = (text: string): boolean => isOwnCheck(prefaceIn(Buffer.from(text))!, peer);
  assert.deepEqual(
    [
      "PROXY UNKNOWN\r\n",
      "PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n",
      "PROXY TCP4 10.0.0.1 10.0.0.2 40001 80\r\n",
      "PROXY TCP4 192.0.2.7 10.0.0.2 40000 80\r\n",
    ].map(isCheck),
    [true, true, false, false],
  );
});
