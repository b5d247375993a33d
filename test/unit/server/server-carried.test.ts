import assert from "node:assert/strict";
import { test } from "node:test";
import { pack, type Carriage, type CarriedSession, type Carrier } from "../../../src/ipc/carried.js";
import type { SavedPlayer } from "../../../src/server/rtmp/playing.js";
import { player } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { dup } from "./moving-rig.js";
import { startServer } from "./rig.js";

/** A carrier that keeps what it is told, of one viewer. */
class Keeper implements Carrier {
  readonly marksFd = -1;
  readonly kept: SavedPlayer[] = [];
  /** Of a viewer whom it is giving to this process, or none. */
  givenToken = "";
  session: CarriedSession | null = null;
  descriptors: () => readonly number[] | null = () => null;

  carry(descriptors: () => readonly number[] | null, session: CarriedSession): Carriage {
    this.descriptors = descriptors;
    this.session = session;
    const renew = (saved: unknown): void => void this.kept.push(saved as SavedPlayer);
    renew(session.saved);
    const nothing = (): void => undefined;
    return { words: new Int32Array(4), at: 0, isOver: false, isKept: true, renew, over: nothing, letGo: nothing };
  }

  isGiven(token: string): boolean {
    return token === this.givenToken;
  }
}

test("carried: what is kept of a viewer like most is short, and what another one wants is in it", async (t) => {
  const carrier = new Keeper();
  const { kept } = carrier;
  const rig = await startServer(t, "vhost __defaultVhost__ { }", { carrier });
  const viewer = await player(rig.rtmpUrl("s"));
  t.after(() => viewer.close());
  await eventually(() => kept.length > 0, { what: "what is kept of it" });
  const text = pack(kept[0]);
  assert.ok(text.length < 600, text);
  assert.deepEqual([kept[0]?.manner, kept[0]?.caller.app, kept[0]?.caller.isServer], [{}, "live", undefined]);
  viewer.connection.command("receiveAudio", [false], { streamId: viewer.streamId });
  await eventually(() => kept.length > 1, { what: "what it is now" });
  assert.deepEqual(kept.at(-1)?.manner, { hasAudio: false });
});

test("carried: a viewer who was given is not saved again before something of him changes, and then he is all there", async (t) => {
  const [before, after] = [new Keeper(), new Keeper()];
  const old = await startServer(t, "vhost __defaultVhost__ { }", { carrier: before });
  const heir = await startServer(t, "vhost __defaultVhost__ { }", { carrier: after });
  const viewer = await player(old.rtmpUrl("s"));
  t.after(() => viewer.close());
  await eventually(() => before.session !== null, { what: "that he is carried" });
  const session = before.session!;
  const fd = dup(before.descriptors()![0]!);
  await old.server.handOver(() => Promise.resolve());
  after.givenToken = session.token;
  heir.server.adopt([fd], { session: structuredClone(session), from: null });
  await eventually(() => after.session !== null, { what: "that his heir carries him" });
  assert.equal(after.session?.token, session.token);
  assert.deepEqual(after.kept, [null]);
  viewer.connection.command("receiveAudio", [false], { streamId: viewer.streamId });
  await eventually(() => after.kept.length > 1, { what: "what he is now" });
  const [then, now] = [session.saved as SavedPlayer, after.kept.at(-1)!];
  assert.deepEqual([now.connection.conn, now.caller, now.streamId], [then.connection.conn, then.caller, then.streamId]);
  assert.deepEqual([then.manner, now.manner], [{}, { hasAudio: false }]);
});
