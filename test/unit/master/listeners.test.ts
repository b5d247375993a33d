// Real sockets on the loopback: what is tested here is what the kernel does with them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, fstatSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { describe, it } from "node:test";
import { DolphinError, errnoOf } from "../../../src/base/errors.js";
import type { Endpoint } from "../../../src/conf/config.js";
import { Listeners } from "../../../src/master/listeners.js";
import { loadNativeSockets } from "../../../src/master/native-socket.js";

const native = await loadNativeSockets();
const needsNative = { skip: native === null ? "no koffi or no Linux here" : false };
const anywhere: Endpoint = { host: "127.0.0.1", port: 0 };

/** How a connection attempt ends: `connect`, or the system's error code. */
async function attempt(endpoint: Endpoint): Promise<string> {
  const socket = connect(endpoint.port, endpoint.host);
  try {
    await once(socket, "connect");
    return "connect";
  } catch (thrown) {
    return errnoOf(thrown) ?? "unknown";
  } finally {
    socket.destroy();
  }
}

async function occupied(): Promise<{ server: Server; endpoint: Endpoint }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, endpoint: { host: "127.0.0.1", port: (server.address() as AddressInfo).port } };
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

function errorCause(thrown: unknown, code: string): boolean {
  return thrown instanceof DolphinError && thrown.code === "CHILD_LISTEN" && errnoOf(thrown.cause) === code;
}

describe("listening sockets of the master", () => {
  it("choose a port where 0 is asked for, the same for every slot", needsNative, async () => {
    const listeners = new Listeners(native);
    const endpoint = await listeners.add("rtmp", anywhere, ["edge-1", "edge-2"]);
    assert.ok(endpoint.port > 0);
    const given = ["edge-1", "edge-2"].flatMap((slot) => listeners.give(slot));
    assert.deepEqual(
      given.map((one) => one.endpoint),
      [endpoint, endpoint],
    );
    assert.equal(new Set(given.map(({ fd }) => fd)).size, 2);
    for (const slot of ["edge-1", "edge-2"]) listeners.reclaim(slot);
    listeners.close();
  });

  it("resolve a name to a numeric host", async () => {
    const listeners = new Listeners(null);
    const { host } = await listeners.add("rtmp", { host: "localhost", port: 0 }, []);
    assert.match(host, /^(127\.0\.0\.1|::1)$/);
    listeners.close();
  });

  it("refuse an address that another program has, though SO_REUSEPORT would allow it", async () => {
    const { server, endpoint } = await occupied();
    const listeners = new Listeners(native);
    await assert.rejects(listeners.add("rtmp", endpoint, ["edge-1"]), (thrown) => errorCause(thrown, "EADDRINUSE"));
    listeners.close();
    server.close();
  });

  it("refuse an address that this machine does not have", async () => {
    const listeners = new Listeners(native);
    await assert.rejects(listeners.add("rtmp", { host: "192.0.2.1", port: 0 }, []), (thrown) => errorCause(thrown, "EADDRNOTAVAIL"));
  });

  it("accept while no child listens, so that nobody is refused between two children", needsNative, async () => {
    const listeners = new Listeners(native);
    const endpoint = await listeners.add("rtmp", anywhere, ["edge-1"]);
    assert.equal(await attempt(endpoint), "connect");
    listeners.close();
    assert.equal(await attempt(endpoint), "ECONNREFUSED");
  });

  it("refuse connections of a withdrawn slot, and accept again when the slot is given again", needsNative, async () => {
    const listeners = new Listeners(native);
    const endpoint = await listeners.add("rtmp", anywhere, ["edge-1"]);
    listeners.withdraw("edge-1");
    assert.equal(await attempt(endpoint), "ECONNREFUSED");
    const [given] = listeners.give("edge-1");
    assert.equal(await attempt(endpoint), "connect");
    listeners.reclaim("edge-1");
    assert.ok(given?.fd !== null && given?.fd !== undefined && !isOpen(given.fd));
    listeners.close();
  });

  it("close a copy that no child took over, and keep the socket itself", needsNative, async () => {
    const listeners = new Listeners(native);
    const endpoint = await listeners.add("rtmp", anywhere, ["edge-1"]);
    const fd = listeners.give("edge-1")[0]?.fd ?? -1;
    assert.ok(isOpen(fd));
    listeners.reclaim("edge-1");
    assert.ok(!isOpen(fd));
    assert.equal(await attempt(endpoint), "connect");
    listeners.close();
  });

  it("leave a descriptor alone that was closed by others and belongs to another file by now", needsNative, async () => {
    const listeners = new Listeners(native);
    await listeners.add("rtmp", anywhere, ["edge-1"]);
    const fd = listeners.give("edge-1")[0]?.fd ?? -1;
    closeSync(fd);
    const { server } = await occupied();
    listeners.reclaim("edge-1"); // the new server may well have the old number
    assert.equal(await attempt({ host: "127.0.0.1", port: (server.address() as AddressInfo).port }), "connect");
    server.close();
    listeners.close();
  });

  it("serve IPv6 as well", needsNative, async (context) => {
    const listeners = new Listeners(native);
    try {
      const endpoint = await listeners.add("http", { host: "::1", port: 0 }, ["edge-1"]);
      assert.equal(await attempt(endpoint), "connect");
    } catch (thrown) {
      if (!errorCause(thrown, "EADDRNOTAVAIL") && !errorCause(thrown, "EAFNOSUPPORT")) throw thrown;
      context.skip("no IPv6 here");
    }
    listeners.close();
  });

  it("are the cluster module's affair where there are no native sockets", async () => {
    const listeners = new Listeners(null);
    const endpoint = await listeners.add("http", anywhere, ["edge-1"]);
    assert.deepEqual(listeners.give("edge-1"), [{ protocol: "http", endpoint, fd: null }]);
    listeners.close();
  });

  it("can be closed twice", needsNative, async () => {
    const listeners = new Listeners(native);
    await listeners.add("rtmp", anywhere, ["edge-1"]);
    listeners.close();
    listeners.close();
  });
});
