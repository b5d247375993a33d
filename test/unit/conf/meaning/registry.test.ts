import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../../src/conf/load.js";
import { formatEndpoint, parseListen } from "../../../../src/conf/meaning/endpoint.js";
import { advertisedOf, parseRegistry } from "../../../../src/conf/meaning/registry.js";

const plain = { kind: "single", master: "", db: 0, isTls: false, username: null, password: null };
const read: readonly [text: string, servers: object][] = [
  ["redis://r", { ...plain, servers: [{ host: "r", port: 6379 }] }],
  ["redis://10.0.0.9:7000/3", { ...plain, servers: [{ host: "10.0.0.9", port: 7000 }], db: 3 }],
  ["rediss://r", { ...plain, servers: [{ host: "r", port: 6379 }], isTls: true }],
  ["redis://u:p%40ss:w@r", { ...plain, servers: [{ host: "r", port: 6379 }], username: "u", password: "p@ss:w" }],
  ["redis://:secret@r", { ...plain, servers: [{ host: "r", port: 6379 }], password: "secret" }],
  [
    "redis+sentinel://s1,s2:26380/site/2",
    {
      ...plain,
      kind: "sentinel",
      servers: [
        { host: "s1", port: 26_379 },
        { host: "s2", port: 26_380 },
      ],
      master: "site",
      db: 2,
    },
  ],
  [
    "rediss+cluster://c1:7001,c2",
    {
      ...plain,
      kind: "cluster",
      servers: [
        { host: "c1", port: 7001 },
        { host: "c2", port: 6379 },
      ],
      isTls: true,
    },
  ],
  ["redis://[::1]:7000", { ...plain, servers: [{ host: "::1", port: 7000 }] }],
];

for (const [text, servers] of read) {
  test(`registry: ${text} is read`, () => {
    assert.deepEqual(parseRegistry(text), servers);
  });
}

const refused: readonly [text: string, why: RegExp][] = [
  ["10.0.0.9:6379", /is not the address of a registry: write redis:/],
  ["http://r", /is not the address/],
  ["redis://r/x", /number of a database/],
  ["redis://a,b", /several hosts/],
  ["redis+sentinel://s", /names sentinels and not the set/],
  ["redis+cluster://c/1", /which a Redis Cluster has not/],
  ["redis://u:secret@bad host", /has a host that is none/],
];

for (const [text, why] of refused) {
  test(`registry: ${text} is refused in a sentence that keeps its password`, () => {
    const said = parseRegistry(text);
    assert.match(String(said), why);
    assert.doesNotMatch(String(said), /secret/);
  });
}

test("registry: a box that listens on every address must say where the others reach it", () => {
  const problems = (inside: string, listen = "1935", flagged: string[] = []): string[] => {
    const flags = { listen: flagged.map((text) => parseListen(text)) };
    const { problems: found } = loadConfig({ file: "f", text: `listen ${listen}; vhost a { } dolphin { ${inside} }`, flags });
    return found.map(({ message }) => message);
  };
  assert.match(problems("registry redis://r;").join(), /write registry_advertise .*SRS_DOLPHIN_REGISTRY_ADVERTISE/);
  assert.deepEqual(problems("registry redis://r; registry_advertise 10.0.0.5;"), []);
  assert.deepEqual(problems("registry redis://r;", "10.0.0.5:1935"), []);
  assert.match(problems("registry redis://r; registry_advertise 10.0.0;").join(), /10\.0\.0. is not a server/);
  assert.deepEqual(problems("registry redis://r;", "1935", ["10.0.0.5:1935"]), [], "the command line names one");
  assert.match(problems("registry redis://r;", "10.0.0.5:1935", ["1935"]).join(), /registry_advertise/);
});

test("registry: it is told by the first address that others can reach", () => {
  const rows: readonly (readonly [listen: readonly string[], advertised: string | null])[] = [
    [["10.0.0.5:1935"], "10.0.0.5:1935"],
    [["1935"], null],
    [["[::]:1935"], null],
    [["1935", "10.0.0.5:1936"], "10.0.0.5:1936"],
    [["127.0.0.1:1935", "[2001:db8::5]:1936"], "[2001:db8::5]:1936"],
    [["127.0.0.2:1935"], "127.0.0.2:1935"],
    [["[::1]:1935"], "[::1]:1935"],
    [["1935", "127.0.0.1:1936"], null],
  ];
  for (const [listen, advertised] of rows) {
    const found = advertisedOf({ advertise: null }, listen.map(parseListen));
    assert.equal(found === null ? null : formatEndpoint(found), advertised, listen.join(" "));
  }
});
