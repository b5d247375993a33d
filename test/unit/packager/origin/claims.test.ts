import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Claims } from "../../../../src/packager/origin/claims.js";
import { Sharing } from "../../../../src/packager/origin/sharing.js";

type Asked = [key: string, by: string, cost: number];

function claimsOf(folder: string, name: string, cost: number, asked: Asked[] = [], group = "g"): Claims {
  return new Claims({ folder, group, name, cost: () => cost, onAsked: (...said) => void asked.push(said) });
}

test(
  "claims: what one has, another waits for and gets as soon as it is let go of; who waits says what he carries",
  { skip: process.platform !== "linux" },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "dolphin-claims-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const asked: Asked[] = [];
    const [one, other, stranger] = [
      claimsOf(folder, "one", 0, asked),
      claimsOf(folder, "other", 7),
      claimsOf(folder, "stranger", 7, [], "another box"),
    ];
    const claim = await one.take("s");
    assert.ok(claim !== null);
    assert.ok((await other.take("t")) !== null, "another key is another's");
    let hasIt = false;
    const waiting = other.take("s").then((taken) => {
      hasIt = true;
      return taken;
    });
    const strange = stranger.take("s");
    while (asked.length === 0) await new Promise(setImmediate);
    assert.deepEqual([asked, hasIt], [[["s", "other", 7]], false]);
    stranger.close();
    assert.equal(await strange, null, "waiting can be ended");
    claim.release();
    (await waiting)?.release();
    one.close();
    other.close();
  },
);

test("sharing: a stream goes to a packager that carries less, until both carry alike", () => {
  const bytes = new Map<string, number>();
  const sharing = new Sharing(() => true);
  for (const key of ["a", "b", "c", "d"]) sharing.add(key, () => bytes.get(key) ?? 0);
  const given = ["a", "b", "c", "d"].filter((key) => {
    const isGiven = sharing.isFor(key, "other", 0);
    if (isGiven) sharing.remove(key);
    return isGiven;
  });
  assert.deepEqual(given, ["a", "b"], "what it said before it was given any counts with what it was given");
  assert.equal(new Sharing(() => false).cost(), null);
});

test("sharing: what streams cost is what they bring", () => {
  const sharing = new Sharing(() => true);
  let bytes = 0;
  sharing.add("a", () => bytes);
  for (let second = 0; second < 40; second++) {
    bytes += 1_000_000;
    sharing.measure(1);
  }
  assert.ok(Math.abs((sharing.cost() ?? 0) - 1_000_000) < 10);
});
