import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readdirSync } from "node:fs";
import { beforeEach, describe, it } from "node:test";
import pino from "pino";
import { packetKey } from "../../../../src/base/position.js";
import { unpack, type AdoptNote, type Carriage, type CarriedSession } from "../../../../src/ipc/carried.js";
import type { Due } from "../../../../src/ipc/dues.js";
import { loadDescriptorLinks } from "../../../../src/ipc/descriptor-link.js";
import { stateBusy, stateClean, stateWord, timestampWord, packetWord } from "../../../../src/ipc/marks.js";
import type { FromChild } from "../../../../src/ipc/messages.js";
import { loadVaultParts, orphanMs, Vault } from "../../../../src/master/vault/vault.js";
import { ChildCarrier } from "../../../../src/worker/carrier.js";
import { maxSavedBytes } from "../../../../src/server/peers/saved-publisher.js";
import { FakeTimers } from "../../fake-timers.js";

/** A child of the vault, in this process: its own end of the link, and what it says. */
interface Child {
  readonly carrier: ChildCarrier;
  readonly said: FromChild[];
  /** What it was told to go on with. */
  readonly adopted: { readonly fds: readonly number[]; readonly note: AdoptNote }[];
  /** Whether it carries on what it adopts. */
  goesOn: boolean;
  /** It was given something, and dies before it looks. */
  isDeaf: boolean;
  /** How many it was told that it had gone on with. */
  resumed: number;
}

let timers: FakeTimers;
let vault: Vault;
let children: Map<string, Child>;
let publishers: unknown[];
/** What became of connections, in words. */
let told: string[];
let lost: Due[];

const session = (token: string, saved: unknown = { stream: token }): CarriedSession => ({ token, kind: "rtmp", saved });
const dueOf = (key: string): Due => ({ key, action: "on_stop", urls: [], body: {} });
/** A moment later: what children gather has been told. */
async function soon(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    for (const { carrier } of children.values()) carrier.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const position = { timestamp: 4711, packet: packetKey(9, 700) };

async function makeVault(maxFiles = 100): Promise<void> {
  const parts = await loadVaultParts();
  assert.ok(parts !== null, "koffi and Linux are here");
  vault = new Vault({
    ...parts,
    timers,
    log: pino({ level: "silent" }),
    tell: () => undefined,
    maxFiles,
    stillDue: (dues) => dues.filter(({ key }) => key !== "done"),
    lost: (dues) => lost.push(...dues),
    send: (name) => {
      const child = children.get(name);
      if (child === undefined || child.isDeaf) return false;
      const adopt = (fds: readonly number[], note: AdoptNote): void => {
        child.adopted.push({ fds, note });
        if (child.goesOn) child.carrier.carry(() => fds, note.session, note.from);
      };
      child.carrier.receive({
        adopt,
        adoptPublisher: (fds, saved) => {
          publishers.push(saved);
          for (const fd of fds) closeSync(fd);
        },
        done: (count) => void (child.resumed += count),
      });
      return true;
    },
    adoptPublisher: (text, fd) => {
      publishers.push(unpack(text));
      closeSync(fd);
    },
    heirs: () => [...children.keys()],
    left: (name, { token }) => void told.push(`${token} left ${name}`),
    settled: ({ token }, name) => void told.push(`${token} ${name === null ? "is lost" : `goes on at ${name}`}`),
  });
}

async function admit(name: string): Promise<Child> {
  const said: FromChild[] = [];
  const carrier = await ChildCarrier.open(vault.admit(name).join(","), (message) => {
    said.push(message);
    vault.heard(name, message);
  });
  assert.ok(carrier !== null);
  const child = { carrier, said, adopted: [], goesOn: false, isDeaf: false, resumed: 0 };
  children.set(name, child);
  return child;
}

/** Somebody plays at a child; the descriptor is the child's own copy. */
function play(child: Child, token: string): { readonly fd: number; readonly carriage: Carriage } {
  const fd = openSync("/dev/null", "r");
  const carriage = child.carrier.carry(() => [fd], session(token), null);
  assert.ok(carriage !== null);
  return { fd, carriage };
}

function mark({ words, at }: Carriage, state: number): void {
  words[at + timestampWord] = position.timestamp;
  words[at + packetWord] = position.packet;
  words[at + stateWord] = state;
}

/** A child that is gone cannot be spoken to. */
function die(name: string): void {
  children.delete(name);
  vault.gone(name);
}

const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

const openFiles = (): number => readdirSync("/proc/self/fd").length;

beforeEach(async () => {
  timers = new FakeTimers();
  children = new Map();
  publishers = [];
  told = [];
  lost = [];
  await makeVault();
});

describe("the vault", () => {
  it("never hears of a connection that is over in the moment in which it began", async () => {
    const child = await admit("edge-1");
    const { fd, carriage } = play(child, "a");
    carriage.over();
    closeSync(fd);
    await soon();
    assert.deepEqual(
      child.said.filter(({ type }) => type === "over" || type === "parcels"),
      [],
    );
    assert.equal(vault.counted().kept, 0);
    vault.close();
  });

  it("hears of nobody who is over when a child looks for the second time", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const child = await admit("edge-1");
    const look = (): void => t.mock.timers.tick(15);
    const old = play(child, "old");
    look();
    const young = play(child, "young");
    look();
    assert.equal(vault.counted().kept, 1, "only one has been there for a whole interval");
    closeSync(young.fd);
    young.carriage.over();
    look();
    look();
    assert.equal(vault.counted().kept, 1);
    assert.deepEqual(
      child.said.map(({ type }) => type),
      ["parcels"],
      "and of its end it hears nothing either",
    );
    closeSync(old.fd);
  });

  it("keeps a copy until the connection is over", async () => {
    const child = await admit("edge-1");
    const { fd, carriage } = play(child, "a");
    await soon();
    closeSync(fd);
    assert.equal(vault.counted().kept, 1);
    carriage.over();
    await soon();
    assert.equal(vault.counted().kept, 0);
    vault.close();
  });

  it("keeps nothing of a connection that is over in the turn in which it began", async () => {
    const child = await admit("edge-1");
    play(child, "a").carriage.over();
    await soon();
    assert.equal(vault.counted().kept, 0);
    vault.close();
  });

  it("gives the connections of a dead child to the others in equal shares, with the place where each stands", async () => {
    const child = await admit("edge-1");
    for (const token of ["a", "b", "c", "d"]) mark(play(child, token).carriage, stateClean);
    await soon();
    const [second, third] = [await admit("edge-2"), await admit("edge-3")];
    die("edge-1");
    assert.deepEqual([second.adopted.length, third.adopted.length], [2, 2]);
    assert.deepEqual(second.adopted[0]?.note, { session: session("a"), from: position });
    vault.close();
  });

  it("gives on what was saved as it was, in whatever letters, from vault to vault and to the heir's heir", async () => {
    const saved = { stream: "直播", page: 'é\n"\\', name: "😀", half: "\ud83d", from: null };
    const child = await admit("edge-1");
    const fd = openSync("/dev/null", "r");
    const carriage = child.carrier.carry(() => [fd], session("a", saved), null);
    assert.ok(carriage !== null);
    await soon();
    const links = await loadDescriptorLinks();
    assert.ok(links !== null);
    const { link, otherFd } = links.pair();
    const otherEnd = links.open(otherFd);
    const old = vault;
    old.bequeath(link, () => undefined);
    carriage.letGo();
    await soon();
    children.clear();
    await makeVault();
    const heir = await admit("edge-1");
    heir.goesOn = true;
    vault.inherit(otherEnd);
    await soon();
    const next = await admit("edge-2");
    die("edge-1");
    for (const { adopted } of [heir, next]) assert.deepEqual(adopted[0]?.note.session, session("a", saved));
    for (const one of [old, vault, link, otherEnd]) one.close();
    for (const one of [fd, ...heir.adopted[0]!.fds, ...next.adopted[0]!.fds]) closeSync(one);
  });

  it("keeps a session of 64 KiB, which still goes to an heir, and nothing of one that is a byte longer", async () => {
    const child = await admit("edge-1");
    const fd = openSync("/dev/null", "r");
    const [longest, longer] = [(64 << 10) - 2, (64 << 10) - 1]; // and two quotes
    const fitting = child.carrier.carry(() => [fd], session("fits", "é".repeat(longest / 2)), null);
    const tooLong = child.carrier.carry(() => [fd], session("too long", "x".repeat(longer)), null);
    const urls = ["x".repeat(longest - 100)];
    const dueToo = child.carrier.carry(() => [fd], { ...session("due", "x".repeat(100)), dues: [{ ...dueOf("a"), urls }] }, null);
    assert.deepEqual([fitting?.isKept, tooLong?.isKept, dueToo?.isKept], [true, false, false]);
    assert.equal(vault.counted().kept, 1);
    const heir = await admit("edge-2");
    die("edge-1");
    assert.equal(heir.adopted[0]?.note.session.saved, "é".repeat(longest / 2));
    closeSync(fd);
    vault.close();
  });

  it("starts anew who has got nothing yet, and cuts who was in the middle of a write", async () => {
    const child = await admit("edge-1");
    play(child, "fresh");
    mark(play(child, "half").carriage, stateBusy);
    await soon();
    const other = await admit("edge-2");
    die("edge-1");
    assert.deepEqual(
      other.adopted.map(({ note }) => [note.session.token, note.from]),
      [["fresh", null]],
    );
    assert.equal(vault.counted().cut, 1);
    vault.close();
  });

  it("gives a connection as what its child has told last, and keeps one copy of it", async () => {
    const child = await admit("edge-1");
    const { carriage } = play(child, "a");
    mark(carriage, stateClean);
    await soon();
    const before = openFiles();
    carriage.renew("paused");
    carriage.renew("paused, and without pictures");
    assert.equal(carriage.isKept, true, "what is asked for it is told at once");
    assert.deepEqual([vault.counted().kept, openFiles()], [1, before]);
    const heir = await admit("edge-2");
    heir.goesOn = true;
    die("edge-1");
    await soon();
    assert.deepEqual(heir.adopted[0]?.note, {
      session: { token: "a", kind: "rtmp", saved: "paused, and without pictures" },
      from: position,
    });
    vault.close();
  });

  it("has what a child sent last, even if nobody was told of it", async () => {
    const child = await admit("edge-1");
    play(child, "a");
    child.said.length = 0;
    await admit("edge-2");
    await soon();
    die("edge-1");
    assert.equal(children.get("edge-2")?.adopted.length, 1);
    vault.close();
  });

  it("keeps its copies for the heir, who only says that it goes on, and counts", async () => {
    const child = await admit("edge-1");
    mark(play(child, "a").carriage, stateClean);
    await soon();
    const heir = await admit("edge-2");
    heir.goesOn = true;
    die("edge-1");
    await soon();
    assert.deepEqual([vault.counted().kept, vault.counted().carried], [1, 1]);
    assert.deepEqual(
      heir.said.map(({ type }) => type),
      ["adopted"],
    );
    assert.equal(heir.resumed, 1);
    vault.close();
  });

  it("leaves all it has to the next vault, and whatever is let go later, with the place where each stands", async () => {
    const before = openFiles();
    const old = vault;
    const child = await admit("edge-1");
    const { fd, carriage } = play(child, "a");
    mark(carriage, stateClean);
    const late = play(child, "b");
    mark(late.carriage, stateClean);
    await soon();
    const links = await loadDescriptorLinks();
    assert.ok(links !== null);
    const { link, otherFd } = links.pair();
    const otherEnd = links.open(otherFd);
    old.bequeath(link, () => undefined);
    carriage.letGo();
    await soon();
    assert.deepEqual([old.counted().kept, link.isWaiting], [1, false]);
    late.carriage.letGo();
    await soon();

    children.clear();
    await makeVault();
    const heir = await admit("edge-1");
    heir.goesOn = true;
    vault.inherit(otherEnd);
    await soon();
    assert.deepEqual(
      heir.adopted.map(({ note }) => [note.session.token, note.from]),
      ["a", "b"].map((token) => [token, position]),
    );
    assert.deepEqual([vault.counted().kept, vault.counted().carried], [2, 2]);
    for (const { fds } of heir.adopted) for (const one of fds) closeSync(one);
    for (const one of [fd, late.fd]) closeSync(one);
    old.close();
    vault.close();
    link.close();
    otherEnd.close();
    assert.ok(openFiles() <= before + 4, "the children's own ends are all that is left");
  });

  it("counts a connection that its own child sends anew as kept, not as carried", async () => {
    const child = await admit("edge-1");
    play(child, "a");
    play(child, "a");
    await soon();
    assert.deepEqual([vault.counted().kept, vault.counted().carried], [1, 0]);
    vault.close();
  });

  it("keeps a pair of descriptors together, and closes both", async () => {
    const child = await admit("proxy-1");
    const fds = [openSync("/dev/null", "r"), openSync("/dev/zero", "r")];
    child.carrier.carry(() => fds, session("pair"), null);
    await soon();
    const heir = await admit("proxy-2");
    heir.goesOn = true;
    die("proxy-1");
    await soon();
    const adopted = heir.adopted[0]?.fds ?? [];
    assert.deepEqual(
      adopted.map((fd) => fstatSync(fd).rdev),
      fds.map((fd) => fstatSync(fd).rdev),
    );
    const open = openFiles();
    vault.close();
    assert.equal(openFiles(), open - 3, "two copies and a link");
    for (const fd of [...fds, ...adopted]) closeSync(fd);
  });

  it("tells who was left, and where it goes on", async () => {
    const child = await admit("edge-1");
    mark(play(child, "a").carriage, stateClean);
    mark(play(child, "half").carriage, stateBusy);
    await soon();
    const heir = await admit("edge-2");
    heir.goesOn = true;
    die("edge-1");
    await soon();
    assert.deepEqual(told, ["a left edge-1", "a goes on at edge-2"]);
    vault.close();
  });

  it("gives what is due along with a connection, but for what was called meanwhile, and gives it back when nobody goes on", async () => {
    const dues = [dueOf("a.stop"), dueOf("done"), dueOf("a.close")];
    const [first, second] = [await admit("edge-1"), await admit("edge-2")];
    const fd = openSync("/dev/null", "r");
    const carriage = first.carrier.carry(() => [fd], { ...session("a"), dues }, null);
    assert.ok(carriage !== null);
    mark(carriage, stateClean);
    await soon();
    assert.deepEqual([...vault.dues()].toSorted(), ["a.close", "a.stop", "done"]);
    second.isDeaf = true;
    die("edge-1");
    assert.deepEqual([...vault.dues()].toSorted(), ["a.close", "a.stop"]);
    assert.deepEqual(lost, []);
    die("edge-2");
    timers.pass(2 * orphanMs);
    assert.deepEqual(
      lost.map(({ key }) => key),
      ["a.stop", "a.close"],
    );
    assert.equal(vault.dues().size, 0);
    closeSync(fd);
  });

  it("gives back what is due for a connection that was cut with its process", async () => {
    const child = await admit("edge-1");
    const fd = openSync("/dev/null", "r");
    const carriage = child.carrier.carry(() => [fd], { ...session("a"), dues: [dueOf("a.stop")] }, null);
    assert.ok(carriage !== null);
    await soon();
    mark(carriage, stateBusy);
    die("edge-1");
    assert.deepEqual(
      lost.map(({ key }) => key),
      ["a.stop"],
    );
    closeSync(fd);
  });

  it("tells who is lost because nobody came, or because the heir did not carry it on", async () => {
    const child = await admit("edge-1");
    mark(play(child, "a").carriage, stateClean);
    await soon();
    die("edge-1");
    timers.pass(2 * orphanMs);
    mark(play(await admit("edge-2"), "b").carriage, stateClean);
    await soon();
    await admit("edge-3");
    die("edge-2");
    await soon();
    assert.deepEqual(told, ["a left edge-1", "a is lost", "b left edge-2", "b is lost"]);
    vault.close();
  });

  it("tells once of one whose heir dies before it answers", async () => {
    const child = await admit("edge-1");
    mark(play(child, "a").carriage, stateClean);
    await soon();
    (await admit("edge-2")).isDeaf = true;
    die("edge-1");
    (await admit("edge-3")).goesOn = true;
    die("edge-2");
    await soon();
    assert.deepEqual(told, ["a left edge-1", "a goes on at edge-3"]);
    vault.close();
  });

  it("gives it to the next one when the heir dies before it answers, from the same place", async () => {
    const child = await admit("edge-1");
    mark(play(child, "a").carriage, stateClean);
    await soon();
    (await admit("edge-2")).isDeaf = true;
    die("edge-1");
    const third = await admit("edge-3");
    die("edge-2");
    assert.deepEqual(third.adopted[0]?.note, { session: session("a"), from: position });
    vault.close();
  });

  it("closes its copy of what an heir does not carry on", async () => {
    const child = await admit("edge-1");
    play(child, "a");
    await soon();
    await admit("edge-2");
    die("edge-1");
    await soon(); // it was handed over, and nobody called `carry`
    assert.equal(vault.counted().kept, 0);
    vault.close();
  });

  it("gives on what a child lets go, and not to that child", async () => {
    const child = await admit("edge-1");
    const { carriage } = play(child, "a");
    mark(carriage, stateClean);
    await soon();
    children.delete("edge-1"); // it drains, and is no heir
    const heir = await admit("edge-2");
    carriage.letGo();
    child.carrier.flush();
    await soon();
    assert.deepEqual(heir.adopted[0]?.note.from, position);
    vault.close();
  });

  it("waits for an heir, and gives up after a while", async () => {
    const child = await admit("edge-1");
    mark(play(child, "a").carriage, stateClean);
    mark(play(child, "b").carriage, stateClean);
    await soon();
    die("edge-1");
    assert.equal(vault.counted().kept, 2);
    timers.pass(orphanMs / 2);
    const heir = await admit("edge-2");
    heir.goesOn = true;
    vault.place();
    assert.equal(heir.adopted.length, 2);
    die("edge-2");
    timers.pass(2 * orphanMs);
    assert.deepEqual([vault.counted().kept, vault.counted().abandoned], [0, 2]);
    vault.close();
  });

  it("does not let a connection go round that ends whoever is given it", async () => {
    const child = await admit("edge-1");
    mark(play(child, "poison").carriage, stateClean);
    await soon();
    for (const [heir, last] of [
      ["edge-2", "edge-1"],
      ["edge-3", "edge-2"],
      ["edge-4", "edge-3"],
      ["edge-5", "edge-4"],
    ] as const) {
      (await admit(heir)).isDeaf = true;
      die(last);
    }
    assert.deepEqual([vault.counted().kept, vault.counted().cut], [0, 1]);
    vault.close();
  });

  it("keeps no more than it may", async () => {
    await makeVault(1);
    const child = await admit("edge-1");
    play(child, "a");
    play(child, "b");
    await soon();
    assert.deepEqual([vault.counted().kept, vault.counted().refused], [1, 1]);
    vault.close();
  });

  it("hands a publisher on", async () => {
    const child = await admit("edge-1");
    const fd = openSync("/dev/null", "r");
    await child.carrier.mover({ stream: "s" } as never, fd);
    assert.deepEqual(publishers, [{ stream: "s" }]);
    assert.ok(isOpen(fd), "the child closes its own");
    closeSync(fd);
    vault.close();
  });

  it("leaves a publisher where it is that is too long to be sent", async () => {
    const { carrier } = await admit("edge-1");
    const fd = openSync("/dev/null", "r");
    assert.equal(carrier.mover("x".repeat(maxSavedBytes) as never, fd), null);
    assert.notEqual(carrier.mover("x".repeat(maxSavedBytes - 2) as never, fd), null);
    assert.deepEqual(
      publishers.map((one) => (one as string).length),
      [maxSavedBytes - 2],
    );
    closeSync(fd);
    vault.close();
  });

  it("closes everything at the end", async () => {
    const child = await admit("edge-1");
    play(child, "a");
    await soon();
    vault.close();
    assert.equal(vault.counted().kept, 0);
  });
});
