import assert from "node:assert/strict";
import { test } from "node:test";
import { hasReached, isTooFar, piecesOf, reachOf, streamInfOf, withoutSkipped } from "../../../../src/server/hls/list-text.js";

const head = `#EXTM3U
#EXT-X-VERSION:9
#EXT-X-MEDIA-SEQUENCE:5
#EXT-X-TARGETDURATION:2
## STREAM-INF:BANDWIDTH=7
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.500,CAN-SKIP-UNTIL=4.0
`;
const segment = (number: number): string => `#EXTINF:2.000, no desc\ns-${number}.m4s\n`;
const tail = `#EXT-X-PART:DURATION=0.480,URI="s-9.part0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="s-9.part1.m4s"
`;
const text = `${head}#EXT-X-MAP:URI="init.mp4"\n${[5, 6, 7, 8].map(segment).join("")}${tail}`;

for (const [segmentNumber, part, isThere] of [
  [8, null, true],
  [8, 9, true],
  [9, 0, true],
  [9, 1, false],
  [9, null, false],
  [10, 0, false],
] as const) {
  test(`list text: segment ${segmentNumber}, part ${part} of a list up to 9.0 is ${isThere ? "there" : "to come"}`, () => {
    assert.equal(hasReached(reachOf(text), { segment: segmentNumber, part }), isThere);
  });
}

test("list text: nobody waits for what is further than the segment behind the next", () => {
  assert.equal(isTooFar(reachOf(text), { segment: 10, part: null }), false);
  assert.equal(isTooFar(reachOf(text), { segment: 11, part: null }), true);
});

test("list text: the session stands behind every name in it, and nowhere else", () => {
  const given = piecesOf(`${text}http://cdn/x.ts?a=1\n`).join("ID");
  assert.deepEqual(given.match(/[^"\n]*hls_ctx=ID/g), [
    "init.mp4?hls_ctx=ID",
    ...[5, 6, 7, 8].map((number) => `s-${number}.m4s?hls_ctx=ID`),
    "s-9.part0.m4s?hls_ctx=ID",
    "s-9.part1.m4s?hls_ctx=ID",
    "http://cdn/x.ts?a=1&hls_ctx=ID",
  ]);
  assert.equal(given.replaceAll(/[?&]hls_ctx=ID/g, ""), `${text}http://cdn/x.ts?a=1\n`);
});

test("list text: what a viewer has long had is left out, and counted", () => {
  assert.equal(withoutSkipped(text), `${head}#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n${segment(7)}${segment(8)}${tail}`);
  const short = `${head}${segment(5)}${tail}`;
  assert.equal(withoutSkipped(short), short);
});

test("list text: what the packager tells of the stream, or what SRS would", () => {
  assert.equal(streamInfOf(text), "BANDWIDTH=7");
  assert.equal(streamInfOf("#EXTM3U\n"), "BANDWIDTH=1,AVERAGE-BANDWIDTH=1");
});
