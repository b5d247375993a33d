// A real Unix datagram socket: what is tested here is what arrives there.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openNotifySocket } from "../../../../src/master/host/notify-socket.js";
import { loadNativeSockets } from "../../../../src/master/sockets/native-socket.js";

const needsNative = { skip: (await loadNativeSockets()) === null ? "no koffi or no Linux here" : false };

describe("a socket to the service manager", needsNative, async () => {
  const { NotifyReceiver } = await import("../../../helpers/notify-receiver.js");

  for (const kind of ["path", "abstract"] as const) {
    it(`sends each text as one datagram, in order (${kind})`, async (t) => {
      const manager = new NotifyReceiver(kind);
      t.after(() => manager.close());
      const socket = await openNotifySocket(manager.name);
      t.after(() => socket.close());
      assert.equal(socket.send("READY=1\nSTATUS=18 viewers, ünïcode"), true);
      assert.equal(socket.send("WATCHDOG=1"), true);
      assert.deepEqual(manager.messages(), [["READY=1", "STATUS=18 viewers, ünïcode"], ["WATCHDOG=1"]]);
    });
  }

  it("says that a manager which does not read is to be tried again, and does not wait for it", async (t) => {
    const manager = new NotifyReceiver();
    t.after(() => manager.close());
    const socket = await openNotifySocket(manager.name);
    t.after(() => socket.close());
    let sent = 0;
    while (sent < 10_000 && socket.send(`STATUS=${sent}`)) sent++;
    assert.ok(sent > 0 && sent < 10_000, `${sent} were taken`);
    assert.equal(manager.messages().length, sent);
    assert.equal(socket.send("STATUS=again"), true);
    assert.deepEqual(manager.messages().at(-1), ["STATUS=again"]);
  });

  it("does not mind a manager that is gone", async (t) => {
    const manager = new NotifyReceiver();
    const socket = await openNotifySocket(manager.name);
    t.after(() => socket.close());
    manager.close();
    assert.equal(socket.send("READY=1"), true);
  });
});
