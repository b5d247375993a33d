import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { maxNameBytes, resolveStream } from "../../../../src/codec/rtmp/url.js";
import { throwsOnly } from "../hex.js";

const rows: [tcUrl: string, stream: string, found: string][] = [
  ["rtmp://h/live", "s", "h live s"],
  ["rtmp://h:1935/live", "s", "h live s"],
  ["rtmps://h/live", "s", "h live s"],
  ["RTMP://h/live", "s", "h live s"],
  ["rtmp://[::1]:1935/live", "s", "::1 live s"],
  ["rtmp://10.0.0.1/live", "s?vhost=v&k=1", "v live s ?k=1"],
  ["rtmp://h/live?vhost=v", "s", "v live s"],
  ["rtmp://h/live?vhost=v", "s?k=1", "v live s ?k=1"],
  ["rtmp://h/live?k=1&l=2", "s?m=3", "h live s ?m=3&k=1&l=2"],
  ["rtmp://h/live?domain=v", "s", "v live s"],
  ["rtmp://h/live", "s?domain=v", "v live s"],
  ["rtmp://h/live...vhost...v", "s", "v live s"],
  ["rtmp://h/live...domain...v", "s", "v live s"],
  ["rtmp://h/live", "s...vhost...v", "v live s"],
  ["rtmp://h/live?vhost=__defaultVhost__", "s", "__defaultVhost__ live s"],
  ["rtmp://h/live?vhost=__DEFAULTVHOST__", "s", "__defaultVhost__ live s"],
  ["rtmp://A.Example.COM/Live", "S", "a.example.com Live S"],
  ["rtmp://a.example.com./live", "s", "a.example.com live s"],
  ["rtmp://a.example.com.:1935/live", "s", "a.example.com live s"],
  ["rtmp://h/live", "s?vhost=A.Example.COM.:1935", "a.example.com live s"],
  ["rtmp://h/live...vhost...A.COM", "s", "a.com live s"],
  ["rtmp://h/live", "s?domain=[2001:DB8::1]:1935", "2001:db8::1 live s"],
  ["rtmp://h/live/sub", "s", "h live/sub s"],
  ["rtmp://h/live", "sub/s", "h live/sub s"],
  ["rtmp://h/live/_definst_", "s", "h live s"],
  ["rtmp://h/live", "_definst_/s", "h live s"],
  ["rtmp://h/", "s", "h __defaultApp__ s"],
  ["rtmp://h", "s", "h __defaultApp__ s"],
  ["rtmp://h/live/s", "", "h live s"],
  ["rtmp://h/live/s?k=1", "", "h live s ?k=1"],
  ["rtmp://h/live/", "/s/", "h live s"],
  ["rtmp://h//live//", "s", "h live s"],
  ["rtmp://h/ live ", " s ", "h live s"],
  ["rtmp://h/live", "s?flag", "h live s ?flag"],
  ["rtmp://h/live", "s?", "h live s"],
  ["rtmp://h/live", "s?a=1?b=2&", "h live s ?a=1&b=2"],
  ["rtmp://h/live", "s?a=x=y", "h live s ?a=x=y"],
  ["rtmp://h/live", "s?token=../../etc", "h live s ?token=../../etc"],
  ["rtmp://h/live", "流", "h live 流"],
  ["rtmp://h/live", "a b", "h live a b"],
  ["rtmp://h/live", "s%2e", "h live s%2e"],
  ["rtmp:///live", "s", "__defaultVhost__ live s"],
  ["rtmp://h/live", "s.flv", "h live s"],
  ["rtmp://h/live", "s.flv?k=1", "h live s ?k=1"],
  ["rtmp://h/live/s.m3u8", "", "h live s"],
  ["rtmp://h/live", "sub/s.ts", "h live/sub s"],
  ["rtmp://h/live", "s.aac", "h live s"],
  ["rtmp://h/live", "s.mp3", "h live s"],
  ["rtmp://h/live", "s.ts.flv", "h live s"],
  ["rtmp://h/live", "10.0.0.1", "h live 10.0.0.1"],
  ["rtmp://h/live", "s.mp4", "h live s.mp4"],
  ["rtmp://h/live", "s.FLV", "h live s.FLV"],
  ["rtmp://h/live", "sflv", "h live sflv"],
  ["rtmp://h/live", ".flv", "h live .flv"],
  ["rtmp://h/live.flv", "s", "h live.flv s"],
];

for (const [tcUrl, stream, found] of rows) {
  test(`url: ${tcUrl} with "${stream}" is ${found}`, () => {
    const request = resolveStream(tcUrl, "", stream);
    assert.equal([request.vhost, request.app, request.stream, request.params].filter((part) => part !== "").join(" "), found);
  });
}

test("url: the app is used where the tcUrl has none", () => {
  assert.deepEqual(resolveStream("", "live", "s"), { vhost: "__defaultVhost__", app: "live", stream: "s", params: "" });
  assert.deepEqual(resolveStream("rtmp://h", "live?vhost=v", "s"), { vhost: "v", app: "live", stream: "s", params: "" });
  assert.equal(resolveStream("rtmp://h/one", "two", "s").app, "one");
  assert.equal(resolveStream("not a url", "live", "s").app, "live");
});

const most = "x".repeat(maxNameBytes);

test("url: names of 255 bytes pass", () => {
  assert.deepEqual(resolveStream(`rtmp://${most}/${most}`, "", most), { vhost: most, app: most, stream: most, params: "" });
});

for (const [what, tcUrl, stream] of [
  ["an empty stream name", "rtmp://h/", ""],
  ["a stream name of nothing but slashes", "rtmp://h", "///"],
  ["a stream name of spaces", "rtmp://h", "   "],
  ["a stream name of 256 bytes", "rtmp://h/live", `${most}x`],
  ["a stream name of 64 KiB", "rtmp://h/live", "x".repeat(65_536)],
  ["a short stream name of many bytes", "rtmp://h/live", "流".repeat(86)],
  ["an app of 256 bytes", `rtmp://h/${most}/x`, "s"],
  ["a vhost of 256 bytes", `rtmp://${most}x/live`, "s"],
  ["an empty vhost parameter", "rtmp://h/live", "s?vhost="],
  ["a stream that climbs", "rtmp://h/live", "../s"],
  ["a stream that is only dots", "rtmp://h/live", ".."],
  ["an app that climbs", "rtmp://h/live/..", "s"],
  ["a vhost that climbs", "rtmp://h/live?vhost=a/../b", "s"],
  ["a NUL", "rtmp://h/live", "s\u0000.flv"],
  ["a line break", "rtmp://h/live", "s\r\nSet-Cookie: a"],
  ["an escape character", "rtmp://h/live", "s\u001b[31m"],
  ["a control character of 8 bits", "rtmp://h/live", "s\u009b31m"],
  ["a line break in the app", "rtmp://h/li\nve", "s"],
  ["a line break in the vhost", "rtmp://h/live?vhost=a\nb", "s"],
  ["parameters of 64 KiB", "rtmp://h/live", `s?k=${"x".repeat(65_536)}`],
] as const) {
  test(`url: ${what} is refused`, () => assert.throws(() => resolveStream(tcUrl, "", stream), { code: "RTMP_NAME" }));
}

const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(
      fc.constantFrom("rtmp://", "h", ":", "/", "?", "&", "=", "...", "vhost", "domain", "[", "]", "..", " ", "\n", "\0", "_definst_"),
      { maxLength: 20 },
    )
    .map((parts) => parts.join("")),
);

test("url: anything is a stream with good names, or refused with RTMP_NAME", () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (tcUrl, app, name) => {
      throwsOnly(["RTMP_NAME"], () => {
        const { vhost, app: foundApp, stream } = resolveStream(tcUrl, app, name);
        for (const part of [vhost, foundApp, stream]) {
          assert.ok(part !== "" && Buffer.byteLength(part) <= maxNameBytes && !part.split("/").includes(".."), part);
        }
        assert.ok(!stream.includes("/"));
      });
    }),
    { numRuns: 5000 },
  );
});

test("url: what was resolved once is resolved to the same again", () => {
  for (const [tcUrl, stream] of rows) {
    const first = resolveStream(tcUrl, "", stream);
    assert.deepEqual(
      resolveStream(`rtmp://h/${first.app}`, "", `${first.stream}${first.params === "" ? "?" : `${first.params}&`}vhost=${first.vhost}`),
      first,
    );
  }
});

for (const piece of [".flv", "/", "?", "...vhost...", "a=&", "[", " ", "rtmp://"]) {
  test(`url: a megabyte of "${piece}" is answered at once`, () => {
    const text = piece.repeat((1 << 20) / piece.length);
    const before = process.cpuUsage();
    throwsOnly(["RTMP_NAME"], () => void resolveStream(`rtmp://h/${text}`, text, text));
    // Of the process and not of the clock, which goes on while a busy machine does something else.
    assert.ok(process.cpuUsage(before).user < 2_000_000);
  });
}
