import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { BackendState, Lease } from "../../../../src/ipc/balance.js";
import { nowhere, type Located, type StreamName } from "../../../../src/ipc/locating.js";
import { resolveStream } from "../../../../src/codec/rtmp/url.js";
import { routeOf } from "../../../../src/proxy/http/route.js";
import { streamKey, type Question } from "../../../../src/proxy/balance/chooser.js";
import { RtmpPlaces, type Elsewhere, type LeaseWord } from "../../../../src/proxy/balance/places.js";

const key = "__defaultVhost__/live/s";

function state(name: string): BackendState {
  return {
    name,
    rtmp: { host: "127.0.0.1", port: 1936 },
    http: null,
    api: null,
    isUp: true,
    isDraining: false,
    upSinceMs: 0,
    weight: 1,
    maxConnections: null,
    connections: 0,
    bytesPerSecond: 0,
  };
}

interface World {
  readonly places: RtmpPlaces;
  readonly words: LeaseWord[];
  readonly leases: Map<string, Lease>;
  readonly names: string[];
}

/** Two servers, of which the first free one is picked, and a master that only listens. */
function world(elsewhere: Elsewhere | null = null): World {
  const names = ["one", "two"];
  const leases = new Map<string, Lease>();
  const words: LeaseWord[] = [];
  const servers = {
    lease: (wanted: string) => leases.get(wanted) ?? null,
    get: (name: string) => (names.includes(name) ? state(name) : null),
    canPick: (tried: ReadonlySet<string>) => names.some((name) => !tried.has(name)),
    pick: (_ask: object, tried: ReadonlySet<string>) => names.filter((name) => !tried.has(name)).map(state)[0] ?? null,
  };
  return { places: new RtmpPlaces(servers, (word) => void words.push(word), elsewhere), words, leases, names };
}

function question(what: Question["what"], more: Partial<Question> = {}): Question {
  return { what, key, tried: new Set(), waitMs: 15_000, signal: new AbortController().signal, ...more };
}

function lease(backend: string): Lease {
  return { key, backend, proxy: "proxy-1", sinceMs: 0 };
}

function useFakeTime(t: TestContext): void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
}

test("places: a publisher proposes a server, and the master's word decides", async () => {
  const { places, words } = world();
  const choice = places.choose(question("publish"));
  assert.deepEqual(words, [{ type: "take", id: 1, key, backend: "one" }]);
  places.taken(1, "two");
  assert.equal((await choice)?.target.name, "two");
  (await choice)?.release();
  assert.deepEqual(words[1], { type: "release", id: 1 });
});

test("places: a publisher of a stream that is published proposes the server that has it", async () => {
  const { places, words, leases } = world();
  leases.set(key, lease("two"));
  const choice = places.choose(question("publish"));
  places.taken(1, "two");
  assert.equal((await choice)?.target.name, "two");
  assert.deepEqual(words[0], { type: "take", id: 1, key, backend: "two" });
});

test("places: a stream that is held on a server that was tried or is gone has no other place, and its lease is let go", async () => {
  for (const held of ["one", "gone"]) {
    const { places, words } = world();
    const choice = places.choose(question("publish", { tried: new Set(["one"]) }));
    places.taken(1, held);
    assert.equal(await choice, null);
    assert.deepEqual(words[1], { type: "release", id: 1 });
  }
});

test("places: without servers nothing is asked of the master", async () => {
  const { places, words, names } = world();
  names.length = 0;
  assert.equal(await places.choose(question("publish")), null);
  assert.equal(await places.choose(question("play", { waitMs: 0 })), null);
  assert.deepEqual(words, []);
});

test("places: a master that does not answer in a second leaves the choice to the proxy", async (t) => {
  useFakeTime(t);
  const { places } = world();
  const choice = places.choose(question("publish"));
  t.mock.timers.tick(1000);
  assert.equal((await choice)?.target.name, "one");
  places.taken(1, "two"); // too late, and nobody's
});

test("places: a player goes at once where its stream is", async () => {
  const { places, leases, words } = world();
  leases.set(key, lease("two"));
  const choice = await places.choose(question("play"));
  assert.equal(choice?.target.name, "two");
  choice?.release();
  assert.deepEqual([words, places.isPublished(key), places.isPublished("other")], [[], true, false]);
});

test("places: a player waits for its publisher, and for no other", async () => {
  const { places, leases } = world();
  let name: string | undefined;
  const choice = Promise.resolve(places.choose(question("play"))).then((one) => (name = one?.target.name));
  places.begun(["__defaultVhost__/live/other"]);
  await new Promise(setImmediate);
  assert.equal(name, undefined);
  leases.set(key, lease("two"));
  places.begun([key]);
  await choice;
  assert.equal(name, "two");
});

test("places: a player that waited in vain goes to any server", async (t) => {
  useFakeTime(t);
  const { places } = world();
  const choice = places.choose(question("play", { waitMs: 500 }));
  t.mock.timers.tick(500);
  assert.equal((await choice)?.target.name, "one");
});

/** Other boxes, of which a test says what they have; a question that is not answered is one that nobody could be asked. */
function otherBoxes(): Elsewhere & { readonly asked: (StreamName & { readonly signal: AbortSignal })[]; has: Located | null } {
  const boxes = {
    asked: [] as (StreamName & { readonly signal: AbortSignal })[],
    has: nowhere as Located | null,
    isLocated: ({ app }: StreamName) => app !== "alone",
    locator: {
      locate: (name: StreamName, signal: AbortSignal): Promise<Located> => {
        boxes.asked.push({ ...name, signal });
        return boxes.has === null ? Promise.reject(new Error("nobody answers")) : Promise.resolve(boxes.has);
      },
    },
  };
  return boxes;
}

const turn = (): Promise<void> => new Promise(setImmediate);

test("places: players who wait go on when another box has their stream, which is asked about once for all of them, and until then again", async (t) => {
  useFakeTime(t);
  const boxes = otherBoxes();
  const { places } = world(boxes);
  const choices = [places.choose(question("play")), places.choose(question("play"))];
  const { signal: _, ...name } = boxes.asked[0]!;
  assert.deepEqual([boxes.asked.length, name], [1, { vhost: "__defaultVhost__", app: "live", stream: "s" }]);
  for (const [pauseMs, answer] of [
    [500, null],
    [1000, { isHere: true, servers: [] }],
    [2000, nowhere],
    [3000, nowhere],
  ] as const) {
    boxes.has = answer;
    await turn();
    const before = boxes.asked.length;
    t.mock.timers.tick(pauseMs - 1);
    assert.equal(boxes.asked.length, before);
    t.mock.timers.tick(1);
    assert.equal(boxes.asked.length, before + 1);
  }
  boxes.has = { isHere: false, servers: [{ host: "10.0.0.2", port: 1935 }] };
  await turn();
  t.mock.timers.tick(3000);
  for (const choice of choices) assert.equal((await choice)?.target.name, "one");
  const before = boxes.asked.length;
  t.mock.timers.tick(60_000);
  assert.equal(boxes.asked.length, before, "nobody waits any more");
});

test("places: nobody is asked about a stream of this box alone, nor any more when its lease begins or its last player leaves", async () => {
  const boxes = otherBoxes();
  const { places, leases } = world(boxes);
  const abort = new AbortController();
  void places.choose(question("play", { key: "__defaultVhost__/alone/s", signal: abort.signal }));
  assert.equal(boxes.asked.length, 0);
  void places.choose(question("play", { signal: abort.signal }));
  assert.equal(boxes.asked.length, 1);
  abort.abort();
  assert.equal(boxes.asked[0]?.signal.aborted, true);
  const choice = places.choose(question("play"));
  leases.set(key, lease("two"));
  places.begun([key]);
  assert.equal((await choice)?.target.name, "two");
  assert.equal(boxes.asked[1]?.signal.aborted, true);
  places.close();
});

test("places: a player that leaves, and a proxy that stops, end the waiting", async () => {
  const { places } = world();
  const abort = new AbortController();
  const left = places.choose(question("play", { signal: abort.signal }));
  abort.abort();
  assert.notEqual(await left, null);
  const [stopped, publishing] = [places.choose(question("play")), places.choose(question("publish"))];
  places.close();
  assert.equal((await stopped)?.target.name, "one");
  assert.equal((await publishing)?.target.name, "one");
});

test("places: a player whose server failed is not kept waiting again", async () => {
  const { places, leases } = world();
  leases.set(key, lease("one"));
  const choice = await places.choose(question("play", { tried: new Set(["one"]) }));
  assert.equal(choice?.target.name, "two");
});

test("places: another server could be asked while one is untried, and the stream is not where it was sent", async (t) => {
  useFakeTime(t);
  const { places, leases } = world();
  const ask = (more: Partial<Question> = {}) => places.choose(question("play", { waitMs: 0, ...more }));
  const choice = await ask();
  assert.deepEqual([choice?.target.name, choice?.hasOther()], ["one", true]);
  leases.set(key, lease("one"));
  assert.equal(choice?.hasOther(), false, "the stream is there");
  leases.set(key, lease("two"));
  assert.equal(choice?.hasOther(), true, "the stream is elsewhere");
  leases.clear();
  assert.equal((await ask({ tried: new Set(["one"]) }))?.hasOther(), false, "it is the last");
});

test("places: a publisher's own lease keeps it with no server, another's does", async () => {
  for (const isPublished of [false, true]) {
    const { places, leases } = world();
    if (isPublished) leases.set(key, lease("one"));
    const choice = places.choose(question("publish"));
    leases.set(key, lease("one"));
    places.taken(1, "one");
    assert.equal((await choice)?.hasOther(), !isPublished);
  }
});

/** Every way to say `live/s` of a vhost: as a player's URL has it, or an encoder's two fields. */
const spellings = (vhost: string): [tcUrl: string, stream: string][] => [
  [`rtmp://${vhost}/live`, "s"],
  [`rtmp://${vhost}:1935/live`, "s?token=1"],
  [`rtmp://10.0.0.1/live?vhost=${vhost}`, "s"],
  [`rtmp://10.0.0.1/live`, `s?vhost=${vhost}`],
  [`rtmp://10.0.0.1/live`, `s?token=1&vhost=${vhost}`],
  [`rtmp://10.0.0.1/live?domain=${vhost}`, "s?token=1"],
  [`rtmp://10.0.0.1/live...vhost...${vhost}`, "s"],
  [`rtmp://other.example.com/live?vhost=${vhost}`, "s"],
];

for (const { software, vhosts, names } of [
  { software: "an srs with a.com", vhosts: ["a.com", "__defaultVhost__"], names: { "a.com": "a.com", "b.com": "__defaultVhost__" } },
  { software: "an srs with a.com alone", vhosts: ["a.com"], names: { "a.com": "a.com" } },
  { software: "an nginx", vhosts: [], names: { "a.com": "__defaultVhost__", "b.com": "__defaultVhost__", localhost: "__defaultVhost__" } },
  { software: "a server with a vhost of one word", vhosts: ["plain"], names: { plain: "plain", "10.0.0.1": "__defaultVhost__" } },
] as const) {
  test(`places: a stream behind ${software} has one name, however publisher and player spell it`, () => {
    const known = new Set<string>(vhosts);
    for (const [vhost, wanted] of Object.entries(names)) {
      const keys = spellings(vhost).map(([tcUrl, stream]) => streamKey(resolveStream(tcUrl, "live", stream), known));
      const paths = ["/live/s.flv", "/live/s.flv?token=1"].map((path) => routeOf(path, `${vhost}:8080`, known)?.keys);
      const asked = [...paths, routeOf(`/live/s.flv?vhost=${vhost}`, "10.0.0.1", known)?.keys];
      assert.deepEqual(new Set([...keys, ...asked.flat()]), new Set([`${wanted}/live/s`]), vhost);
    }
  });
}

test("places: a lease that another proxy has held is taken under a number of its own, and released with it", () => {
  const { places, words } = world();
  const held = places.hold(key, "two");
  held.release();
  assert.deepEqual(words, [
    { type: "take", id: held.id, key, backend: "two" },
    { type: "release", id: held.id },
  ]);
});
