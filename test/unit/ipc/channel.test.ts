import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { channelToChild, channelToMaster } from "../../../src/ipc/channel.js";
import type { FromChild, ToChild } from "../../../src/ipc/messages.js";

/** A pipe whose far end is the test. */
class FakeWire extends EventEmitter {
  connected = true;
  readonly sent: unknown[] = [];

  send(message: unknown, sent?: () => void): boolean {
    this.sent.push(message);
    sent?.();
    return true;
  }
}

const deaf = { message: () => undefined, invalid: () => undefined };

describe("a channel", () => {
  it("sends what it is given and tells when it is on its way", () => {
    const wire = new FakeWire();
    let onItsWay = 0;
    const isSent = channelToMaster(wire, deaf).send({ type: "hello" }, () => (onItsWay += 1));
    assert.ok(isSent);
    assert.deepEqual(wire.sent, [{ type: "hello" }]);
    assert.equal(onItsWay, 1);
  });

  it("hands over what the other side says", () => {
    const wire = new FakeWire();
    const heard: FromChild[] = [];
    channelToChild(wire, { ...deaf, message: (message) => heard.push(message) });
    wire.emit("message", { type: "hello" });
    assert.deepEqual(heard, [{ type: "hello" }]);
  });

  it("drops what the other side never says, with a code", () => {
    const wire = new FakeWire();
    const heard: ToChild[] = [];
    const codes: string[] = [];
    channelToMaster(wire, { message: (message) => heard.push(message), invalid: (error) => codes.push(error.code) });
    for (const message of [{ type: "hello" }, { type: 1 }, null, "stop", undefined, 7]) wire.emit("message", message);
    assert.deepEqual(heard, []);
    assert.deepEqual(
      codes,
      Array.from({ length: 6 }, () => "IPC_MESSAGE"),
    );
  });

  it("says when there is nobody to send to, and does not throw", () => {
    const wire = new FakeWire();
    const channel = channelToChild(wire, deaf);
    wire.connected = false;
    let told = 0;
    assert.equal(
      channel.send({ type: "stop", reason: "test", isReplaced: false }, () => (told += 1)),
      false,
    );
    assert.equal(told, 1);
    assert.deepEqual(wire.sent, []);
  });

  it("neither hears nor sends after it is closed, twice", () => {
    const wire = new FakeWire();
    const heard: FromChild[] = [];
    const channel = channelToChild(wire, { ...deaf, message: (message) => heard.push(message) });
    channel.close();
    channel.close();
    wire.emit("message", { type: "hello" });
    assert.equal(channel.send({ type: "stop", reason: "test", isReplaced: false }), false);
    assert.deepEqual([heard, wire.sent], [[], []]);
  });
});
