// Everything that can happen to the processes of a box, in random order, for as long as it is told: DOLPHIN_SOAK_S seconds, and
// DOLPHIN_SOAK_SEED for the same order again. What each blow is held to is in helpers/blows.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deaths, replacements, StruckBox, type Blow } from "../helpers/blows.js";
import { numbersFrom, soakSeconds, soakSeed } from "../helpers/soak.js";

const blows: readonly Blow[] = [...deaths, ...replacements];

void test(`for ${soakSeconds} s whatever can happen happens: nobody is disconnected (seed ${soakSeed})`, async (t) => {
  const random = numbersFrom(soakSeed);
  const box = await StruckBox.start(t, random);
  const untilMs = Date.now() + soakSeconds * 1000;
  while (Date.now() < untilMs) {
    // Deaths in a row are answered with longer and longer waits: something gentle comes in between.
    const wasDeath = (deaths as readonly Blow[]).includes(box.done.at(-1) ?? "restart");
    const choice = wasDeath ? replacements : blows;
    await box.strike(choice[Math.floor(random() * choice.length)]!);
  }
  const counts = blows.map((blow) => `${box.done.filter((one) => one === blow).length} × ${blow}`);
  assert.ok(box.done.length > 0);
  t.diagnostic(`seed ${soakSeed}: ${await box.end()}; ${counts.join(", ")}`);
});
