import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalIn, type Refusal } from "../../../src/registry/refusals.js";
import { registryBlock } from "../../helpers/site.js";

const block = registryBlock("redis+sentinel://127.0.0.1:26379/nosuch", { prefix: "site7:" });
const kindOf = (words: string): Refusal["kind"] | null => refusalIn(words, block)?.kind ?? null;

/** What servers and the client library say, word for word. */
const said: readonly (readonly [string, Refusal["kind"] | null])[] = [
  ["WRONGPASS invalid username-password pair or user is disabled.", "secret"],
  ["NOAUTH Authentication required.", "secret"],
  ["ERR Protocol error: unauthenticated multibulk length", "secret"],
  ["failed to connect to sentinel 127.0.0.1:1 because WRONGPASS invalid username-password pair or user is disabled.", "sentinel-secret"],
  ["NOPERM this user has no permissions to access one of the keys used as arguments", "rights"],
  ["Client network socket disconnected before secure TLS connection was established", "no-tls"],
  ["self-signed certificate", "certificate"],
  ["connected to sentinel 127.0.0.1:1 successfully, but got an invalid reply: null", "set"],
  ["failed to connect to sentinel 127.0.0.1:1 because ERR No such master with that name", "set"],
  ["ERR unknown command 'evalsha', with args beginning with: 'a2b9'", "engine"],
  ["ERR This instance has cluster support disabled", "engine"],
  ["ERR DB index is out of range", "database"],
  ["OOM command not allowed when used memory > 'maxmemory'.", "memory"],
  ["connect ECONNREFUSED 127.0.0.1:1", null],
  ["the connection was closed", null],
  ["READONLY You can't write against a read only replica.", null],
  ["LOADING Redis is loading the dataset in memory", null],
  ["Command timed out", null],
];

for (const [words, kind] of said) test(`refusals: "${words}" is ${kind ?? "a matter of waiting"}`, () => assert.equal(kindOf(words), kind));

test("refusals: the sentence names the prefix that the rights are for, and the set that is not watched", () => {
  assert.match(refusalIn("NOPERM this user", block)?.sentence ?? "", /~site7:\* .*registry_prefix/);
  assert.match(refusalIn("connected to sentinel 1 successfully, but got an invalid reply: null", block)?.sentence ?? "", /nosuch/);
});
