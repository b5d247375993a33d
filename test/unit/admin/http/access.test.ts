import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Gate, maxFailuresPerMinute, type Asker } from "../../../../src/admin/http/access.js";
import type { ApiAuth } from "../../../../src/conf/meaning/config.js";

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
const auths: Readonly<Record<string, ApiAuth | null>> = {
  none: null,
  basic: { type: "basic", username: "u", password: "p" },
  "basic without a password": { type: "basic", username: "u", password: "" },
  bearer: { type: "bearer", token: "t" },
  "bearer without a token": { type: "bearer", token: "" },
};

interface Case {
  readonly auth?: keyof typeof auths;
  readonly token?: string | null;
  readonly acts?: boolean;
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function statusOf({ auth = "none", token = null, acts = false, address = "127.0.0.1", headers = {} }: Case, gate = new Gate()): number {
  const asker: Asker = { address, headers: { host: "127.0.0.1:1985", ...headers } };
  return gate.check(asker, { auth: auths[auth] ?? null, token }, acts)?.status ?? 200;
}

describe("who may ask", () => {
  for (const [what, one, status] of [
    ["anybody, where there is no auth", { address: "203.0.113.7" }, 200],
    ["nobody without words", { auth: "basic" }, 401],
    ["who shows username and password", { auth: "basic", headers: { authorization: basic("u:p") } }, 200],
    ["the scheme in capitals is the same", { auth: "basic", headers: { authorization: basic("u:p").replace("Basic", "BASIC") } }, 200],
    ["a wrong password is none", { auth: "basic", headers: { authorization: basic("u:q") } }, 401],
    ["another user is none", { auth: "basic", headers: { authorization: basic("v:p") } }, 401],
    ["a token is no password", { auth: "basic", headers: { authorization: "Bearer p" } }, 401],
    ["an empty header is none", { auth: "basic", headers: { authorization: "" } }, 401],
    ["a very long one is none", { auth: "basic", headers: { authorization: basic(`u:${"p".repeat(10_000)}`) } }, 401],
    ["no password lets nobody in", { auth: "basic without a password", headers: { authorization: basic("u:") } }, 401],
    ["who shows the token", { auth: "bearer", headers: { authorization: "Bearer t" } }, 200],
    ["a part of the token is none", { auth: "bearer", headers: { authorization: "Bearer " } }, 401],
    ["no token lets nobody in", { auth: "bearer without a token", headers: { authorization: "Bearer " } }, 401],
    ["a password is no token", { auth: "bearer", headers: { authorization: basic("u:t") } }, 401],
  ] as const) {
    it(`is ${status}: ${what}`, () => assert.equal(statusOf(one), status));
  }
});

describe("who may act", () => {
  const far = { acts: true, address: "203.0.113.7" };
  for (const [what, one, status] of [
    ["this machine", { acts: true }, 200],
    ["this machine, by IPv6", { acts: true, address: "::1", headers: { host: "[::1]:1985" } }, 200],
    ["this machine, by name", { acts: true, headers: { host: "localhost:1985" } }, 200],
    ["another machine", far, 403],
    ["another machine with the token", { ...far, token: "t", headers: { authorization: "Bearer t" } }, 200],
    ["another machine with another token", { ...far, token: "t", headers: { authorization: "Bearer s" } }, 401],
    ["this machine without the token that there is", { acts: true, token: "t" }, 403],
    ["another machine that may ask", { ...far, auth: "basic", headers: { authorization: basic("u:p") } }, 200],
    ["this machine for somebody else", { acts: true, headers: { "x-forwarded-for": "203.0.113.7" } }, 403],
    ["a name that somebody made lead here", { acts: true, headers: { host: "evil.example:1985" } }, 403],
    ["no name at all", { acts: true, headers: { host: "" } }, 403],
    ["a page of this server", { acts: true, headers: { origin: "http://127.0.0.1:1985", "sec-fetch-site": "same-origin" } }, 200],
    ["a page of another site", { acts: true, headers: { origin: "http://evil.example" } }, 403],
    ["a page of another port", { acts: true, headers: { origin: "http://127.0.0.1:8080" } }, 403],
    ["a page of nowhere", { acts: true, headers: { origin: "null" } }, 403],
    ["a picture on another site", { acts: true, headers: { referer: "http://evil.example/a" } }, 403],
    ["the same without a word of where", { acts: true, headers: { "sec-fetch-site": "cross-site" } }, 403],
    [
      "a page of another site, password and all",
      { ...far, auth: "basic", headers: { authorization: basic("u:p"), origin: "http://evil.example" } },
      403,
    ],
  ] as const) {
    it(`is ${status}: ${what}`, () => assert.equal(statusOf(one), status));
  }
});

describe("who guesses", () => {
  it("has a minute to wait after some, and nobody else has", () => {
    const gate = new Gate();
    const guess: Case = { auth: "bearer", headers: { authorization: "Bearer x" } };
    for (let tries = 0; tries < maxFailuresPerMinute; tries++) assert.equal(statusOf(guess, gate), 401);
    assert.equal(statusOf(guess, gate), 429);
    assert.equal(statusOf({ auth: "bearer", headers: { authorization: "Bearer t" } }, gate), 429, "he could be guessing still");
    assert.equal(statusOf({ auth: "bearer", address: "10.0.0.1", headers: { authorization: "Bearer t" } }, gate), 200);
  });

  it("is not who shows no words: whoever has them at the same address still gets in", () => {
    const gate = new Gate();
    for (let asks = 0; asks <= maxFailuresPerMinute; asks++) assert.equal(statusOf({ auth: "basic" }, gate), 401);
    assert.equal(statusOf({ auth: "basic", headers: { authorization: basic("u:p") } }, gate), 200);
  });
});
