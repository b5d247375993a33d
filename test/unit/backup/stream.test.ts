import assert from "node:assert/strict";
import { test } from "node:test";
import { numbersFrom } from "../../helpers/soak.js";
import { World, leaseMs, type Node } from "./world.js";

const lead = (node: Node): string => node.stream.roll.lead;
const ids = (node: Node): string[] => node.stream.shown.entries.map(({ id }) => id);
const breaks = (node: Node): number => node.stream.shown.entries.filter(({ isDiscontinuous }) => isDiscontinuous).length;

/** Segments of the stream's time that are in the list, by the order of its servers, which write the same. */
const sequences = (node: Node): number[] => ids(node).map((id) => Number(id.split("_")[2]));

test("backup: two nodes give the same list of the same server, without a break, and change nothing for nothing", () => {
  const world = new World();
  world.run(30_000);
  world.assertSame();
  assert.equal(new Set([...ids(world.a)].map((id) => id[0])).size, 1);
  assert.equal(breaks(world.a), 0);
  assert.equal(lead(world.a), lead(world.b));
});

for (const phaseMs of [0, 500, 1500]) {
  test(`backup: when the server of the lead dies the other goes on behind one break, repeating less than a segment (phase ${phaseMs} ms)`, () => {
    const world = new World({ phaseMs });
    world.run(15_000);
    const [first, second] = lead(world.a) === "a" ? [world.a, world.b] : [world.b, world.a];
    first.isServerUp = false;
    world.run(9000);
    world.assertSame();
    assert.equal(lead(world.a), second.name);
    assert.equal(breaks(world.a), 1);
    const told = sequences(world.a);
    const seam = ids(world.a).findIndex((id) => id.startsWith(second.name));
    const step = told[seam]! - told[seam - 1]!;
    assert.ok(phaseMs === 0 ? step === 1 : step === 0 || step === 1, told.join(" "));
    first.isServerUp = true;
    first.publish = 2;
    world.run(15_000);
    assert.equal(lead(world.a), second.name, "who leads well is left to it");
    world.assertAgree();
  });
}

for (const killed of ["lead", "follower"] as const) {
  test(`backup: when the node that is the ${killed} dies the other goes on with the next number, and with it again when it is back`, () => {
    const world = new World();
    world.run(15_000);
    const isLead = (node: Node): boolean => (lead(world.a) === node.name) === (killed === "lead");
    const victim = isLead(world.a) ? world.a : world.b;
    const other = victim === world.a ? world.b : world.a;
    const next = other.stream.told;
    world.kill(victim);
    world.run(10_000);
    assert.ok(other.stream.told >= next + 3, `${other.stream.told} after ${next}`);
    assert.equal(other.stream.roll.termStart <= next + 1, true, "numbers go on without a gap");
    assert.equal(breaks(other), killed === "lead" ? 1 : 0);
    world.start(victim);
    world.run(10_000);
    world.assertSame();
    world.assertAgree();
    assert.equal(lead(world.a), other.name);
  });
}

test("backup: a lead that restarts within the lease stays it, and what it missed is one break", () => {
  const world = new World();
  world.run(15_000);
  const victim = lead(world.a) === "a" ? world.a : world.b;
  world.kill(victim);
  world.run(1000);
  world.start(victim);
  world.run(8000);
  assert.equal(lead(world.a), victim.name);
  world.assertSame();
  world.assertAgree();
});

test("backup: cut apart both go on, and together again they go on with numbers that neither has used", () => {
  const world = new World({ phaseMs: 500 });
  world.run(15_000);
  world.isCut = true;
  world.run(15_000);
  const highest = Math.max(world.a.stream.told, world.b.stream.told);
  assert.notEqual(lead(world.a), lead(world.b));
  assert.ok(ids(world.a).at(-1)!.startsWith("a") && ids(world.b).at(-1)!.startsWith("b"));
  world.isCut = false;
  world.run(4000);
  world.assertSame();
  assert.ok(world.a.stream.roll.first >= highest, "a new list");
  world.run(20_000);
  world.assertSame();
  world.assertAgree();
});

test("backup: clocks that are 2 s apart move neither the seam nor programme time", () => {
  for (const skewMs of [-2000, 2000]) {
    const world = new World({ skewMs });
    world.run(15_000);
    const first = lead(world.a) === "a" ? world.a : world.b;
    first.isServerUp = false;
    world.run(9000);
    const { entries } = world.a.stream.roll;
    assert.equal(breaks(world.a), 1);
    for (const [index, { programTimeMs, durationMs }] of entries.entries()) {
      const next = entries[index + 1];
      if (next !== undefined) assert.ok(Math.abs(next.programTimeMs - programTimeMs - durationMs) <= 500, JSON.stringify(entries));
    }
    assert.deepEqual(
      sequences(world.a),
      sequences(world.a).map((_, index) => sequences(world.a)[0]! + index),
    );
  }
});

test("backup: a node that comes back after an hour without its peer uses no number again that the peer may have used", () => {
  const world = new World();
  world.run(15_000);
  world.kill(world.b);
  world.run(3_600_000);
  const used = world.a.stream.told;
  world.kill(world.a);
  world.run(5000);
  world.start(world.b);
  world.run(15_000);
  assert.ok(world.b.stream.roll.first >= used, `${world.b.stream.roll.first} behind ${used}`);
  world.start(world.a);
  world.run(15_000);
  world.assertSame();
  world.assertAgree();
});

test("backup: both restart, and one that has lost its disk copies the other", () => {
  const world = new World();
  world.run(15_000);
  for (const node of world.nodes) world.kill(node);
  world.run(20_000);
  world.b.saved = null;
  world.b.bytes.clear();
  const used = world.a.stream.told;
  for (const node of world.nodes) world.start(node);
  world.run(15_000);
  world.assertSame();
  assert.ok(world.a.stream.told > used);
  world.assertAgree();
});

test("backup: a list keeps its window and its target duration, and what leaves it goes after a grace", () => {
  const world = new World();
  world.run(120_000);
  assert.equal(world.a.stream.shown.entries.length, 10);
  assert.equal(world.a.stream.roll.targetSeconds, 2);
  const kept = new Set(world.a.stream.ids());
  assert.ok(kept.size >= 20 && kept.size <= 40, String(kept.size));
});

test("backup: whatever dies, is cut off and comes back, viewers of each node see numbers that only grow and never change", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = numbersFrom(seed);
    const world = new World({ skewMs: Math.round((random() - 0.5) * 8000), phaseMs: Math.floor(random() * 8) * 250, segmentMs: 2000 });
    const trail: string[] = [];
    try {
      for (let turn = 0; turn < 25; turn++) {
        const node = random() < 0.5 ? world.a : world.b;
        const chance = random();
        if (chance < 0.25) world.isCut = !world.isCut;
        else if (chance < 0.5) {
          if (node.isUp) world.kill(node);
          else world.start(node);
        } else if (chance < 0.75) {
          node.isServerUp = !node.isServerUp;
          node.publish += 1;
        }
        trail.push(`${world.nowMs} cut ${world.isCut} ${world.nodes.map((one) => `${one.name} ${one.isUp} ${one.isServerUp}`).join(" ")}`);
        world.run(Math.floor(random() * 30) * 500);
      }
      world.isCut = false;
      for (const node of world.nodes) {
        node.isServerUp = true;
        if (!node.isUp) world.start(node);
      }
      world.run(5 * leaseMs + 20_000);
      const told = world.a.stream.told;
      world.assertSame();
      world.run(10_000);
      world.assertSame();
      assert.ok(world.a.stream.told >= told + 4, "it goes on");
      world.assertAgree();
    } catch (thrown) {
      throw new Error(`seed ${seed}: ${trail.join("\n")}`, { cause: thrown });
    }
  }
});

test("backup: a peer that is there and cannot copy is waited for once, and counts again when it can", () => {
  const world = new World();
  world.run(15_000);
  const first = lead(world.a) === "a" ? world.a : world.b;
  const other = first === world.a ? world.b : world.a;
  other.isDeaf = true;
  world.run(8000);
  const told = first.stream.told;
  world.run(10_000);
  assert.ok(first.stream.told >= told + 4, "it goes on segment by segment");
  assert.ok(other.stream.told < told);
  other.isDeaf = false;
  world.run(4000);
  world.assertSame();
});
