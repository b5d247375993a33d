import assert from "node:assert/strict";
import { test } from "node:test";
import { passedHeaders, requestHeaders } from "../../../../src/proxy/http/headers.js";
import { routeOf } from "../../../../src/proxy/http/route.js";

const rows: readonly {
  readonly target: string;
  readonly host?: string;
  readonly keys: readonly string[] | null;
  readonly isLive?: boolean;
}[] = [
  { target: "/live/s.flv", keys: ["__defaultVhost__/live/s"] },
  { target: "/live/s.flv?token=1&k=2", keys: ["__defaultVhost__/live/s"] },
  { target: "/live/s.flv", host: "a.example.com:8080", keys: ["a.example.com/live/s"] },
  { target: "/live/s.flv?vhost=b.example.com", host: "a.example.com", keys: ["b.example.com/live/s"] },
  { target: "/live/s.flv", host: "c.example.com", keys: ["__defaultVhost__/live/s"] },
  { target: "/live/sub/s.ts", host: "[::1]:80", keys: ["__defaultVhost__/live/sub/s"] },
  { target: "/live/s-12.ts", keys: ["__defaultVhost__/live/s", "__defaultVhost__/live/s-12"], isLive: false },
  { target: "/live/s-12.part3.m4s", keys: ["__defaultVhost__/live/s", "__defaultVhost__/live/s-12.part3"], isLive: false },
  { target: "/live/s/init-0f.mp4", keys: ["__defaultVhost__/live/s"], isLive: false },
  { target: "/live/s-12.flv", keys: ["__defaultVhost__/live/s-12"] },
  { target: "/live/s.m3u8", keys: ["__defaultVhost__/live/s"], isLive: false },
  { target: "/live/%C3%A9.mp3", keys: ["__defaultVhost__/live/é"] },
  { target: "http://host/live/s.aac", keys: ["__defaultVhost__/live/s"] },
  { target: "/api/v1/streams", keys: null },
  { target: "/s.flv", keys: null },
  { target: "/live/s.flv.html", keys: null },
  { target: "/live/%ZZ.flv", keys: null },
  { target: "/live/../../s.flv", keys: null },
];

for (const { target, host = "127.0.0.1", keys, isLive = true } of rows) {
  test(`http: ${target} on ${host} is ${keys?.join(" or ") ?? "no stream's"}`, () => {
    assert.deepEqual(routeOf(target, host, new Set(["a.example.com", "b.example.com"])), keys === null ? null : { keys, isLive });
  });
}

test("http: headers of one connection stay there, all others pass in their order and case", () => {
  const raw = [
    "Host",
    "h",
    "connection",
    "close, X-Own, Host",
    "X-Own",
    "1",
    "Via",
    "a",
    "via",
    "b",
    "Transfer-Encoding",
    "chunked",
    "Upgrade",
    "h2c",
  ];
  assert.deepEqual(passedHeaders(raw), ["Host", "h", "Via", "a", "via", "b"]);
});

test("http: a request's headers say for whom it is, how long a server may still wait, and whether a body without a length follows", () => {
  const forwarded = { client: "::1", host: "127.0.0.1:8081", isChunked: false, isWebSocket: false, prefer: null };
  assert.deepEqual(requestHeaders(["Expect", "100-continue", "Accept", "*/*"], forwarded), [
    "Accept",
    "*/*",
    "X-Forwarded-For",
    "::1",
    "X-Forwarded-Proto",
    "http",
    "Host",
    "127.0.0.1:8081",
  ]);
  const told = ["Host", "h", "x-forwarded-for", "a", "X-Forwarded-For", "b, c", "X-Forwarded-Proto", "https"];
  assert.deepEqual(requestHeaders(told, { ...forwarded, isChunked: true, prefer: "wait=3" }), [
    "Host",
    "h",
    "X-Forwarded-Proto",
    "https",
    "X-Forwarded-For",
    "a, b, c, ::1",
    "Prefer",
    "wait=3",
    "Transfer-Encoding",
    "chunked",
  ]);
});
