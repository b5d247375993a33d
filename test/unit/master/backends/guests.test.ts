import assert from "node:assert/strict";
import { test } from "node:test";
import { Guests, maxGuests, readGuest } from "../../../../src/master/backends/guests.js";

/** A clock of the test's. */
function rig(): { guests: Guests; told: string[]; pass: (ms: number) => void } {
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  const told: string[] = [];
  const after = (delayMs: number, run: () => void): (() => void) => {
    const timer = { atMs: nowMs + delayMs, run };
    timers.push(timer);
    return () => (timers = timers.filter((one) => one !== timer));
  };
  const guests = new Guests({
    timers: { nowMs: () => nowMs, after },
    came: ({ name, rtmp }) => void told.push(`came ${name} ${rtmp.host}:${rtmp.port}`),
    left: (name) => void told.push(`left ${name}`),
  });
  const pass = (ms: number): void => {
    nowMs += ms;
    const due = timers.filter(({ atMs }) => atMs <= nowMs);
    timers = timers.filter((one) => !due.includes(one));
    for (const { run } of due) run();
  };
  return { guests, told, pass };
}

const body = { ip: "10.0.0.5", server: "vid-a", service: "x1", pid: "7", rtmp: ["1935"], http: ["8080"] };

test("guests: one that registers comes once, and leaves when it is silent for three beats of its own", () => {
  const { guests, told, pass } = rig();
  assert.equal(guests.register(body), null);
  for (let i = 0; i < 10; i++) {
    pass(2_000);
    assert.equal(guests.register(body), null);
  }
  assert.deepEqual(told, ["came guest-vid-a-7 10.0.0.5:1935"]);
  pass(5_000);
  assert.equal(told.length, 1);
  pass(1_000);
  assert.deepEqual(told.slice(1), ["left guest-vid-a-7"]);
});

test("guests: one that was started anew takes the place of what it was", () => {
  const { guests, told } = rig();
  guests.register(body);
  guests.register({ ...body, service: "x2", pid: "8" });
  assert.deepEqual(told, ["came guest-vid-a-7 10.0.0.5:1935", "left guest-vid-a-7", "came guest-vid-a-8 10.0.0.5:1935"]);
});

test(`guests: there are ${maxGuests} at most`, () => {
  const { guests } = rig();
  for (let i = 0; i < maxGuests; i++) assert.equal(guests.register({ ...body, pid: String(i), rtmp: [String(2000 + i)] }), null);
  assert.match(guests.register({ ...body, pid: "999" }) ?? "", /200 servers are registered already/);
});

for (const [rtmp, expected] of [
  ["1935", "10.0.0.5:1935"],
  ["tcp://:1935", "10.0.0.5:1935"],
  ["tcp://0.0.0.0:1935", "10.0.0.5:1935"],
  ["127.0.0.1:1935", "10.0.0.5:1935"],
  ["tcp://1.2.3.4:1936", "1.2.3.4:1936"],
] as const) {
  test(`guests: ${rtmp} is ${expected}`, () => {
    const { guest } = readGuest({ ...body, rtmp: [rtmp] });
    assert.equal(`${guest.rtmp.host}:${guest.rtmp.port}`, expected);
  });
}

for (const wrong of [
  null,
  {},
  { ...body, ip: "a" },
  { ...body, rtmp: [] },
  { ...body, rtmp: ["x"] },
  { ...body, rtmp: ["99999"] },
  { ...body, server: "a b" },
]) {
  test(`guests: ${JSON.stringify(wrong)} is refused with a sentence`, () => {
    assert.equal(typeof rig().guests.register(wrong), "string");
  });
}
