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
    link.send([{ descriptor: () => fd, note: { name: "ä", n: 1 } }]);
    link.send([{ descriptor: () => fd, note: "second" }]);
    closeSync(fd); // on its way it is nobody's
    const parcels = other.receive();
    assert.deepEqual(
      parcels.map(({ note }) => note),
      [{ name: "ä", n: 1 }, "second"],
    );
    for (const parcel of parcels) {
      writeSync(parcel.fd, "x");
      closeSync(parcel.fd);
    }
    assert.equal(readFileSync(file, "utf8"), "xx");
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
      Array.from({ length: count }, (_, n) => ({ descriptor: () => fd, note: { n, text: "x".repeat(1000) } })),
      () => told(),
    );
    const seen: number[] = [];
    while (seen.length < count) {
      await gone; // the other side is told, and reads, before the rest can follow
      gone = next();
      for (const parcel of other.receive()) {
        seen.push((parcel.note as { n: number }).n);
        closeSync(parcel.fd);
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
    link.send([{ descriptor: () => fd, note: 1 }]);
    link.close();
    const [parcel] = other.receive();
    assert.equal(parcel?.note, 1);
    closeSync(parcel.fd);
    assert.deepEqual(other.receive(), []);
    other.send([{ descriptor: () => fd, note: 2 }]); // EPIPE: nothing is thrown, and no signal ends the process
    other.close();
    closeSync(fd);
  });

  it("gives descriptors that no program of ours inherits", () => {
    const { link, otherFd } = links.pair();
    const other = links.open(otherFd);
    const fd = openSync("/dev/null", "r");
    link.send([{ descriptor: () => fd, note: null }]);
    const [parcel] = other.receive();
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${parcel!.fd}`, "utf8"))?.[1] ?? "0";
    assert.ok((Number.parseInt(flags, 8) & 0o2000000) !== 0, "close-on-exec");
    assert.equal(fstatSync(parcel!.fd).rdev, fstatSync(fd).rdev);
    for (const one of [fd, parcel!.fd]) closeSync(one);
    link.close();
    other.close();
  });
});
