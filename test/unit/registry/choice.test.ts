import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, chooseOrigins, maxDirectPulls, type Choice, type ChoiceParts } from "../../../src/registry/choice.js";
import { parseOffers, type Offer } from "../../../src/registry/offers.js";

interface Site {
  readonly zone?: string;
  readonly ownerZone?: string;
  readonly ownerLoad?: number;
  readonly offers?: readonly Offer[];
  readonly nodes?: Readonly<
    Record<string, { readonly load?: number; readonly state?: "ready" | "draining"; readonly epoch?: string } | null>
  >;
  readonly present?: string;
  readonly isLost?: boolean;
  readonly picks?: Readonly<Record<string, number>>;
  readonly random?: () => number;
}

function offer(node: string, ...path: string[]): Offer {
  return { node, epoch: "e", path: path.length === 0 ? ["owner"] : path };
}

function chosen(site: Site): Promise<Choice> {
  const { zone = "south", ownerZone = "north", ownerLoad = 0, offers = [], nodes = {}, picks = {} } = site;
  const parts: ChoiceParts = {
    self: { id: "self", zone },
    owner: "owner",
    offers,
    present: site.present ?? null,
    isLost: site.isLost ?? false,
    picks: (node) => picks[node] ?? 0,
    read(node) {
      if (node === "owner") return Promise.resolve({ epoch: "e", zone: ownerZone, state: "ready", load: ownerLoad });
      const known = nodes[node];
      return Promise.resolve(known === null ? null : { epoch: "e", zone, state: "ready", load: 0, ...known });
    },
    random: site.random ?? (() => 0),
  };
  return choose(parts);
}

const serversOf = async (site: Site): Promise<readonly string[]> => (await chosen(site)).servers;

void test("a stream of another zone is pulled from a box of the own zone that has it, and else from its owner", async () => {
  assert.deepEqual(await serversOf({}), ["owner"]);
  assert.deepEqual(await serversOf({ offers: [offer("b")] }), ["b", "owner"]);
  assert.match((await chosen({ offers: [offer("b")] })).why, /owner is in north, and b in south has it/);
  assert.match((await chosen({})).why, /no box of south/);
});

void test("in its own zone the owner serves some boxes itself, and those that come then go to these", async () => {
  const same = { zone: "north" };
  const some = (count: number): readonly Offer[] => Array.from({ length: count }, (_, at) => offer(`n${at}`));
  assert.deepEqual(await serversOf({ ...same, offers: some(maxDirectPulls - 1) }), ["owner"]);
  assert.deepEqual(await serversOf({ ...same, offers: some(maxDirectPulls) }), ["n0", "owner"]);
  assert.deepEqual(await serversOf({ zone: "", ownerZone: "", offers: some(1) }), ["owner"]);
  assert.deepEqual(await serversOf({ ...same, offers: some(1), ownerLoad: 0.9 }), ["n0", "owner"]);
});

void test("of two that were drawn the one with less to do is taken: by its load, by who pulls from it, by what was chosen a moment ago", async () => {
  const offers = [offer("b"), offer("c")];
  assert.deepEqual(await serversOf({ offers, nodes: { b: { load: 0.5 }, c: { load: 0.4 } } }), ["c", "owner"]);
  assert.deepEqual(await serversOf({ offers: [...offers, offer("d", "b", "owner"), offer("e", "b", "owner")] }), ["c", "owner"]);
  assert.deepEqual(await serversOf({ offers, picks: { b: 2, c: 1 } }), ["c", "owner"]);
  assert.deepEqual(await serversOf({ offers: [offer("b", "x", "owner"), offer("c")] }), ["c", "owner"], "the shorter way");
});

void test("boxes that are dead, full or about to end are left out, and who is dead is named", async () => {
  const offers = [offer("b"), offer("c"), offer("d"), offer("f")];
  const nodes = { b: null, c: { load: 0.9 }, d: { state: "draining" as const }, f: { epoch: "another life" } };
  const { servers, dead } = await chosen({ offers, nodes });
  assert.deepEqual(servers, ["owner"]);
  assert.deepEqual(
    dead.map(({ node }) => node),
    ["b", "f"],
  );
});

void test("no way leads in a circle, over too many boxes or to who had it before", async () => {
  const circle = offer("b", "self", "owner");
  const long = offer("c", "x", "y", "owner");
  const stale = offer("d", "former");
  assert.deepEqual(await serversOf({ offers: [circle, long, stale, offer("self")] }), ["owner"]);
});

void test("what comes from somewhere stays there while that is good", async () => {
  const offers = [offer("b"), offer("c")];
  assert.deepEqual(await serversOf({ offers, present: "c" }), ["c", "owner"]);
  assert.deepEqual(await serversOf({ offers, present: "owner" }), ["owner"]);
  assert.deepEqual(await serversOf({ offers: [offer("b")], present: "c" }), ["b", "owner"], "c has it no more");
});

void test("who has lost it in the owner's zone is told of another way as well", async () => {
  assert.deepEqual(await serversOf({ zone: "north", offers: [offer("b")], isLost: true }), ["owner", "b"]);
  assert.deepEqual(await serversOf({ zone: "north", isLost: true }), ["owner"]);
});

void test("the way of a choice is told with it, and offers that cannot be read are left out", async () => {
  const { paths } = await chosen({ offers: [offer("b", "x", "owner")] });
  assert.deepEqual(paths.get("b"), ["b", "x", "owner"]);
  assert.deepEqual(paths.get("owner"), ["owner"]);
  assert.deepEqual(parseOffers(["b", "e x,owner", "c", "nothing", "d", ""]), [{ node: "b", epoch: "e", path: ["x", "owner"] }]);
});

void test("a publisher is passed on to a box of the own zone, of two the one with less to do, and never to an edge or to one that ends", () => {
  const node = (id: string, more: object): { id: string; heardMs: number; record: string; roll: string } => {
    const record = `e run ${JSON.stringify({ rtmp: id, version: "", zone: "south", state: "ready", load: 0, clients: 0, isEdge: false, ...more })}`;
    return { id, heardMs: 0, record, roll: "" };
  };
  const nodes = [
    node("self", {}),
    node("edge", { isEdge: true }),
    node("ending", { state: "draining" }),
    node("far", { zone: "north" }),
    node("busy", { load: 0.5 }),
    node("idle", { load: 0.1 }),
    { id: "lost", heardMs: 0, record: "", roll: "" },
  ];
  const self = { id: "self", zone: "south", random: () => 0 };
  assert.deepEqual(chooseOrigins(nodes, self), ["idle", "busy", "far"]);
  assert.deepEqual(chooseOrigins(nodes, { ...self, zone: "north" }).slice(0, 1), ["far"]);
  assert.deepEqual(chooseOrigins([], self), []);
});
