// Short connections through plan b by clients that know exactly what they sent and got. At the end the proxies' closed lines,
// the servers' closed lines and the numbers of `dolphin status` must say the same, to the byte. Every habit comes from an address
// of its own, so that a line tells which one it is about.
import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { encodeAmf } from "./amf0.js";
import { Dolphin, type Cleanup, type LogLine, type Status } from "./dolphin.js";
import { headers, step, type AudioKind } from "./media.js";
import { command, handshake, login, message } from "./raw-peer.js";
import { publisher } from "./rtmp-client.js";
import { eventually, within } from "./wait.js";

/** What a proxy tells one of our own servers of each client: PROXY protocol version 2 with IPv4 addresses. */
const prefaceBytes = 28;

/** The stream stands still once it is published: what every viewer gets is known, and ends with this. */
const lastWords = Buffer.from("the last of it");
const audio: AudioKind = "aac";
/** Visits under way beyond which the queues of the system would overflow. */
const mostLate = 100;

const conf = `listen 1935; srs_log_level_v2 debug; http_server { enabled on; }
vhost __defaultVhost__ { publish { normal_timeout 86400000; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
`;

interface Visit {
  /** As the log names it. */
  readonly peer: string;
  /** Bytes of the connection; of an HTTP answer its body. */
  readonly sent: number;
  readonly received: number;
}

interface Habit {
  readonly name: string;
  readonly address: string;
  /** Whether a server is chosen for it. */
  readonly reachesServer: boolean;
  /** In order, with all that was sent to it; by a reset; by a reset before a word was said. */
  readonly leave: "end" | "reset" | "at once";
  visit(dolphin: Dolphin, address: string): Promise<Visit>;
}

const play = Buffer.concat([login(), command("createStream", 2, null), message(20, encodeAmf("play", 0, null, "s"), { streamId: 1 })]);
const hasAnswer = (got: Buffer): boolean => got.length >= handshake().length;
const hasStream = (got: Buffer): boolean => got.includes(lastWords);
const always = (): boolean => true;

const habits: readonly Habit[] = [
  rtmp("shakes hands and leaves", 1, { say: handshake(), isEnough: hasAnswer, leave: "end" }),
  rtmp("plays the stream", 2, { say: play, isEnough: hasStream, leave: "end", reachesServer: true }),
  http("asks for a page that is not there", 3, "/nothing.html", null),
  rtmp("says nothing", 4, { say: null, isEnough: always, leave: "end" }),
  rtmp("shakes hands and resets", 5, { say: handshake(), isEnough: hasAnswer, leave: "reset" }),
  http("watches the stream as FLV", 6, "/live/s.flv?token=1", lastWords),
  rtmp("plays the stream and resets", 7, { say: play, isEnough: hasStream, leave: "reset", reachesServer: true }),
  rtmp("plays the stream", 8, { say: play, isEnough: hasStream, leave: "end", reachesServer: true }),
  rtmp("resets at once", 9, { say: null, isEnough: always, leave: "at once" }),
  http("asks for another", 10, "/nothing/else?x=1", null),
];

/** So many visits, so many a second, by every habit in turn: fails unless each of them is counted once, to the byte. Takes Linux's loopback addresses. */
export async function assertEachCounted(t: Cleanup, visits: number, perSecond: number): Promise<void> {
  const dolphin = await Dolphin.start(t, { args: ["--plan", "b"], conf });
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  for (const media of [...headers("avc", audio), ...step("avc", audio, 0)]) source.send(media);
  source.send({ type: 8, timestamp: 60, payload: Buffer.concat([Buffer.of(0xaf, 1), lastWords]) });
  await habits[1]!.visit(dolphin, "127.0.3.1"); // the stream has come as far as to its server's cache

  const done = await pace(dolphin, visits, perSecond);
  source.close();
  const isOurs = ({ peer = "" }: LogLine): boolean => peer.startsWith("127.0.2.");
  const told = (event: string): LogLine[] => dolphin.logLines((line) => line.event === event);
  // The publisher and its first viewer are two more.
  await eventually(() => told("proxy.closed").length >= visits + 2, { timeoutMs: 30_000, what: `${visits + 2} closed lines` });
  const named = habits.reduce((all, { reachesServer }, at) => all + (reachesServer ? done[at]!.length : 0), 2);
  const { balance } = await statusAfter(dolphin, named);
  const closed = told("proxy.closed");
  assert.equal(closed.length, visits + 2);

  for (const [at, habit] of habits.entries()) {
    const mine = done[at]!;
    const lines = closed.filter((line) => isOf(habit, line));
    // The system has forgotten the address of a client that is gone before it is accepted.
    const isForgotten = ({ peer }: LogLine): boolean => peer === undefined;
    if (lines.some(isForgotten)) assert.equal(lines.length, mine.length, `the closed lines of who ${habit.name}`);
    else assert.deepEqual(peersOf(lines), peersOf(mine), `the closed lines of who ${habit.name}`);
    assert.equal(sum(lines, "bytesIn"), sum(mine, "sent"), `bytes from who ${habit.name}`);
    if (habit.leave === "end") assert.equal(sum(lines, "bytesOut"), sum(mine, "received"), `bytes to who ${habit.name}`);
    else assert.ok(sum(lines, "bytesOut") >= sum(mine, "received"), `bytes to who ${habit.name}`);
    const reached = lines.filter(({ backend }) => backend !== undefined).length;
    assert.equal(reached, habit.reachesServer ? mine.length : 0, `servers for who ${habit.name}`);
  }

  // What the status tells of each proxy and server is what their lines add up to.
  assert.ok(balance !== undefined);
  assert.deepEqual([sum(balance.servers, "connections"), balance.leases], [0, []]);
  assert.equal(sum(balance.carried, "total"), named);
  for (const { proxy, backend, connections, total, bytesIn, bytesOut } of balance.carried) {
    const lines = closed.filter((line) => line.child === proxy && line["backend"] === backend);
    const added = { total: lines.length, bytesIn: sum(lines, "bytesIn"), bytesOut: sum(lines, "bytesOut") };
    assert.deepEqual({ connections, total, bytesIn, bytesOut }, { connections: 0, ...added }, `${proxy} to ${backend}`);
  }

  // And the servers have seen the same connections.
  for (const server of ["server-1", "server-2"]) {
    const of = (event: string): LogLine[] => told(event).filter((line) => line.child === server && isOurs(line));
    const from = (isHttp: boolean): LogLine[] =>
      closed.filter((line) => isOurs(line) && line["backend"] === server && (line["protocol"] === "http") === isHttp);
    assert.deepEqual(peersOf(of("rtmp.closed")), peersOf(from(false)), `RTMP connections of ${server}`);
    const prefaces = from(false).length * prefaceBytes;
    assert.equal(sum(of("rtmp.closed"), "bytesIn"), sum(from(false), "bytesIn") + prefaces, `bytes to ${server}`);
    assert.deepEqual(peersOf([...of("flv.closed"), ...of("http.refused")]), peersOf(from(true)), `HTTP requests of ${server}`);
  }
  await dolphin.stop();
}

/** Whether a closed line is about a client of this habit. */
function isOf({ address, leave }: Habit, { peer }: LogLine): boolean {
  return peer === undefined ? leave === "at once" : peer.startsWith(`${address}:`);
}

/** Every habit in turn, each at its moment; who is late is not waited for, unless too many are. */
async function pace(dolphin: Dolphin, visits: number, perSecond: number): Promise<Visit[][]> {
  const startedMs = performance.now();
  const done: Promise<Visit>[][] = habits.map(() => []);
  let late = 0;
  for (let count = 0; count < visits;) {
    const due = Math.min(visits, Math.floor(((performance.now() - startedMs) / 1000) * perSecond));
    for (; count < due && late < mostLate; count++) {
      const at = count % habits.length;
      const { name, address, ...habit } = habits[at]!;
      const one = within(habit.visit(dolphin, address), 20_000, `visit ${count}, who ${name}`);
      late += 1;
      void one.catch(() => undefined).finally(() => (late -= 1)); // it is looked at below, when all have come
      done[at]!.push(one);
    }
    await pause(5);
  }
  return Promise.all(done.map((all) => Promise.all(all)));
}

/** The status once it tells of so many connections to servers, and none that is open: it is as old as the last heartbeat. */
function statusAfter(dolphin: Dolphin, named: number): Promise<Status> {
  return eventually(
    async () => {
      const status = await dolphin.status();
      const carried = status.balance?.carried ?? [];
      const open = sum(carried, "connections") + sum(status.processes, "connections");
      return open === 0 && sum(carried, "total") >= named ? status : null;
    },
    { timeoutMs: 30_000, what: `a status with ${named} connections, all closed` },
  );
}

interface RtmpHabit {
  readonly say: Buffer | null;
  readonly isEnough: (got: Buffer) => boolean;
  readonly leave: Habit["leave"];
  readonly reachesServer?: boolean;
}

/** Speaks RTMP until it has enough, and then leaves in order or not. */
function rtmp(name: string, number: number, { say, isEnough, leave, reachesServer = false }: RtmpHabit): Habit {
  const visit = ({ rtmpPort }: Dolphin, localAddress: string): Promise<Visit> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port: rtmpPort, localAddress, noDelay: true });
      let got: Buffer = Buffer.alloc(0);
      let peer = "";
      let hasLeft = false;
      const look = (): void => {
        if (hasLeft || !isEnough(got)) return;
        hasLeft = true;
        if (leave === "end") socket.end();
        else socket.resetAndDestroy();
      };
      socket.once("connect", () => {
        peer = `${localAddress}:${socket.localPort}`;
        if (say === null) look();
        else socket.write(say);
      });
      socket.on("data", (bytes: Buffer) => {
        got = Buffer.concat([got, bytes]);
        look();
      });
      socket.once("error", reject);
      socket.once("close", () => {
        if (hasLeft) resolve({ peer, sent: say?.length ?? 0, received: got.length });
        else reject(new Error(`the server closed on who ${name} after ${got.length} bytes`));
      });
    });
  return { name, address: `127.0.2.${number}`, reachesServer, leave, visit };
}

/** Asks for something on a connection of its own; a stream is left when it has said its `last`. */
function http(name: string, number: number, path: string, last: Buffer | null): Habit {
  const visit = ({ httpPort }: Dolphin, localAddress: string): Promise<Visit> =>
    new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port: httpPort, localAddress, path, agent: false }, (response) => {
        const peer = `${localAddress}:${response.socket.localPort}`;
        let got: Buffer = Buffer.alloc(0);
        const finish = (): void => {
          resolve({ peer, sent: 0, received: got.length });
          asked.destroy();
        };
        response.on("data", (bytes: Buffer) => {
          got = Buffer.concat([got, bytes]);
          // The size of a tag stands behind it.
          if (last !== null && got.includes(last) && got.length >= got.indexOf(last) + last.length + 4) finish();
        });
        response.on("end", () => (last === null ? finish() : reject(new Error("the stream has ended"))));
      });
      asked.on("error", reject);
      asked.end();
    });
  return { name, address: `127.0.2.${number}`, reachesServer: true, leave: "end", visit };
}

function peersOf(of: readonly { readonly peer?: string }[]): string[] {
  return of.map(({ peer = "" }) => peer).sort();
}

function sum(of: readonly object[], field: string): number {
  return of.reduce((all, one) => all + Number((one as Readonly<Record<string, unknown>>)[field] ?? 0), 0);
}
