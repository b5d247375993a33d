import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError, type ErrorCode } from "../../../src/base/errors.js";
import { parseCommand } from "../../../src/codec/rtmp/command.js";
import { messageType, type Message } from "../../../src/codec/rtmp/message.js";
import { Publisher, type Connection, type ConnectionHandler } from "../../../src/publisher/publisher.js";
import { maxWaitingBytes, stallTimeoutMs } from "../../../src/publisher/playout.js";
import { FakeTimers } from "../fake-timers.js";

/** A connection that does what the test says. */
class FakeConnection implements Connection {
  readonly handler: ConnectionHandler;
  readonly sent: (number | string)[] = [];
  backlogBytes = 0;
  closedBy: string | null = null;
  isGone = false;

  constructor(handler: ConnectionHandler) {
    this.handler = handler;
  }

  write(messages: readonly Message[]): void {
    assert.equal(this.closedBy, null, "nothing is written to a connection that is closed");
    for (const message of messages) this.sent.push(message.type === messageType.command ? parseCommand(message).name : message.timestamp);
  }

  close(reason: DolphinError): void {
    if (this.closedBy !== null) return;
    this.closedBy = reason.code;
    this.handler.onClosed(reason);
  }

  fail(code: ErrorCode): void {
    this.close(new DolphinError(code, `${code} it was`));
  }
}

class Rig {
  readonly timers = new FakeTimers();
  readonly connections: FakeConnection[] = [];
  readonly told: string[] = [];
  openTapes = 0;
  readonly publisher: Publisher;

  /** `lengths`: of each tape that is opened, in messages of 40 ms; null: it cannot be. */
  constructor(lengths: readonly (number | null)[] = []) {
    let opened = 0;
    this.publisher = new Publisher({
      openTape: () => {
        const length = lengths[opened++] ?? (lengths.length >= opened ? null : Infinity);
        if (length === null) throw new DolphinError("FLV_FILE", "gone");
        this.openTapes += 1;
        let at = 0;
        return {
          next: () => (at < length ? { type: 9, streamId: 1, timestamp: 40 * at++, payload: Buffer.of(0x27, 1) } : null),
          close: () => (this.openTapes -= 1),
        };
      },
      connect: (handler) => {
        const connection = new FakeConnection(handler);
        this.connections.push(connection);
        return connection;
      },
      timers: this.timers,
      onStarted: (isAgain) => this.told.push(isAgain ? "again" : "started"),
      onLost: ({ code }) => this.told.push(`lost ${code}`),
      onEnd: (error) => this.told.push(`end ${error?.code ?? "well"}`),
    });
  }

  get connection(): FakeConnection {
    return this.connections.at(-1)!;
  }
}

test("publisher: it plays as soon as the server accepts, and not before", () => {
  const rig = new Rig();
  rig.timers.pass(1000);
  assert.deepEqual([rig.told, rig.connection.sent], [[], []]);
  rig.connection.handler.onStarted();
  rig.timers.pass(80);
  assert.deepEqual([rig.told, rig.connection.sent], [["started"], [0, 40, 80]]);
});

for (const code of ["RELAY_CONNECT", "RELAY_TIMEOUT", "RELAY_CLOSED", "RELAY_REFUSED", "RTMP_BUSY"] as const) {
  test(`publisher: ${code} at the first time is the end`, () => {
    const rig = new Rig();
    rig.connection.fail(code);
    rig.timers.pass(60_000);
    assert.deepEqual([rig.told, rig.connections.length], [[`end ${code}`], 1]);
  });
}

test("publisher: a server that goes away is asked again with growing pauses, told once, and gets the tape from its beginning", () => {
  const rig = new Rig();
  rig.connection.handler.onStarted();
  rig.timers.pass(100);
  rig.connection.fail("RELAY_CLOSED");
  const pauses: number[] = [];
  for (let tries = 0; tries < 6; tries++) {
    const [from, before] = [rig.timers.nowMs(), rig.connections.length];
    while (rig.connections.length === before) rig.timers.pass(100);
    pauses.push(rig.timers.nowMs() - from);
    rig.connection.fail("RELAY_CONNECT");
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 15_000, 15_000]);
  assert.deepEqual([rig.told, rig.openTapes], [["started", "lost RELAY_CLOSED"], 0]);
  rig.timers.pass(15_000);
  rig.connection.handler.onStarted();
  rig.timers.pass(40);
  assert.deepEqual([rig.told.at(-1), rig.connection.sent], ["again", [0, 40]]);
  rig.connection.fail("RELAY_CLOSED");
  rig.timers.pass(1000);
  assert.deepEqual([rig.told.at(-1), rig.connections.length], ["lost RELAY_CLOSED", 9], "it begins with a short pause again");
});

test("publisher: a server that is back and says no is told, each refusal once", () => {
  const rig = new Rig();
  rig.connection.handler.onStarted();
  for (const code of ["RELAY_CLOSED", "RELAY_CONNECT", "RTMP_BUSY", "RTMP_BUSY", "RELAY_REFUSED", "RELAY_REFUSED"] as const) {
    rig.connection.fail(code);
    rig.timers.pass(15_000);
  }
  assert.deepEqual(rig.told, ["started", "lost RELAY_CLOSED", "lost RTMP_BUSY", "lost RELAY_REFUSED"]);
});

test("publisher: one that is sent to another server sends nothing until that has accepted, and begins there anew", () => {
  const rig = new Rig();
  rig.connection.handler.onRedirected();
  rig.connection.handler.onStarted();
  rig.timers.pass(40);
  rig.connection.handler.onRedirected();
  rig.timers.pass(1000);
  assert.deepEqual([rig.connection.sent, rig.openTapes], [[0, 40], 0]);
  rig.connection.handler.onStarted();
  rig.timers.pass(0);
  assert.deepEqual(
    [rig.connection.sent, rig.told],
    [
      [0, 40, 0],
      ["started", "again"],
    ],
  );
});

test("publisher: a server that takes nothing is left and asked again", () => {
  const rig = new Rig();
  rig.connection.handler.onStarted();
  rig.timers.pass(0);
  rig.connection.backlogBytes = maxWaitingBytes + 1;
  rig.timers.pass(40 + stallTimeoutMs);
  assert.equal(rig.connection.closedBy, "RELAY_TIMEOUT");
  rig.timers.pass(1000);
  assert.deepEqual([rig.told, rig.connections.length], [["started", "lost RELAY_TIMEOUT"], 2]);
});

test("publisher: a server that drains goes on", () => {
  const rig = new Rig();
  rig.connection.handler.onStarted();
  rig.timers.pass(0);
  rig.connection.backlogBytes = maxWaitingBytes + 1;
  rig.timers.pass(80);
  rig.connection.backlogBytes = 0;
  rig.connection.handler.onDrain();
  assert.deepEqual(rig.connection.sent, [0, 40, 80]);
});

test("publisher: the tape's end is the end, and the server is told", () => {
  const rig = new Rig([3]);
  rig.connection.handler.onStarted();
  rig.timers.pass(80);
  assert.deepEqual(rig.connection.sent, [0, 40, 80, "closeStream"]);
  assert.deepEqual([rig.told, rig.connection.closedBy, rig.openTapes], [["started", "end well"], "RELAY_CLOSED", 0]);
});

test("publisher: closed while it asks, plays or waits, it ends well, once, and asks no more", () => {
  for (const [name, begin, sent] of [
    ["asking", () => undefined, []],
    ["playing", (rig: Rig) => rig.connection.handler.onStarted(), ["closeStream"]],
    ["waiting", (rig: Rig) => (rig.connection.handler.onStarted(), rig.connection.fail("RELAY_CLOSED")), []],
  ] as const) {
    const rig = new Rig();
    begin(rig);
    rig.publisher.close();
    rig.publisher.close();
    rig.timers.pass(60_000);
    assert.deepEqual(
      rig.told.filter((what) => what.startsWith("end")),
      ["end well"],
      name,
    );
    assert.deepEqual([rig.connections.length, rig.connection.sent, rig.openTapes], [1, sent, 0], name);
    assert.notEqual(rig.connection.closedBy, null, name);
  }
});

test("publisher: a file that is gone when the server is back is the end", () => {
  const rig = new Rig([100, null]);
  rig.connection.handler.onStarted();
  rig.connection.fail("RELAY_CLOSED");
  rig.timers.pass(1000);
  rig.connection.handler.onStarted();
  assert.deepEqual([rig.told, rig.connection.closedBy], [["started", "lost RELAY_CLOSED", "end FLV_FILE"], "RELAY_CLOSED"]);
});
