import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeptTexts, textFreshMs } from "../../../../src/admin/box/kept-texts.js";

describe("answers of a moment ago", () => {
  it("are told again for a second", () => {
    const texts = new KeptTexts();
    texts.put("/api/v1/summaries", Buffer.from("{}"), 0);
    assert.equal(texts.get("/api/v1/summaries", textFreshMs - 1)?.toString(), "{}");
    assert.equal(texts.get("/api/v1/summaries", textFreshMs), null);
    assert.equal(texts.get("/api/v1/streams/", 0), null);
  });

  it("take little memory, whatever is asked", () => {
    const texts = new KeptTexts();
    const kept = (): number => Array.from({ length: 1000 }, (_, i) => texts.get(String(i), 0)).filter((text) => text !== null).length;
    for (let i = 0; i < 1000; i++) texts.put(String(i), Buffer.from("{}"), 0);
    assert.ok(kept() <= 64);
    for (let i = 0; i < 1000; i++) texts.put(String(i), Buffer.alloc(1 << 20), 0);
    assert.ok(kept() <= 8);
    texts.put("large", Buffer.alloc(9 << 20), 0);
    assert.equal(texts.get("large", 0), null);
  });
});
