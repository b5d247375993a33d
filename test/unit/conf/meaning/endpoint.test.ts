import assert from "node:assert/strict";
import { test } from "node:test";
import { formatEndpoint, overlaps, parseListen, parseServer } from "../../../../src/conf/meaning/endpoint.js";

const listens: [text: string, host: string, port: number][] = [
  ["1935", "0.0.0.0", 1935],
  [":1935", "0.0.0.0", 1935],
  ["127.0.0.1:65535", "127.0.0.1", 65_535],
  ["localhost:1", "localhost", 1],
  ["[::]:1935", "::", 1935],
  ["[2001:db8::1]:80", "2001:db8::1", 80],
  [":::1935", "::", 1935],
];

const servers: [text: string, host: string, port: number][] = [
  ["origin.example.com", "origin.example.com", 1935],
  ["origin_1:19350", "origin_1", 19_350],
  ["10.0.0.1", "10.0.0.1", 1935],
  ["::1", "::1", 1935],
  ["[::1]", "::1", 1935],
  ["[::1]:19350", "::1", 19_350],
];

for (const [text, host, port] of listens) {
  test(`endpoint: ${text} listens on ${host} port ${port}`, () => assert.deepEqual(parseListen(text), { host, port }));
}

for (const [text, host, port] of servers) {
  test(`endpoint: ${text} is the server ${host} port ${port}`, () => assert.deepEqual(parseServer(text), { host, port }));
}

for (const text of [
  "",
  "abc",
  "0",
  "65536",
  "99999999",
  "127.0.0.1",
  "127.0.0.1:",
  "127.0.0.1:x",
  "[::1]",
  "[::1]1935",
  "[a]:1",
  "a b:1",
  "1935;",
  "-1:1",
  "256.1.1.1:1935",
  "10.0.0:1935",
  "10.0.0.1.:1935",
  "a.7:1935",
]) {
  test(`endpoint: ${JSON.stringify(text)} is nothing to listen on`, () => {
    assert.throws(() => parseListen(text), { name: "DolphinError", code: "CONF_VALUE" });
  });
}

for (const text of ["", ":1935", "256.1.1.1", "127.0.0:1936", "rtmp://a/live", "a:0", "a:b", "[]", "a..:1:2", "-", "a".repeat(254)]) {
  test(`endpoint: ${JSON.stringify(text.slice(0, 20))} is no server`, () => {
    assert.throws(() => parseServer(text), { name: "DolphinError", code: "CONF_VALUE" });
  });
}

const pairs: [one: string, other: string, doOverlap: boolean][] = [
  ["1935", "1935", true],
  ["1935", "0.0.0.0:1935", true],
  ["1935", "127.0.0.1:1935", true],
  ["1935", "127.0.0.1:1936", false],
  ["127.0.0.1:1935", "127.0.0.2:1935", false],
  ["[::1]:1935", "[0:0::1]:1935", true],
  ["[::1]:1935", "[::]:1935", true],
  ["[fe80::1%a]:1935", "[fe80::1%b]:1935", false],
  ["1935", "[::]:1935", false],
  ["1935", "localhost:1935", false],
  ["LOCALHOST:1935", "localhost:1935", true],
];

for (const [one, other, doOverlap] of pairs) {
  test(`endpoint: ${one} and ${other} ${doOverlap ? "are listened on by one socket" : "have nothing in common"}`, () => {
    assert.equal(overlaps(parseListen(one), parseListen(other)), doOverlap);
    assert.equal(overlaps(parseListen(other), parseListen(one)), doOverlap);
  });
}

test("endpoint: what is written is read back", () => {
  for (const [, host, port] of [...listens, ...servers]) {
    assert.deepEqual(parseListen(formatEndpoint({ host, port })), { host, port });
    assert.deepEqual(parseServer(formatEndpoint({ host, port })), { host, port });
  }
});

test("endpoint: the sentence shows the right forms", () => {
  assert.throws(() => parseListen("nowhere"), {
    message: `"nowhere" is not an address to listen on: write 1935, 10.0.0.1:1935 or [::1]:1935`,
  });
  assert.throws(() => parseListen("10.0.0.1:99999"), { message: `the port of "10.0.0.1:99999" is not a number from 1 to 65535` });
});
