import assert from "node:assert/strict";
import { test } from "node:test";
import { ChildrensClaims } from "../../../src/cluster/childrens-claims.js";
import type { Claimant } from "../../../src/ipc/locating.js";
import { ChildClaims } from "../../../src/worker/claiming.js";

const name = { vhost: "__defaultVhost__", app: "live", stream: "show" };

function claimant(): Claimant & { readonly lost: string[] } {
  const lost: string[] = [];
  return {
    id: "p1",
    underWaySinceMs: null,
    lost,
    onAir: () => undefined,
    onSure: () => undefined,
    onLost: ({ code }) => void lost.push(code),
  };
}

test("claiming: a right that is lost in the moment in which it is given is lost", async () => {
  const claims = new ChildClaims(() => undefined);
  const by = claimant();
  const asked = claims.claim(name, by);
  claims.heard({ type: "right", publish: "p1", right: "owner" });
  claims.heard({ type: "right", publish: "p1", right: "lost" });
  const claim = await asked;
  assert.deepEqual([by.lost, claim.mayPass()], [["REGISTRY_LOST"], false]);
  claim.release();
});

test("claiming: who publishes because the master was silent, and is to stand by as it answers, has lost the stream", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const claims = new ChildClaims(() => undefined);
  const by = claimant();
  const asked = claims.claim(name, by);
  t.mock.timers.tick(3_000);
  const claim = await asked;
  assert.equal(claim.mayPass(), true);
  claims.heard({ type: "right", publish: "p1", right: "standby" });
  assert.deepEqual([by.lost, claim.mayPass()], [["REGISTRY_LOST"], false]);
  claim.release();
});

test("claiming: since when he publishes whom another process has let go on here, the registry in the master hears", () => {
  const heard: (number | null)[] = [];
  const registry = {
    claim: (_name: unknown, { underWaySinceMs }: Claimant) => (heard.push(underWaySinceMs), new Promise<never>(() => undefined)),
    fence: () => Promise.resolve(0),
    recheck: () => undefined,
  };
  const master = new ChildrensClaims(registry, () => undefined);
  const claims = new ChildClaims((message) => master.heard("edge-1", message));
  for (const underWaySinceMs of [null, 1_700_000_000_000]) void claims.claim(name, { ...claimant(), underWaySinceMs });
  assert.deepEqual(heard, [null, 1_700_000_000_000]);
});
