import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import type { Claims } from "../../../../src/ipc/locating.js";
import { Right } from "../../../../src/server/rtmp/right.js";

const name = { vhost: "__defaultVhost__", app: "live", stream: "show" };

/** A publisher who asks where another box has the stream; the codes of what he hears. */
async function refusals(underWaySinceMs: number | null): Promise<string[]> {
  const busy = (): Promise<never> => Promise.reject(new DolphinError("RTMP_BUSY", "at 10.0.0.5:1935"));
  const claims: Claims = { claim: busy, fence: busy };
  const codes: string[] = [];
  const onRefused = ({ code }: DolphinError): void => void codes.push(code);
  const right = new Right({ claims, name, underWaySinceMs, onGranted: () => undefined, onRefused, onSure: () => undefined });
  assert.equal(right.ask(), underWaySinceMs !== null);
  await new Promise((resolve) => setImmediate(resolve));
  return codes;
}

test("right: a publisher who is moved to another process while another box has his stream has lost it, and does not wait for it", async () => {
  assert.deepEqual(await refusals(1), ["REGISTRY_LOST"]);
});

test("right: a publisher who has just come is told that the stream is busy, and may ask again", async () => {
  assert.deepEqual(await refusals(null), ["RTMP_BUSY"]);
});
