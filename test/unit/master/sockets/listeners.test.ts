// Real sockets on the loopback: what is tested here is what the kernel does with them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, fstatSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { describe, it } from "node:test";
import { DolphinError, errnoOf } from "../../../../src/base/errors.js";
import type { Endpoint } from "../../../../src/conf/meaning/config.js";
import { Listeners, type GivenListener } from "../../../../src/master/sockets/listeners.js";
import { loadNativeSockets } from "../../../../src/master/sockets/native-socket.js";

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

/** Sockets of one address as a service manager has them; it gives copies of them to whom it starts. */
function managerSockets(count: number): { endpoint: Endpoint; give: () => GivenListener[]; close: () => void } {
  if (native === null) throw new Error("there are no native sockets");
  let port = 0;
  const own = Array.from({ length: count }, () => {
    const fd = native.listen({ host: "127.0.0.1", port }, 64);
    port ||= native.address(fd)?.port ?? 0;
    return fd;
  });
  const endpoint = { host: "127.0.0.1", port };
  const give = (): GivenListener[] => own.map((fd) => ({ fd: native.duplicate(fd), endpoint }));
  return { endpoint, give, close: () => own.forEach((fd) => native.close(fd)) };
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

  it(
    "of the service manager go one to each slot, again and again where there are more of one kind than of the other",
    needsNative,
    async () => {
      for (const [sockets, slots, expected] of [
        [2, 2, ["a:1", "b:2"]],
        [1, 2, ["a:1", "b:1"]],
        [3, 2, ["a:1", "a:3", "b:2"]],
      ] as const) {
        const given = managerSockets(sockets);
        const copies = given.give();
        const listeners = new Listeners(native, copies);
        await listeners.add("rtmp", given.endpoint, slots === 2 ? ["a", "b"] : []);
        const numbers = copies.map(({ fd }) => native?.identity(fd));
        const found = ["a", "b"].flatMap((slot) =>
          listeners.give(slot).map(({ fd }) => `${slot}:${numbers.indexOf(native?.identity(fd ?? -1) ?? null) + 1}`),
        );
        assert.deepEqual(found, expected);
        for (const slot of ["a", "b"]) listeners.reclaim(slot);
        listeners.close();
        given.close();
      }
    },
  );

  it("of the service manager are shared by slots that come later, by as few as can be", needsNative, async () => {
    const given = managerSockets(2);
    const copies = given.give();
    const listeners = new Listeners(native, copies);
    await listeners.add("rtmp", given.endpoint, ["a", "b"]);
    await listeners.inherit("rtmp", given.endpoint, "a.2", "a");
    assert.deepEqual(await listeners.inherit("rtmp", given.endpoint, "c.2", null), given.endpoint);
    const [a, b, heir, newcomer] = ["a", "b", "a.2", "c.2"].map((slot) => native?.identity(listeners.give(slot)[0]?.fd ?? -1));
    assert.deepEqual([heir, newcomer], [a, b]);
    for (const slot of ["a", "b", "a.2", "c.2"]) listeners.reclaim(slot);
    listeners.close();
    given.close();
  });

  it("of the service manager go on queueing after the end, with all that was in the queue", needsNative, async () => {
    const given = managerSockets(2);
    const listeners = new Listeners(native, given.give());
    await listeners.add("rtmp", given.endpoint, ["a", "b"]);
    const early = connect(given.endpoint.port, given.endpoint.host);
    await once(early, "connect");
    listeners.close();
    assert.equal(await attempt(given.endpoint), "connect");
    const next = new Listeners(native, given.give());
    await next.add("rtmp", given.endpoint, ["a", "b"]);
    const servers = ["a", "b"].flatMap((slot) =>
      next.give(slot).map(({ fd }) => createServer((socket) => socket.end("served")).listen({ fd })),
    );
    const [answer] = (await once(early, "data")) as [Buffer];
    assert.equal(answer.toString(), "served");
    for (const server of servers) server.close();
    next.close();
    given.close();
    assert.equal(await attempt(given.endpoint), "ECONNREFUSED");
  });

  it(
    "of the service manager get no connections while their slot is withdrawn, unless it shares them, and do again at the end",
    needsNative,
    async () => {
      const given = managerSockets(2);
      const copies = given.give();
      const listeners = new Listeners(native, copies);
      await listeners.add("rtmp", given.endpoint, ["a", "b"]);
      listeners.withdraw("a");
      const opened = await Promise.all(Array.from({ length: 20 }, () => attempt(given.endpoint)));
      assert.deepEqual(new Set(opened), new Set(["connect"]), "the other one takes all");
      listeners.withdraw("b");
      assert.equal(await attempt(given.endpoint), "ECONNREFUSED");
      listeners.give("b");
      assert.equal(await attempt(given.endpoint), "connect");
      listeners.withdraw("b");
      listeners.reclaim("b");
      listeners.close();
      assert.equal(await attempt(given.endpoint), "connect");
      given.close();

      const one = managerSockets(1);
      const sharing = new Listeners(native, one.give());
      await sharing.add("rtmp", one.endpoint, ["a", "b"]);
      sharing.withdraw("a");
      assert.equal(await attempt(one.endpoint), "connect");
      sharing.close();
      one.close();
    },
  );

  it("of the service manager are known by their address, and nothing else is taken for one", needsNative, async () => {
    const given = managerSockets(1);
    const [fd = -1] = given.give().map((one) => one.fd);
    assert.deepEqual(native?.address(fd), given.endpoint);
    for (const other of [0, -1, 9999]) assert.equal(native?.address(other), null);
    native?.pause(fd);
    assert.equal(native?.address(fd), null, "it does not listen");
    native?.close(fd);
    given.close();
  });

  it("of another master are gone on with, with all that waits in their queues; those with no use are closed", needsNative, async () => {
    const before = new Listeners(native);
    const endpoint = await before.add("rtmp", anywhere, ["edge-1", "edge-2"]);
    const dropped = await before.add("http", anywhere, ["edge-1", "edge-2"]);
    const handed = before.handOn(["edge-1", "edge-2"]);
    assert.deepEqual(
      handed.map((one) => [one.protocol, one.endpoint, one.isGiven]),
      [endpoint, dropped, endpoint, dropped].map((one, at) => [at % 2 === 0 ? "rtmp" : "http", one, false]),
    );
    const inherited = handed.map(({ protocol, wanted, endpoint: at, fd }) => {
      return { protocol, wanted, endpoint: at, fd: native?.duplicate(fd) ?? -1 };
    });
    const after = new Listeners(native, [], inherited);
    assert.deepEqual(await after.add("rtmp", anywhere, ["edge-1"]), endpoint, "the port that 0 stood for");
    after.settle();
    assert.deepEqual(
      inherited.map(({ fd }) => isOpen(fd)),
      [true, false, false, false],
    );
    before.close();
    assert.equal(await attempt(endpoint), "connect");
    assert.equal(await attempt(dropped), "ECONNREFUSED");
    after.close();
    assert.equal(await attempt(endpoint), "ECONNREFUSED");
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

  it("that two slots share, while one follows the other, are closed once", needsNative, async () => {
    const closed: number[] = [];
    const close = (fd: number): void => {
      closed.push(fd);
      native?.close(fd);
    };
    const listeners = new Listeners(native === null ? null : { ...native, close });
    await listeners.add("rtmp", anywhere, ["edge-1"]);
    await listeners.inherit("rtmp", anywhere, "edge-1.2", "edge-1");
    listeners.close();
    assert.equal(closed.length, 1);
  });

  it("can be closed twice", needsNative, async () => {
    const listeners = new Listeners(native);
    await listeners.add("rtmp", anywhere, ["edge-1"]);
    listeners.close();
    listeners.close();
  });
});
