// A box under a service manager, played by this test: what it tells over a real notify socket, and the sockets that it is given.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { errnoOf } from "../../src/base/errors.js";
import { loadNativeSockets } from "../../src/master/sockets/native-socket.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin, type DolphinOptions } from "../helpers/dolphin.js";
import { freePort } from "../helpers/ports.js";
import { player } from "../helpers/rtmp-client.js";
import { handshakeAnswered } from "../helpers/rtmp-connection.js";
import { steadyPublisher } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

const native = await loadNativeSockets();

void describe("the service manager", { skip: native === null ? "no koffi or no Linux here" : false }, async () => {
  const { NotifyReceiver } = await import("../helpers/notify-receiver.js");

  for (const [plan, none, some] of [
    ["a", "1/1 worker, 0 viewers, 0 publishers", "1/1 worker, 1 viewer, 1 publisher"],
    ["b", "1/1 worker, 0 connections", "1/1 worker, 2 connections"],
  ] as const) {
    void test(`hears of the start, the numbers, a reload and the stop of plan ${plan}, in this order, and of life all the time`, async (t) => {
      const manager = new NotifyReceiver();
      t.after(() => manager.close());
      const env = { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "1000000" };
      const dolphin = await Dolphin.start(t, { cores: 1, conf: promptConf, env, args: ["--plan", plan] });
      const ready = await manager.waitFor("READY=1");
      assert.equal(ready.at, 0, "nothing is told before everything serves");
      assert.deepEqual(ready.lines, ["READY=1", `STATUS=${none}`]);

      await steadyPublisher(t, dolphin, "told");
      const viewer = await player(dolphin.rtmpUrl("told"));
      t.after(() => viewer.close());
      const watched = await manager.waitFor(`STATUS=${some}`, ready.at);

      dolphin.signal("SIGHUP");
      const reloading = await manager.waitFor("RELOADING=1", watched.at);
      assert.match(reloading.lines[1] ?? "", /^MONOTONIC_USEC=\d+$/);
      const again = await manager.waitFor("READY=1", reloading.at);
      assert.equal(again.lines[1], `STATUS=${some}`);

      await manager.waitFor("WATCHDOG=1", again.at);
      await dolphin.stop();
      const stopping = await manager.waitFor("STOPPING=1", again.at);
      const extended = await manager.waitFor("EXTEND_TIMEOUT_USEC=", stopping.at);
      assert.match(extended.lines[0] ?? "", /=\d{7,}$/, "seconds, in microseconds");
      const kinds = manager.messages().map(([first = ""]) => first.split("=")[0] ?? "");
      const rest = kinds.filter((kind) => !["WATCHDOG", "STATUS", "EXTEND_TIMEOUT_USEC"].includes(kind));
      assert.deepEqual(rest, ["READY", "RELOADING", "READY", "STOPPING"]);
    });
  }

  void test("hears nothing of a master that stands still, and again of one that goes on", async (t) => {
    const manager = new NotifyReceiver("abstract");
    t.after(() => manager.close());
    const dolphin = await Dolphin.start(t, { cores: 1, env: { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "300000" } });
    await manager.waitFor("WATCHDOG=1");
    dolphin.signal("SIGSTOP");
    await eventually(() => /^State:\s+T/m.test(readFileSync(`/proc/${dolphin.pid}/status`, "utf8")), { what: "it to stand still" });
    const told = manager.messages().length;
    // Some of its periods; that nothing comes has no event.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(manager.messages().length, told);
    dolphin.signal("SIGCONT");
    await manager.waitFor("WATCHDOG=1", told);
    await dolphin.stop();
  });

  void test("is not known to children: they have none of its variables, and of its sockets only those that they serve", async (t) => {
    const manager = new NotifyReceiver();
    t.after(() => manager.close());
    const given = await managerSockets(t, 2);
    const env = { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "30000000" };
    const dolphin = await Dolphin.start(t, { ...given.options, env });
    const { master = 0, ...edges } = dolphin.pids;
    assert.deepEqual(Object.keys(edges), ["edge-1", "edge-2"]);
    const served = Object.values(edges).map((pid) => {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      assert.deepEqual(
        environment.filter((line) => /^(NOTIFY|WATCHDOG|LISTEN)_/.test(line)),
        [],
      );
      return socketsOf(pid).filter((socket) => given.sockets.includes(socket));
    });
    assert.deepEqual(
      served.map(({ length }) => length),
      [2, 2],
      "one for RTMP and one for HTTP each",
    );
    assert.deepEqual(new Set(served.flat()), new Set(given.sockets), "each of them another one");
    assert.equal(new Set(socketsOf(master).filter((socket) => given.sockets.includes(socket))).size, 4);
    await dolphin.stop();
  });

  void test("can restart it, with the other plan, and it can replace its workers, while clients come all the time: none is refused, and who came in between is served", async (t) => {
    const given = await managerSockets(t, 2);
    const callers = new Callers(given.rtmpPort);
    t.after(() => callers.close());
    let early: Promise<boolean> | null = null;
    for (const plan of ["a", "b", "a"]) {
      const { sockets, words } = given.options;
      const dolphin = await Dolphin.start(t, { sockets, words: (...ports) => [...words(...ports), "--plan", plan] });
      if (early !== null) assert.equal(await early, true, "who came while nothing ran has an answer");
      assert.equal(await handshakeAnswered("127.0.0.1", given.rtmpPort, 5000), true);
      dolphin.signal("SIGUSR2");
      await dolphin.waitFor("dolphin.restarted");
      const before = callers.connected;
      await eventually(() => callers.connected > before + 20, { what: "clients to come" });
      await dolphin.stop();
      early = handshakeAnswered("127.0.0.1", given.rtmpPort, 15_000);
      const since = callers.connected;
      await eventually(() => callers.connected > since + 20, { what: "clients to come while nothing runs" });
    }
    assert.deepEqual(callers.refused, []);
  });

  void test("hears who is the service after an upgrade, and its sockets stay its own", async (t) => {
    const manager = new NotifyReceiver();
    t.after(() => manager.close());
    const given = await managerSockets(t, 2);
    const dolphin = await Dolphin.start(t, { ...given.options, env: { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: "2000000" } });
    for (let round = 0; round < 2; round++) {
      const from = manager.messages().length;
      await dolphin.ask("upgrade");
      const named = await manager.waitFor("MAINPID=", from);
      assert.deepEqual(named.lines, [`MAINPID=${dolphin.pid}`]);
      const ready = await manager.waitFor("READY=1", named.at);
      await manager.waitFor("WATCHDOG=1", ready.at);
      assert.equal(await handshakeAnswered("127.0.0.1", given.rtmpPort, 5000), true);
    }
    const kinds = manager.messages().map(([first = ""]) => first.split("=")[0] ?? "");
    assert.deepEqual(
      kinds.filter((kind) => ["READY", "RELOADING", "MAINPID", "STOPPING"].includes(kind)),
      ["READY", "RELOADING", "MAINPID", "READY", "RELOADING", "MAINPID", "READY"],
    );
    await dolphin.stop();
  });

  void test("goes on giving connections to the others while a worker is away for long, and to all of them afterwards", async (t) => {
    const given = await managerSockets(t, 2);
    const dolphin = await Dolphin.start(t, given.options);
    let pid = dolphin.pidOf("edge-1");
    // The third death within moments has a wait of 2 s before the next start, and its sockets are paused meanwhile.
    for (let deaths = 1; deaths <= 3; deaths++) {
      process.kill(pid, "SIGKILL");
      await dolphin.waitFor("child.exited", { where: (line) => line["childPid"] === pid });
      const from = dolphin.logLength;
      if (deaths === 3) {
        await eventually(() => given.paused() === 2, { what: "its sockets to be paused" });
        await allAnswered(given.rtmpPort);
      }
      pid = Number((await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "edge-1" }))["childPid"]);
    }
    assert.equal(given.paused(), 0);
    await allAnswered(given.rtmpPort);
    const exits = dolphin.logLines(({ event, child }) => event === "child.exited" && child === "edge-1");
    assert.match(exits[2]?.msg ?? "", /restarting in 2 s/);
    await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
  });

  void test("is refused with 78 when it gives a socket that the configuration has no use for", async (t) => {
    const given = await managerSockets(t, 1);
    const stray = await freePort();
    const words = (): readonly string[] => [
      "--cores",
      "1",
      "--listen",
      `127.0.0.1:${stray}`,
      "--http",
      `127.0.0.1:${given.httpPort}`,
      "--api",
      "off",
    ];
    const start = Dolphin.start(t, { sockets: given.options.sockets, words });
    await assert.rejects(start, /"code":78.*the service manager gave a socket that cannot be used: 127\.0\.0\.1:\d+ .*is in no listen/s);
  });
});

/** Many, so that each of the sockets gets some. */
async function allAnswered(port: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 40 }, () => handshakeAnswered("127.0.0.1", port, 5000)));
  assert.deepEqual(new Set(answers), new Set([true]));
}

interface ManagerSockets {
  readonly rtmpPort: number;
  readonly httpPort: number;
  /** As the system names them. */
  readonly sockets: readonly string[];
  /** How many of them do not listen now. */
  paused(): number;
  readonly options: Required<Pick<DolphinOptions, "sockets" | "words">>;
}

/** Listening sockets for RTMP and HTTP as a service manager has them, each `count` times, and how dolphin is started with them. */
async function managerSockets(t: TestContext, count: number): Promise<ManagerSockets> {
  if (native === null) throw new Error("there are no native sockets");
  const [rtmpPort, httpPort] = [await freePort(), await freePort()];
  const fds = [rtmpPort, httpPort].flatMap((port) => Array.from({ length: count }, () => native.listen({ host: "127.0.0.1", port }, 1024)));
  t.after(() => fds.forEach((fd) => native.close(fd)));
  const words = (): readonly string[] => [
    "--cores",
    "2",
    "--listen",
    `127.0.0.1:${rtmpPort}`,
    "--http",
    `127.0.0.1:${httpPort}`,
    "--api",
    "off",
  ];
  return {
    rtmpPort,
    httpPort,
    sockets: fds.map((fd) => readlinkSync(`/proc/self/fd/${fd}`)),
    paused: () => fds.filter((fd) => native.address(fd) === null).length,
    options: { sockets: fds.map((fd) => ({ fd, name: "dolphin.socket" })), words },
  };
}

/** The sockets that a process has open, as the system names them. */
function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed while we looked
    }
  });
}

/** Clients that connect all the time and leave at once. */
class Callers {
  connected = 0;
  readonly refused: string[] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(port: number) {
    this.timer = setInterval(() => {
      void connection(port).then((how) => {
        if (how === "connected") this.connected += 1;
        else this.refused.push(how);
      });
    }, 5);
  }

  close(): void {
    clearInterval(this.timer);
  }
}

function connection(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      resolve("connected");
      socket.destroy();
    });
    socket.once("error", (error) => resolve(errnoOf(error) ?? "unknown"));
  });
}
