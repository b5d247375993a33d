import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { takeSystemdEnvironment } from "../../../../src/master/host/systemd-environment.js";

const nothing = { notifySocket: null, watchdogMs: null, sockets: [] };

describe("the environment of a service manager", () => {
  it("is read, and nothing of it is left for children", () => {
    const env = {
      NOTIFY_SOCKET: "/run/systemd/notify",
      WATCHDOG_USEC: "30000000",
      WATCHDOG_PID: "4711",
      LISTEN_PID: "4711",
      LISTEN_FDS: "3",
      LISTEN_FDNAMES: "rtmp::http",
      HOME: "/root",
    };
    assert.deepEqual(takeSystemdEnvironment(env, 4711), {
      notifySocket: "/run/systemd/notify",
      watchdogMs: 30_000,
      sockets: [
        { fd: 3, name: "rtmp" },
        { fd: 4, name: "" },
        { fd: 5, name: "http" },
      ],
    });
    assert.deepEqual(env, { HOME: "/root" });
  });

  it("is nothing where there is none", () => {
    assert.deepEqual(takeSystemdEnvironment({}, 4711), nothing);
    assert.deepEqual(takeSystemdEnvironment({ NOTIFY_SOCKET: "", WATCHDOG_USEC: "0", LISTEN_FDS: "0", LISTEN_PID: "4711" }, 4711), nothing);
  });

  it("is nothing where it was meant for another process, which passed it on without a thought", () => {
    const env = { WATCHDOG_USEC: "30000000", WATCHDOG_PID: "1", LISTEN_PID: "1", LISTEN_FDS: "2" };
    assert.deepEqual(takeSystemdEnvironment(env, 4711), nothing);
    assert.deepEqual(env, {});
    assert.deepEqual(takeSystemdEnvironment({ LISTEN_FDS: "2" }, 4711), nothing, "sockets always name their process");
  });

  it("has a watchdog for everybody where no process is named", () => {
    assert.equal(takeSystemdEnvironment({ WATCHDOG_USEC: "2500" }, 4711).watchdogMs, 2.5);
  });

  it("is not believed where it holds no numbers", () => {
    assert.deepEqual(takeSystemdEnvironment({ WATCHDOG_USEC: "soon", LISTEN_PID: "4711", LISTEN_FDS: "-1" }, 4711), nothing);
  });
});
