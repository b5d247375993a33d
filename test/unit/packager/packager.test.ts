import assert from "node:assert/strict";
import { createDecipheriv } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:http";
import { test } from "node:test";
import { poisonFreeSlabs } from "../../../src/codec/rtmp/slabs.js";
import { openFile } from "../../../src/server/http/files.js";
import { clip } from "../../helpers/clips.js";
import type { LogLine } from "../../helpers/dolphin.js";
import { clipSums, joined, pictureSums, readList, repeated, sendClip, type ReadList } from "../../helpers/packages.js";
import { publisher } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { startBox, type Box } from "./box.js";

poisonFreeSlabs(); // whatever is read behind its time is nonsense

const hls =
  (more = "") =>
  (folder: string) =>
    `hls { enabled on; hls_path ${folder}; hls_fragment 2; hls_window 60; ${more} }`;

/** The list as soon as it has so many entries. */
function listOf({ list }: Box, entries: number): Promise<ReadList> {
  return eventually(
    () => {
      const found = readList(list);
      return found.entries.length >= entries ? found : null;
    },
    { what: `${entries} segments` },
  );
}

test("packager: every picture of a stream is in its segments, once, and they begin with key frames and join without a gap", async (t) => {
  const media = repeated(await clip({ seconds: 4, gop: 25, bFrames: 2 }), 3, 4000);
  const box = await startBox(t, hls());
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 12);
  source.close();
  const list = await listOf(box, 6);
  assert.deepEqual(
    list.entries.map(({ uri }) => uri),
    [0, 1, 2, 3, 4, 5].map((number) => `s-${number}.ts`),
  );
  assert.equal(list.targetSeconds, 2);
  assert.ok(
    list.entries.every(({ seconds }) => Math.abs(seconds - 2) < 0.05),
    list.text,
  );
  assert.deepEqual(await pictureSums(joined(box.list, list), "ts"), await clipSums(media));
  for (const { uri } of list.entries) assert.equal((await pictureSums(readFileSync(join(box.folder, "live", uri)), "ts")).length, 50, uri);
  assert.deepEqual(
    readdirSync(join(box.folder, "live")).filter((name) => /tmp|temp/.test(name)),
    [],
  );
});

test("packager: one that is replaced in mid-segment is followed with the same numbers, and no picture is missing or twice", async (t) => {
  const media = repeated(await clip({ seconds: 4, gop: 25, bFrames: 2 }), 3, 4000);
  const box = await startBox(t, hls());
  const source = await publisher(box.rtmpUrl("s"));
  const half = Math.floor(media.length * 0.42); // five seconds: a second into the third segment
  await sendClip(source, media, 8, 0, half);
  await listOf(box, 2);
  await box.replace();
  await sendClip(source, media, 8, half);
  source.close();
  const list = await listOf(box, 6);
  assert.deepEqual(
    list.entries.map(({ uri }) => uri),
    [0, 1, 2, 3, 4, 5].map((number) => `s-${number}.ts`),
  );
  assert.deepEqual(
    list.entries.filter(({ isDiscontinuous }) => isDiscontinuous),
    [],
  );
  assert.deepEqual(await pictureSums(joined(box.list, list), "ts"), await clipSums(media));
});

test("packager: a stream that is published again goes on with growing numbers, behind a discontinuity", async (t) => {
  const media = await clip({ seconds: 4 });
  const box = await startBox(t, hls());
  for (const wanted of [2, 4]) {
    const source = await publisher(box.rtmpUrl("s"));
    await sendClip(source, media, 12);
    source.close();
    await listOf(box, wanted);
  }
  const list = await listOf(box, 4);
  assert.deepEqual(
    list.entries.map(({ uri, isDiscontinuous }) => [uri, isDiscontinuous]),
    [
      ["s-0.ts", false],
      ["s-1.ts", false],
      ["s-2.ts", true],
      ["s-3.ts", false],
    ],
  );
});

test("packager: segments are encrypted so that a strict reader decrypts each, and a key serves as many as was said", async (t) => {
  const media = repeated(await clip({ seconds: 2, audio: "none" }), 3, 2000);
  const box = await startBox(t, hls("hls_keys on; hls_fragments_per_key 2;"));
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 12);
  source.close();
  const list = await listOf(box, 3);
  const keys = Array.from(list.text.matchAll(/URI="(.+)",IV=0x([0-9a-f]{32})/g), ([, uri = "", iv = ""]) => ({ uri, iv }));
  assert.deepEqual(
    keys.map(({ uri }) => uri),
    ["s-0.key", "s-2.key"],
  );
  const clear = list.entries.map(({ uri }, index) => {
    const { uri: keyName, iv } = keys[Math.floor(index / 2)]!;
    const cipher = createDecipheriv("aes-128-cbc", readFileSync(join(box.folder, "live", keyName)), Buffer.from(iv, "hex"));
    return Buffer.concat([cipher.update(readFileSync(join(box.folder, "live", uri))), cipher.final()]);
  });
  assert.deepEqual(await pictureSums(Buffer.concat(clear), "ts"), await clipSums(media));
});

for (const ending of ["flv", "mp4"]) {
  test(`packager: a recording as ${ending} goes on in the same file when its writer is replaced, and has every picture`, async (t) => {
    const media = repeated(await clip({ seconds: 4, gop: 25, bFrames: 2 }), 2, 4000);
    const box = await startBox(t, (folder) => `dvr { enabled on; dvr_path ${folder}/[app]/[stream].[timestamp].${ending}; }`);
    const source = await publisher(box.rtmpUrl("s"));
    const half = Math.floor(media.length * 0.55);
    await sendClip(source, media, 8, 0, half);
    await eventually(() => box.told.some(({ event }) => event === "package.started"));
    await box.replace();
    await sendClip(source, media, 8, half);
    source.close();
    const { file, durMs } = await eventually(() => box.told.find(({ event }) => event === "dvr.finished"));
    assert.ok(box.told.some(({ event }) => event === "dvr.resumed"));
    assert.ok(Math.abs(Number(durMs) - 8000) < 100, `${String(durMs)} ms`);
    const names = readdirSync(join(box.folder, "live"));
    assert.deepEqual([names.length, existsSync(String(file))], [1, true]);
    assert.deepEqual(await pictureSums(readFileSync(String(file)), ending), await clipSums(media));
  });
}

test("packager: recordings by segments begin with key frames, and no picture is missing between them", async (t) => {
  const media = repeated(await clip({ seconds: 4 }), 2, 4000);
  const box = await startBox(t, (folder) => `dvr { enabled on; dvr_plan segment; dvr_duration 3; dvr_path ${folder}/[stream].flv; }`);
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 12);
  source.close();
  const files = await eventually(() => {
    const done = box.told.filter(({ event }) => event === "dvr.finished");
    return done.length === 3 ? done.map(({ file }) => String(file)) : null;
  });
  assert.deepEqual(
    files,
    ["s.flv", "s-1.flv", "s-2.flv"].map((name) => join(box.folder, name)),
    "none is overwritten",
  );
  const sums = await Promise.all(files.map((file) => pictureSums(readFileSync(file), "flv")));
  assert.deepEqual(
    sums.map(({ length }) => length),
    [75, 75, 50],
  );
  assert.deepEqual(sums.flat(), await clipSums(media));
});

test("packager: sound alone is cut by time, and every frame is there", async (t) => {
  const media = await clip({ seconds: 7, video: "none" });
  const box = await startBox(t, hls());
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 12);
  source.close();
  const list = await listOf(box, 4);
  assert.ok(
    list.entries.slice(0, 3).every(({ seconds }) => Math.abs(seconds - 2) < 0.05),
    list.text,
  );
});

test("packager: names that lead out of the folder are refused, and others are packaged all the same", async (t) => {
  const box = await startBox(
    t,
    (folder) => `hls { enabled on; hls_path ${folder}/in; hls_m3u8_file [stream].m3u8; hls_ts_file ../[stream]-[seq].ts; hls_fragment 2; }`,
  );
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, await clip({ seconds: 1 }), 12);
  await eventually(() => box.told.some(({ code }) => code === "PACK_NAME"));
  assert.equal(source.connection.endedBy, null);
  source.close();
});

test("packager: no HLS is written of a stream whose name is hidden, as it is not served; it is told once, and recorded", async (t) => {
  const dvr = (folder: string): string => `dvr { enabled on; dvr_path ${folder}/rec/[stream].flv; }`;
  const box = await startBox(t, (folder) => `${hls("hls_use_fmp4 on;")(folder)} ${dvr(folder)}`);
  const media = await clip({ seconds: 4 });
  for (const name of [".hid", "s"]) {
    const source = await publisher(box.rtmpUrl(name));
    await sendClip(source, media, 12);
    source.close();
  }
  await listOf(box, 2); // of the plain one, which came later
  await eventually(() => box.told.filter(({ event }) => event === "dvr.finished").length === 2);
  assert.deepEqual(
    readdirSync(join(box.folder, "live")).filter((file) => file.startsWith(".")),
    [],
  );
  assert.ok(existsSync(join(box.folder, "rec/.hid.flv")));
  const refused = box.told.filter(({ code }) => code === "PACK_NAME");
  assert.deepEqual(
    refused.map(({ level, stream }) => [level, stream]),
    [["warn", ".hid"]],
  );
  assert.ok(await openFile({ folder: box.folder, path: "live/s-0.m4s" }).then((found) => found?.handle.close().then(() => true)));
  assert.equal(await openFile({ folder: box.folder, path: "rec/.hid.flv" }), null, "files over HTTP go by the same rule");
});

test("packager: a folder that is hidden by its template is the operator's own, and is written", async (t) => {
  const box = await startBox(t, hls("hls_m3u8_file .own/[stream].m3u8; hls_ts_file .own/[stream]-[seq].ts;"));
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, await clip({ seconds: 2 }), 12);
  source.close();
  await eventually(() => existsSync(join(box.folder, ".own/s.m3u8")));
  assert.deepEqual(
    box.told.filter(({ code }) => code === "PACK_NAME"),
    [],
  );
});

test("packager: a folder that cannot be written to costs one line; the stream goes on, and its segments come when it can", async (t) => {
  const media = repeated(await clip({ seconds: 2 }), 6, 2000);
  const box = await startBox(t, hls());
  writeFileSync(join(box.folder, "live"), "no folder");
  const source = await publisher(box.rtmpUrl("s"));
  const half = Math.floor(media.length / 2);
  await sendClip(source, media, 12, 0, half);
  const told = (): LogLine[] => box.told.filter(({ level }) => level === "error");
  await eventually(() => told().length > 0);
  rmSync(join(box.folder, "live"));
  await sendClip(source, media, 12, half);
  assert.equal(source.connection.endedBy, null);
  source.close();
  const list = await listOf(box, 2);
  assert.equal(list.entries[0]?.isDiscontinuous, true, list.text);
  assert.deepEqual(
    told().map(({ event, code }) => [event, code]),
    [["hls.failed", "PACK_WRITE"]],
  );
  assert.ok((await pictureSums(joined(box.list, list), "ts")).length >= 100);
});

test("packager: pictures that join late begin a segment of their own, and sound goes on", async (t) => {
  const sound = await clip({ seconds: 3, video: "none" });
  const whole = await clip({ seconds: 4 });
  const later = whole.map(({ type, timestamp, payload }) => ({ type, payload, timestamp: timestamp + 3000 }));
  const media = [...sound, ...later.filter(({ type, payload }) => type === 9 || payload[1] !== 0)];
  const box = await startBox(t, hls());
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 8);
  source.close();
  const list = await listOf(box, 4);
  assert.deepEqual(
    list.entries.map(({ isDiscontinuous }) => isDiscontinuous),
    [false, false, true, false],
    list.text,
  );
  const video = list.entries.slice(2).map(({ uri }) => readFileSync(join(box.folder, "live", uri)));
  assert.deepEqual(await pictureSums(Buffer.concat(video), "ts"), await clipSums(whole));
});

test("packager: another picture size begins behind a discontinuity, and the same headers again do not", async (t) => {
  const one = await clip({ seconds: 4 });
  const again = one.map(({ type, timestamp, payload }) => ({ type, payload, timestamp: timestamp + 4000 }));
  const other = (await clip({ seconds: 2, size: "160x90" })).map(({ type, timestamp, payload }) => ({
    type,
    payload,
    timestamp: timestamp + 8000,
  }));
  const box = await startBox(t, hls());
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, [...one, ...again, ...other], 8);
  source.close();
  const list = await listOf(box, 5);
  assert.deepEqual(
    list.entries.map(({ isDiscontinuous }) => isDiscontinuous),
    [false, false, false, false, true],
    list.text,
  );
});

test("packager: segments leave the list by the window, and the disk when late players have had their time", async (t) => {
  const media = repeated(await clip({ seconds: 2 }), 5, 2000);
  const box = await startBox(t, (folder) => `hls { enabled on; hls_path ${folder}; hls_fragment 1; hls_window 3; }`);
  const source = await publisher(box.rtmpUrl("s"));
  await sendClip(source, media, 12);
  source.close();
  const list = await eventually(() => {
    const found = readList(box.list);
    return found.sequence === 7 ? found : null;
  });
  assert.deepEqual(
    list.entries.map(({ uri }) => uri),
    ["s-7.ts", "s-8.ts", "s-9.ts"],
  );
  assert.ok(existsSync(join(box.folder, "live/s-6.ts")), "a player who has the list before this one");
});

test("packager: the site's backend is told of segments and recordings in SRS's words, once each and in order", async (t) => {
  const told: unknown[] = [];
  const asked: string[] = [];
  const backend = createServer((request, response) => {
    let body = "";
    request.on("data", (bytes: Buffer) => (body += bytes.toString()));
    request.on("end", () => {
      if (request.method === "GET") asked.push(request.url ?? "");
      else told.push(JSON.parse(body));
      response.end("0");
    });
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  t.after(() => backend.close());
  const address = backend.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  const hooks = `http_hooks { enabled on; on_hls ${url}/hls; on_dvr ${url}/dvr; on_hls_notify ${url}/notify/[server_id]/[app]/[stream]/[ts_url][param]; }`;
  const box = await startBox(t, (folder) => `${hls()(folder)} dvr { enabled on; dvr_path ${folder}/[app]/[stream].flv; } ${hooks}`);
  const source = await publisher(box.rtmpUrl("s?token=1"));
  await sendClip(source, await clip({ seconds: 4 }), 8);
  source.close();
  const bodies = await eventually(() => (told.length === 3 ? (told as Record<string, unknown>[]) : null));
  const segments = bodies.filter(({ action }) => action === "on_hls");
  const { client_id: clientId, stream_id: streamId, duration, ...rest } = segments[0]!;
  assert.deepEqual(rest, {
    server_id: "vid-test",
    service_id: "12345678",
    action: "on_hls",
    ip: "127.0.0.1",
    vhost: "__defaultVhost__",
    app: "live",
    tcUrl: `rtmp://${box.address}/live`,
    stream: "s",
    param: "?token=1",
    cwd: process.cwd(),
    file: `${box.folder}/live/s-0.ts`,
    url: "live/s-0.ts",
    m3u8: `${box.folder}/live/s.m3u8`,
    m3u8_url: "live/s.m3u8",
    seq_no: 0,
    stream_url: "/live/s",
  });
  assert.deepEqual([typeof clientId, duration], ["string", 2]);
  assert.match(String(streamId), /^vid-/);
  assert.deepEqual(
    segments.map(({ seq_no: number }) => number),
    [0, 1],
  );
  const recording = bodies.find(({ action }) => action === "on_dvr");
  assert.equal(recording?.["file"], `${box.folder}/live/s.flv`);
  assert.ok(Math.abs(Number(recording["duration"]) - 4) < 0.1 && Number(recording["size"]) > 0);
  await eventually(() => asked.length === 2);
  assert.deepEqual(
    asked.map((path) => path.replace(/\?.*/, "")),
    ["/notify/vid-test/live/s/live/s-0.ts", "/notify/vid-test/live/s/live/s-1.ts"],
  );
});
