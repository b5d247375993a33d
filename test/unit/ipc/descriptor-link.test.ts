import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { loadDescriptorLinks, type DescriptorLinks } from "../../../src/ipc/descriptor-link.js";

const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let links: DescriptorLinks;
before(async () => {
  const loaded = await loadDescriptorLinks();
  assert.ok(loaded !== null, "koffi and Linux are here");
  links = loaded;
});

describe("a descriptor link", () => {
  it("carries open files with their notes, in their order", () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const file = join(folder, "a");
    const fd = openSync(file, "w");
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    link.send([{ descriptors: () => [fd], note: { name: "ä\n", n: 1 }, text: every }]);
    link.send([{ descriptors: () => [fd], note: "second" }]);
    closeSync(fd); // on its way it is nobody's
    const parcels = other.receive();
    assert.deepEqual(
      parcels.map(({ note, text }) => [note, text]),
      [
        [{ name: "ä\n", n: 1 }, every],
        ["second", ""],
      ],
    );
    for (const parcel of parcels) {
      writeSync(parcel.fds[0]!, "x");
      parcel.fds.forEach(closeSync);
    }
    assert.equal(readFileSync(file, "utf8"), "xx");
    link.close();
    other.close();
  });

  it("gives each note its own descriptors, however many they are and wherever a message ends", () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const files = Array.from({ length: 250 }, (_, n) => openSync(join(folder, `own-${n}`), "w"));
    const counts = Array.from({ length: 160 }, (_, n) => n % 4); // a note may come alone
    let next = 0;
    link.send(
      counts.map((count) => {
        const first = next;
        next += count;
        return { descriptors: () => files.slice(first, first + count), note: { first, count }, text: `é${first}`.repeat(50 * count) };
      }),
    );
    const parcels = other.receive();
    assert.deepEqual(
      parcels.map(({ fds }) => fds.length),
      counts,
    );
    for (const { fds, note, text } of parcels) {
      const { first, count } = note as { first: number; count: number };
      assert.equal(text, `é${first}`.repeat(50 * count));
      for (const [at, fd] of fds.entries()) assert.equal(fstatSync(fd).ino, fstatSync(files[first + at]!).ino);
      fds.forEach(closeSync);
    }
    files.forEach(closeSync);
    link.close();
    other.close();
  });

  it("leaves out one whose descriptors are closed, and brings the others", () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const [open, closed] = [openSync("/dev/null", "r"), openSync("/dev/null", "r")];
    closeSync(closed);
    link.send([
      { descriptors: () => [open, open], note: 1 },
      { descriptors: () => [open, closed], note: 2 },
      { descriptors: () => null, note: 3 },
      { descriptors: () => [open], note: 4 },
    ]);
    const parcels = other.receive();
    assert.deepEqual(
      parcels.map(({ fds, note }) => [fds.length, note]),
      [
        [2, 1],
        [1, 4],
      ],
    );
    for (const { fds } of parcels) fds.forEach(closeSync);
    closeSync(open);
    link.close();
    other.close();
  });

  it("carries more than one message or one buffer holds, when the other side reads", async () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const fd = openSync("/dev/null", "r");
    const count = 700;
    let told: () => void = () => undefined;
    const next = (): Promise<void> => new Promise((resolve) => (told = resolve));
    let gone = next();
    link.send(
      Array.from({ length: count }, (_, n) => ({ descriptors: () => [fd], note: { n, text: "x".repeat(1000) } })),
      () => told(),
    );
    const seen: number[] = [];
    while (seen.length < count) {
      await gone; // the other side is told, and reads, before the rest can follow
      gone = next();
      for (const parcel of other.receive()) {
        seen.push((parcel.note as { n: number }).n);
        parcel.fds.forEach(closeSync);
      }
    }
    assert.deepEqual(
      seen,
      Array.from({ length: count }, (_, n) => n),
    );
    closeSync(fd);
    link.close();
    other.close();
  });

  it("still has what was sent by somebody who is gone, and gives up when nobody will read", () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const fd = openSync("/dev/null", "r");
    link.send([{ descriptors: () => [fd], note: 1 }]);
    link.close();
    const [parcel] = other.receive();
    assert.equal(parcel?.note, 1);
    parcel.fds.forEach(closeSync);
    assert.deepEqual(other.receive(), []);
    other.send([{ descriptors: () => [fd], note: 2 }]); // EPIPE: nothing is thrown, and no signal ends the process
    other.close();
    closeSync(fd);
  });

  it("gives descriptors that no program of ours inherits", () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const fd = openSync("/dev/null", "r");
    link.send([{ descriptors: () => [fd], note: null }]);
    const [parcel] = other.receive();
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${parcel!.fds[0]!}`, "utf8"))?.[1] ?? "0";
    assert.ok((Number.parseInt(flags, 8) & 0o2000000) !== 0, "close-on-exec");
    assert.equal(fstatSync(parcel!.fds[0]!).rdev, fstatSync(fd).rdev);
    for (const one of [fd, parcel!.fds[0]!]) closeSync(one);
    link.close();
    other.close();
  });
});
