// Raw connections through plan b to a server of no protocol: when their proxy is killed or replaced, they go on in another one
// with the very byte that comes next, in both directions; who was behind at a death is cut, and counted.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { countsOf, killChild, untilKept } from "../helpers/carried.js";
import { projectRoot } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { provoked } from "../helpers/planb.js";
import { eventually, within } from "../helpers/wait.js";

const echoServer = join(projectRoot, "test/fixtures/echo-server.js");
const proxies = ["proxy-1", "proxy-2"];

/** The byte at a place of what every raw client sends. */
const byteAt = (at: number): number => (at * 31 + (at >> 8) * 7 + (at >> 16)) & 0xff;

/** A client of the echo server, which holds what comes back to what it has sent. */
class EchoClient {
  readonly socket: Socket;
  sent = 0;
  echoed = 0;
  /** Resolves when the connection is over, however. */
  readonly closed: Promise<void>;
  isClosed = false;
  private wake = (): void => undefined;
  private wrongAt: number | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined); // one of the ways to be closed
    socket.on("data", (bytes: Buffer) => this.take(bytes));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true;
        this.wake();
        resolve();
      });
    });
  }

  static async open(t: TestContext, dolphin: Dolphin): Promise<EchoClient> {
    const socket = connect({ host: "127.0.0.1", port: dolphin.rtmpPort, noDelay: true });
    t.after(() => socket.destroy());
    await once(socket, "connect");
    const client = new EchoClient(socket);
    await client.exchange(1000);
    return client;
  }

  send(sizeBytes: number): boolean {
    const bytes = Buffer.from(Uint8Array.from({ length: sizeBytes }, (_, at) => byteAt(this.sent + at)));
    this.sent += sizeBytes;
    return this.socket.write(bytes);
  }

  /** Sends so much, and waits until all of it is back. */
  async exchange(sizeBytes: number): Promise<void> {
    this.send(sizeBytes);
    await this.caughtUp();
  }

  async caughtUp(): Promise<void> {
    const look = async (): Promise<void> => {
      while (this.echoed < this.sent) {
        assert.ok(!this.isClosed, "it was closed");
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    };
    await within(look(), 20_000, () => `the echo of ${this.sent} bytes, of which ${this.echoed} came`);
    this.assertExact();
  }

  /** Sends a little again and again, without waiting for what comes back; the function that this returns ends it. */
  trickle(): () => void {
    const timer = setInterval(() => this.send(5000), 10);
    void this.closed.then(() => clearInterval(timer));
    return () => clearInterval(timer);
  }

  /** Sends as fast as it is taken, until the connection is closed or the function that this returns is called. */
  flood(): () => void {
    const go = (): void => {
      while (this.send(30_000)); // until it waits to be taken
    };
    this.socket.on("drain", go);
    go();
    return () => void this.socket.off("drain", go);
  }

  assertExact(): void {
    assert.equal(this.wrongAt, null, "the first byte that is not what was sent");
  }

  private take(bytes: Buffer): void {
    for (const [at, byte] of bytes.entries()) if (byte !== byteAt(this.echoed + at)) this.wrongAt ??= this.echoed + at;
    this.echoed += bytes.length;
    this.wake();
  }
}

const echoConf = `listen 1935; dolphin { plan b; routing connection; servers 1; send_proxy off; server ${process.execPath} ${echoServer} "{rtmp_port}"; } vhost __defaultVhost__ { }`;
const isProvoked = (line: LogLine): boolean => provoked(line) || line.event === "connections.carried";

async function startEcho(t: TestContext): Promise<Dolphin> {
  return Dolphin.start(t, { conf: echoConf, args: ["--http", "off"] });
}

async function openEchoes(t: TestContext, dolphin: Dolphin, count: number): Promise<EchoClient[]> {
  const clients: EchoClient[] = [];
  while (clients.length < count) clients.push(await EchoClient.open(t, dolphin));
  await untilKept(dolphin, count);
  return clients;
}

void test("raw bytes go on where they were, whatever they are", async (t) => {
  const dolphin = await startEcho(t);
  const clients = await openEchoes(t, dolphin, 8);
  for (const name of [...proxies, ...proxies]) {
    await killChild(dolphin, name);
    for (const client of clients) await client.exchange(300_000);
  }
  assert.equal((await countsOf(dolphin))?.cut, 0);
  const from = dolphin.logLength;
  for (const { socket } of clients) socket.end();
  await within(Promise.all(clients.map(({ closed }) => closed)), 5000, "the ends of both directions to be passed on");
  await untilKept(dolphin, 0);
  const closedLines = (): LogLine[] =>
    dolphin
      .logLines()
      .slice(from)
      .filter(({ event }) => event === "proxy.closed");
  await eventually(() => closedLines().length === clients.length, { what: "a closed line of each" });
  for (const line of closedLines()) {
    const bytes = clients[0]!.sent;
    // What each proxy had moved when it died is known to the KiB.
    const told = Number(line["bytesIn"]);
    assert.ok(told <= bytes && told > bytes - 5 * 1024, `${told} of ${bytes}`);
    assert.equal(line["reason"], "closed");
  }
  await dolphin.stop({ allow: provoked });
});

void test("while bytes flow, a connection goes on to the byte, or was behind when its proxy was killed, and is counted", async (t) => {
  const dolphin = await startEcho(t);
  const clients = await openEchoes(t, dolphin, 10);
  const stops = clients.map((client) => client.trickle());
  for (const name of [...proxies, ...proxies]) await killChild(dolphin, name);
  for (const stop of stops) stop();
  const cut = (await countsOf(dolphin))?.cut ?? 0;
  await eventually(() => clients.filter(({ isClosed }) => isClosed).length === cut, { what: `${cut} connections to be closed` });
  assert.ok(cut <= 4, `${cut} of ${clients.length} were cut, where each death finds one at most that is being moved`);
  for (const client of clients) {
    if (client.isClosed) client.assertExact();
    else await client.caughtUp();
  }
  for (const { socket } of clients) socket.destroy();
  await untilKept(dolphin, 0);
  await dolphin.stop({ allow: isProvoked });
});

void test("a client that reads nothing is cut and counted when its proxy is killed, and waited for when it is replaced", async (t) => {
  const dolphin = await startEcho(t);
  const [slow, quick] = await openEchoes(t, dolphin, 2);
  assert.ok(slow !== undefined && quick !== undefined);
  const fill = async (client: EchoClient): Promise<void> => {
    client.socket.pause();
    const stop = client.flood();
    const moved = async (): Promise<number> => {
      const { balance } = await dolphin.status();
      return balance?.carried.reduce((sum, { bytesIn, bytesOut }) => sum + bytesIn + bytesOut, 0) ?? 0;
    };
    // Proxies report once a second, and later where the machine is busy.
    const reads: number[] = [];
    const isFull = async (): Promise<boolean> => {
      reads.push(await moved());
      const last = reads.slice(-4);
      return last.length === 4 && last.every((bytes) => bytes > 1e6 && bytes === last[0]);
    };
    await eventually(isFull, { everyMs: 600, timeoutMs: 20_000, what: "everything between the two to be full" });
    stop();
  };
  await fill(slow);
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted");
  await quick.exchange(10_000);
  await untilKept(dolphin, 2);
  slow.socket.resume();
  await slow.caughtUp();
  for (const name of proxies) await dolphin.waitFor("child.exited", { where: ({ child }) => child === name });
  await slow.exchange(10_000);

  await fill(slow);
  for (const name of proxies) await killChild(dolphin, `${name}.2`);
  await within(slow.closed, 5000, "the slow one to be cut");
  await quick.exchange(10_000);
  assert.equal((await countsOf(dolphin))?.cut, 1);
  const told = dolphin.logLines(({ event, level }) => event === "connections.carried" && level === "warn");
  assert.deepEqual(
    told.map(({ cut }) => cut),
    [1],
  );
  quick.socket.destroy();
  await untilKept(dolphin, 0);
  await dolphin.stop({ allow: isProvoked });
});
