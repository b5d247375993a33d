import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  boxId,
  clientRowOf,
  partsOfId,
  seenClients,
  seenStreams,
  streamRowOf,
  vhostRowOf,
  type ServerRow,
} from "../../../../src/admin/box/srs-rows.js";
import { streamId, vhostId } from "../../../../src/ipc/identity.js";

const kbps = { recv_30s: 1, send_30s: 2 };
const client = (server: string, id: string, type: string, url = "/live/s"): ServerRow => ({
  server,
  row: { id, vhost: "vid-a", stream: "vid-b", ip: "192.0.2.1", url, type, publish: type.endsWith("publish"), alive: 2, kbps, more: "kept" },
});
const stream = (server: string, cid: string | null, url = "/live/s"): ServerRow => ({
  server,
  row: {
    id: "vid-b",
    vhost: "vid-a",
    url,
    clients: 2,
    send_bytes: 20,
    recv_bytes: 10,
    kbps,
    publish: cid === null ? { active: false } : { active: true, cid },
    video: cid === null ? null : { codec: "H264", profile: "High", level: "3.2", width: 768, height: 320 },
  },
});

describe("rows of several srs", () => {
  it("are clients of names that no two servers share, and keep all that was said", () => {
    const clients = seenClients([client("server-1", "7", "fmle-publish"), client("server-2", "7", "rtc-play", "v/a/b/s")], 10_000);
    assert.deepEqual(
      clients.map(({ id, process, vhost, app, stream: name, type, sinceMs }) => [id, process, vhost, app, name, type, sinceMs]),
      [
        ["server-1.7", "server-1", "__defaultVhost__", "live", "s", "fmle-publish", 8_000],
        ["server-2.7", "server-2", "v", "a/b", "s", "rtc-play", 8_000],
      ],
    );
    const [, other] = clients;
    assert.ok(other?.srs !== undefined);
    const row = clientRowOf(other, other.srs);
    assert.deepEqual([row["id"], row["vhost"], row["stream"]], ["server-2.7", vhostId("v"), streamId("v/a/b/s")]);
    assert.deepEqual([row["more"], row["kbps"], row["alive"]], ["kept", kbps, 2]);
  });

  it("tell of a client once who was on two pages", () => {
    assert.equal(seenClients([client("server-1", "7", "rtmp-play"), client("server-1", "7", "rtmp-play")], 0).length, 1);
  });

  it("are one stream where several servers have it, added up, with the publisher of the one that has him", () => {
    const clients = seenClients(
      [client("server-1", "1", "rtmp-play"), client("server-2", "1", "fmle-publish"), client("server-2", "2", "rtmp-play")],
      10_000,
    );
    const [found, ...none] = seenStreams([stream("server-1", null), stream("server-2", "1")], clients);
    assert.ok(found?.srs !== undefined);
    assert.equal(none.length, 0);
    const { state, source, players, playersOf, publisherId, sinceMs } = found;
    assert.deepEqual(
      { state, source, players, publisherId, sinceMs },
      {
        state: "publish",
        source: { process: "server-2", peer: "192.0.2.1" },
        players: 2,
        publisherId: "server-2.1",
        sinceMs: 8_000,
      },
    );
    assert.deepEqual(playersOf, { "server-1": 1, "server-2": 1 });
    const row = streamRowOf(found, found.srs);
    assert.deepEqual(
      [row["id"], row["clients"], row["send_bytes"], row["recv_bytes"], row["kbps"], row["publish"]],
      [streamId("__defaultVhost__/live/s"), 4, 40, 20, { recv_30s: 2, send_30s: 4 }, { active: true, cid: "server-2.1" }],
    );
    assert.deepEqual((row["video"] as { codec: string }).codec, "H264");
  });

  it("are one vhost, whose streams are counted once", () => {
    const vhost = (server: string): ServerRow => ({
      server,
      row: { id: "vid-a", name: "v", clients: 3, streams: 1, hls: { enabled: true } },
    });
    const row = vhostRowOf("v", [vhost("server-1"), vhost("server-2")], 1);
    assert.deepEqual([row["id"], row["clients"], row["streams"], row["hls"]], [vhostId("v"), 6, 1, { enabled: true }]);
  });

  it("may hold anything: what is not as it should be is nothing", () => {
    const odd: ServerRow = { server: "server-1", row: { id: {}, url: 7, alive: "x", publish: 3, video: [], kbps: null } };
    assert.equal(seenClients([odd], 0)[0]?.id, "server-1.");
    assert.equal(seenStreams([odd], [])[0]?.state, "wait");
  });

  it("have ids that are taken apart again, whatever a server calls its clients", () => {
    assert.deepEqual(partsOfId(boxId("server-1", "a.b")), { server: "server-1", own: "a.b" });
    for (const none of ["", "a", ".a", "a."]) assert.equal(partsOfId(none), null);
  });
});
