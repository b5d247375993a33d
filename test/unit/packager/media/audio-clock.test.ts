import assert from "node:assert/strict";
import { test } from "node:test";
import { tickOf, type AudioClock } from "../../../../src/packager/media/audio-clock.js";

const frame = { samples: 1024, rate: 44_100, isCounted: false };
const exact = (index: number): number => (index * 1024 * 90_000) / 44_100;

test("audio-clock: frames of 23.2 ms join to the tick, though their times are whole milliseconds", () => {
  const clock: AudioClock = { nextTicks: null };
  for (let index = 0; index < 2000; index++) {
    const ticks = tickOf(clock, Math.floor(exact(index) / 90), frame);
    assert.ok(Math.abs(ticks - exact(index)) <= 91, `frame ${index}: ${ticks - exact(index)} ticks off`);
  }
});

test("audio-clock: a publisher whose clock runs by other samples is followed over days", () => {
  const clock: AudioClock = { nextTicks: null };
  const stretch = 1 + 100e-6;
  let last = 0;
  for (let index = 0; index < 200_000; index++) {
    last = tickOf(clock, Math.floor((exact(index) * stretch) / 90), frame);
  }
  assert.ok(Math.abs(last - exact(199_999) * stretch) < 200);
});

test("audio-clock: a gap is one, and what comes behind it counts anew", () => {
  const clock: AudioClock = { nextTicks: null };
  tickOf(clock, 0, frame);
  assert.equal(tickOf(clock, 500, frame), 45_000);
  assert.equal(tickOf(clock, 523, frame), Math.round(45_000 + exact(1)) - 1);
});

test("audio-clock: sound that is to be counted goes by its samples up to half a second", () => {
  const clock: AudioClock = { nextTicks: null };
  const counted = { ...frame, isCounted: true };
  tickOf(clock, 0, counted);
  assert.equal(tickOf(clock, 400, counted), Math.round(exact(1)) + 1);
});
