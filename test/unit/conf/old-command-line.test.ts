import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flags } from "../../../src/conf/flags.js";
import { readOldCommandLine } from "../../../src/conf/old-command-line.js";

const any = (port: number): { host: string; port: number } => ({ host: "0.0.0.0", port });
const defined = (flags: Flags): Flags => JSON.parse(JSON.stringify(flags)) as Flags;

const full = "-w 4 -p 1935 -x 8080 -b ./objs/srs -c conf/srs.conf -s 1936,1937 -y 8081,8082";

const understood: [sentence: string, words: string, file: string | undefined, flags: Flags][] = [
  [
    "the seven flags of 2015 start workers before servers",
    full,
    "conf/srs.conf",
    {
      plan: "b",
      server: "./objs/srs",
      cores: 4,
      listen: [any(1935)],
      http: [any(8080)],
      servers: 2,
      serverPorts: { rtmp: [1936, 1937], http: [8081, 8082] },
    },
  ],
  [
    "several public ports are all served",
    "-b srs -p 1935,19350 -x 80,8080 -c a",
    "a",
    { plan: "b", server: "srs", listen: [any(1935), any(19350)], http: [any(80), any(8080)] },
  ],
  [
    "what is missing is chosen, and no -x is no HTTP",
    "-bsrs -p1935 -ca",
    "a",
    { plan: "b", server: "srs", listen: [any(1935)], http: "off" },
  ],
  [
    "servers may lack HTTP ports",
    "-b srs -p 1935 -c a -s 1936",
    "a",
    { plan: "b", server: "srs", listen: [any(1935)], http: "off", servers: 1, serverPorts: { rtmp: [1936], http: [] } },
  ],
  ["-p and -x alone are those of SRS 2 to 4", "-c a -p 1940 -x 8090", "a", { listen: [any(1940)], http: [any(8090)] }],
  ["-p alone leaves HTTP to the file", "-p 1940", undefined, { listen: [any(1940)] }],
];

for (const [sentence, words, file, flags] of understood) {
  test(`old command line: ${sentence}`, () => {
    const found = readOldCommandLine(words.split(" "));
    assert.ok(found !== null && "flags" in found, JSON.stringify(found));
    assert.deepEqual({ file: found.file, flags: defined(found.flags) }, { file, flags });
  });
}

for (const words of ["", "-c conf/edge.conf", "--cores 4 --listen 1935", "status --json", "-v", "-h", "--plan b --server srs"]) {
  test(`old command line: "${words}" is one of today`, () => {
    assert.equal(readOldCommandLine(words.split(" ").filter((word) => word !== "")), null);
  });
}

const refused: [words: string, complaint: RegExp][] = [
  ["-b srs -p 1935", /-c SRS_CONF/],
  ["-b srs -c a", /-p RTMP_PORTS/],
  ["-w 4 -p 1935", /-w needs -b/],
  ["-p 1935 --cores 4", /--cores does not go with/],
  ["-p", /-p needs a value/],
  ["-p 1935,", /not a list of ports/],
  ["-p 99999", /not a list of ports/],
  ["-p 1935,1935", /twice/],
  [`${full} -w 0`, /number of workers/],
  ["-b srs -p 1 -c a -s 2,3 -y 4", /as many ports/],
  ["-b srs -p 1 -c a -y 4", /-y needs -s/],
];

for (const [words, complaint] of refused) {
  test(`old command line: "${words}" is refused with a sentence`, () => {
    const found = readOldCommandLine(words.split(" "));
    assert.ok(found !== null && "complaint" in found, JSON.stringify(found));
    assert.match(found.complaint, complaint);
  });
}
