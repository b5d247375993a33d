import assert from "node:assert/strict";
import { test } from "node:test";
import { decide, type Side } from "../../../src/backup/election.js";
import { emptyRoll } from "../../../src/backup/roll.js";

/** `4a 100-110 told 110 live`: term 4 of a, numbers from its start up to the next. */
function side(text: string): Side {
  if (text === "nothing") return { roll: emptyRoll, told: 0, isLive: false };
  if (text === "nothing live") return { roll: emptyRoll, told: 0, isLive: true };
  const [, term = "", lead = "", start = "", next = "", told = "", live] = /^(\d+)(\w) (\d+)-(\d+) told (\d+)( live)?$/.exec(text) ?? [];
  const entry = { id: "", sha256: "", sizeBytes: 0, durationMs: 0, isDiscontinuous: false, programTimeMs: 0 };
  const entries = Array.from({ length: 3 }, () => entry);
  const roll = { ...emptyRoll, term: Number(term), lead, termStart: Number(start), first: Number(next) - 3, entries };
  return { roll, told: Number(told), isLive: live !== undefined };
}

for (const [link, mine, peer, decision] of [
  ["joining", "4a 100-110 told 110 live", "nothing", "wait"],
  ["alone", "4a 100-110 told 110 live", "nothing", "lead"],
  ["alone", "4b 100-110 told 110 live", "nothing", "takeOver"],
  ["alone", "4b 100-110 told 110", "nothing", "wait"],
  ["alone", "nothing live", "nothing", "takeOver"],
  ["linked", "nothing live", "nothing live", "takeOver"],
  ["linked", "nothing", "nothing live", "wait"],
  ["linked", "nothing live", "4b 100-110 told 110 live", "follow"],
  ["linked", "4a 100-110 told 110 live", "4a 100-110 told 110 live", "lead"],
  ["linked", "4a 100-110 told 110", "4a 100-110 told 110 live", "lead"],
  ["linked", "4a 100-108 told 108 live", "4a 100-110 told 110 live", "follow"],
  ["linked", "4b 100-110 told 110 live", "4b 100-110 told 110 live", "wait"],
  ["linked", "4b 100-110 told 110 live", "4b 100-110 told 110", "takeOver"],
  ["linked", "4b 100-110 told 110", "4b 100-110 told 110", "wait"],
  ["linked", "4b 100-109 told 109 live", "4b 100-110 told 110", "follow"],
  ["linked", "4a 100-110 told 110 live", "5b 110-112 told 112 live", "follow"],
  ["linked", "4a 100-112 told 112 live", "5b 110-112 told 112 live", "wait"],
  ["linked", "5a 110-112 told 112 live", "4b 100-110 told 110 live", "lead"],
  ["linked", "5a 110-112 told 112 live", "4b 100-112 told 112 live", "beginAnew"],
  ["linked", "5b 110-112 told 112 live", "4b 100-110 told 110 live", "wait"],
  ["linked", "1a 100-101 told 100 live", "1b 100-101 told 100 live", "lead"],
  ["linked", "1b 100-101 told 100 live", "1a 100-101 told 100 live", "follow"],
] as const) {
  const me = decision === "follow" && mine.startsWith("1b") ? "b" : "a";
  test(`election: ${link}, ${me} has ${mine}, its peer ${peer}: ${decision}`, () => {
    assert.equal(decide(me, side(mine), side(peer), link), decision);
  });
}
