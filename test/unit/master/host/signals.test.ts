import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { causeOf } from "../../../../src/base/programs/tied.js";
import { Signals, type MasterSignal } from "../../../../src/master/host/signals.js";

// `process.emit` takes the way of a real signal without the kernel's delay.
const raise = (signal: NodeJS.Signals): boolean => process.emit(signal, signal);

describe("signals", () => {
  it("are kept until somebody listens, then told in order", () => {
    const signals = new Signals();
    raise("SIGHUP");
    raise("SIGTERM");
    const heard: MasterSignal[] = [];
    signals.listen((signal) => heard.push(signal));
    raise("SIGUSR1");
    assert.deepEqual(heard, ["SIGHUP", "SIGTERM", "SIGUSR1"]);
    signals.close();
  });

  it("are taken and told to nobody after the end", () => {
    const signals = new Signals();
    const heard: MasterSignal[] = [];
    signals.listen((signal) => heard.push(signal));
    signals.close();
    raise("SIGTERM");
    assert.deepEqual(heard, []);
  });
});

describe("the end of a process in words", () => {
  it("is its signal or its exit code", () => {
    assert.equal(causeOf(null, "SIGKILL"), "killed by SIGKILL");
    assert.equal(causeOf(70, null), "exit 70");
    assert.equal(causeOf(null, null), "exit unknown");
  });
});
