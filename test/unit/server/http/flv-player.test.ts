import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { beforeEach, mock, test } from "node:test";
import type { Carriage } from "../../../../src/ipc/carried.js";
import { stateUnused, stateWord } from "../../../../src/ipc/marks.js";
import { FlvPlayer } from "../../../../src/server/http/flv-player.js";
import { noTraffic } from "../../../../src/server/peers/traffic.js";
import { announcedWaitMs } from "../../../../src/stream/start-cache.js";
import type { Kind } from "../../stream/fakes.js";
import { Owned } from "../../stream/owned.js";

const waitMs = 10_000;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
});

/** A viewer of a stream whose packets it is told by their names. */
class Viewer {
  readonly owned = new Owned({ delayMs: 0 });
  readonly player: FlvPlayer;
  closedBy: string | null = null;
  private body = Buffer.alloc(0);

  constructor(carriage: Carriage | null = null) {
    const duplex = new Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => {
        this.body = Buffer.concat([this.body, bytes]);
        done();
      },
    });
    const socket = Object.assign(duplex, { destroySoon: () => duplex.destroy() }) as unknown as Socket;
    this.owned.source.publish(this.owned.publisher);
    this.player = new FlvPlayer({
      socket,
      framing: { kind: "bare" },
      from: null,
      carry: () => carriage,
      source: this.owned.source,
      headers: {},
      firstWaitMs: 0,
      waitMs,
      announces: null,
      traffic: noTraffic(),
      sinceMs: Date.now(),
      onEnd: (reason) => (this.closedBy = reason),
    });
  }

  push(...kinds: Kind[]): void {
    for (const kind of kinds) this.owned.push(kind, 0, kind);
    mock.timers.tick(0);
  }

  /** What has come behind the head of the answer. */
  private get file(): Buffer {
    const head = this.body.indexOf("\r\n\r\n");
    return head < 0 ? Buffer.alloc(0) : this.body.subarray(head + 4);
  }

  /** The flags of the file's header; null: nothing has come. */
  get flags(): number | null {
    return this.file[4] ?? null;
  }

  get names(): string[] {
    return this.file.toString("latin1").match(/(?:meta|aac|avc|key|inter|audio)(?= (?:meta|aac|avc|key|inter|audio))/g) ?? [];
  }
}

test("flv player: nothing goes out before a frame, and then everything that came before it", () => {
  const viewer = new Viewer();
  viewer.push("meta", "avc");
  assert.equal(viewer.flags, null);
  assert.ok(viewer.player.backlogBytes > 0, "what is held counts as what a slow viewer has not taken");
  viewer.push("key");
  assert.equal(viewer.flags, 1);
  assert.deepEqual(viewer.names, ["meta", "avc", "key"]);
  assert.equal(viewer.player.backlogBytes, 0);
});

test("flv player: a track that is announced is waited for, and nothing is missing or out of place", () => {
  const viewer = new Viewer();
  viewer.push("avc", "aac");
  viewer.push("key");
  viewer.push("inter");
  mock.timers.tick(announcedWaitMs - 1);
  assert.equal(viewer.flags, null);
  viewer.push("audio");
  assert.equal(viewer.flags, 5);
  assert.deepEqual(viewer.names, ["avc", "aac", "key", "inter", "audio"]);
});

test("flv player: a track that is announced and does not come is not waited for without end", () => {
  const viewer = new Viewer();
  viewer.push("avc", "aac", "key");
  mock.timers.tick(announcedWaitMs);
  assert.equal(viewer.flags, 1);
  viewer.push("inter");
  assert.deepEqual(viewer.names, ["avc", "aac", "key", "inter"]);
});

test("flv player: headers of a publisher that left go to nobody", () => {
  const viewer = new Viewer();
  viewer.push("meta", "avc", "aac");
  viewer.owned.source.unpublish(viewer.owned.publisher);
  viewer.owned.source.publish(viewer.owned.publisher);
  viewer.push("audio");
  assert.equal(viewer.flags, 4);
  assert.deepEqual(viewer.names, ["audio"]);
});

test("flv player: while it waits for a frame another process can go on with it, from the beginning", () => {
  const words = new Int32Array(4);
  const viewer = new Viewer({
    words,
    at: 0,
    isOver: false,
    isKept: true,
    renew: () => undefined,
    over: () => undefined,
    letGo: () => undefined,
  });
  viewer.push("meta", "avc");
  assert.equal(words[stateWord], stateUnused, "nothing was written");
  assert.equal(viewer.player.letGo(), true);
  viewer.push("key");
  assert.equal(viewer.flags, null);
});

test("flv player: who waits for a frame in vain is told that there was none", () => {
  const viewer = new Viewer();
  viewer.push("avc");
  mock.timers.tick(waitMs);
  assert.equal(viewer.closedBy, `neither picture nor sound came within ${waitMs} ms`);
});
