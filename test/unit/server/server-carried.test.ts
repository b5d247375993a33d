import assert from "node:assert/strict";
import { test } from "node:test";
import { pack, type Carriage, type Carrier } from "../../../src/ipc/carried.js";
import type { SavedPlayer } from "../../../src/server/rtmp/playing.js";
import { player } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { startServer } from "./rig.js";

test("carried: what is kept of a viewer like most is short, and what another one wants is in it", async (t) => {
  const kept: SavedPlayer[] = [];
  const renew = (saved: unknown): void => void kept.push(saved as SavedPlayer);
  const nothing = (): void => undefined;
  const carriage: Carriage = { words: new Int32Array(4), at: 0, isOver: false, isKept: true, renew, over: nothing, letGo: nothing };
  const carrier: Carrier = {
    isGiven: () => false,
    marksFd: -1,
    carry: (_, { saved }) => {
      renew(saved);
      return carriage;
    },
  };
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
