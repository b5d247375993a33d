import assert from "node:assert/strict";
import { test } from "node:test";
import type { Flags } from "../../../src/conf/flags.js";
import { readShortFlags } from "../../../src/conf/short-flags.js";

const any = (port: number): { host: string; port: number } => ({ host: "0.0.0.0", port });
const read = (line: string): unknown => JSON.parse(JSON.stringify(readShortFlags(line.split(" ").filter((word) => word !== ""))));

const full = "-w 4 -p 1935 -x 8080 -b ./objs/srs -c conf/srs.conf -s 1936,1937 -y 8081,8082";
const foreground = { daemon: false, logFile: null };

const starts: [sentence: string, line: string, file: string | undefined, flags: Flags][] = [
  [
    "the seven flags of 2015 start workers before servers",
    full,
    "conf/srs.conf",
    {
      ...foreground,
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
    { ...foreground, plan: "b", server: "srs", listen: [any(1935), any(19350)], http: [any(80), any(8080)] },
  ],
  [
    "what is missing of 2015 is chosen, and no -x is no HTTP",
    "-bsrs -p1935 -ca",
    "a",
    { ...foreground, plan: "b", server: "srs", listen: [any(1935)], http: "off" },
  ],
  [
    "servers may lack HTTP ports",
    "-b srs -p 1935 -c a -s 1936",
    "a",
    { ...foreground, plan: "b", server: "srs", listen: [any(1935)], http: "off", servers: 1, serverPorts: { rtmp: [1936], http: [] } },
  ],
  [
    "-p and -x are those of SRS 2 to 4, in the foreground and with the log on the console",
    "-c a -p 1940 -x 8090",
    "a",
    { ...foreground, listen: [any(1940)], http: [any(8090)] },
  ],
  ["-p alone leaves HTTP to the file", "-p 1940", undefined, { ...foreground, listen: [any(1940)] }],
  ["-c takes the next word", "-c x.conf", "x.conf", {}],
  ["-c takes the rest of its word", "-cx.conf", "x.conf", {}],
];

for (const [sentence, line, file, flags] of starts) {
  test(`short flags: ${sentence}`, () => {
    const expected = { ask: "start", isEnvOnly: false, flags, ...(file === undefined ? {} : { file }) };
    assert.deepEqual(read(line), JSON.parse(JSON.stringify(expected)));
  });
}

for (const line of ["-t -c x.conf", "-c x.conf -t", "-tc x.conf", "-tcx.conf"]) {
  test(`short flags: "${line}" tests a file`, () => {
    assert.deepEqual(read(line), { ask: "test", file: "x.conf", isEnvOnly: false, flags: {} });
  });
}

test("short flags: -e takes the environment for the configuration, with a test and with a start", () => {
  assert.deepEqual(read("-e"), { ask: "start", isEnvOnly: true, flags: {} });
  assert.deepEqual(read("-te"), { ask: "test", isEnvOnly: true, flags: {} });
});

const answered: [ask: string, lines: readonly string[]][] = [
  ["version", ["-v", "-V", "--version", "-tv", "-c x.conf -v"]],
  ["signature", ["-g", "-G", "-eg"]],
  ["help", ["-h", "-?", "--help", "-t x.conf", "-c x.conf more", "-hv"]],
];
for (const [ask, lines] of answered) {
  for (const line of lines) {
    test(`short flags: "${line}" asks for the ${ask}`, () => assert.deepEqual(read(line), { ask }));
  }
}

for (const line of [
  "",
  "--cores 4 --listen 1935",
  "status --json",
  "--plan b --server srs",
  "-c x.conf --cores 4",
  "-t -c x.conf --http off",
]) {
  test(`short flags: "${line}" is not a line of them`, () => assert.equal(read(line), null));
}

const refused: [line: string, complaint: RegExp][] = [
  ["-z", /invalid option -z/],
  ["-tz -c x.conf", /invalid option -z/],
  ["-c", /invalid option -c: it needs a value/],
  ["-tc", /invalid option -c: it needs a value/],
  ["-p", /invalid option -p: it needs a value/],
  ["-b srs -p 1935", /-c SRS_CONF/],
  ["-b srs -c a", /-p RTMP_PORTS/],
  ["-w 4 -p 1935", /-w needs -b/],
  ["-p 1935 --cores 4", /--cores does not go with/],
  ["-p 1935,", /not a list of ports/],
  ["-p 99999", /not a list of ports/],
  ["-p 1935,1935", /twice/],
  [`${full} -w 0`, /number of workers/],
  ["-b srs -p 1 -c a -s 2,3 -y 4", /as many ports/],
  ["-b srs -p 1 -c a -y 4", /-y needs -s/],
];

for (const [line, complaint] of refused) {
  test(`short flags: "${line}" is refused with a sentence`, () => {
    const found = readShortFlags(line.split(" "));
    assert.ok(found?.ask === "nothing", JSON.stringify(found));
    assert.match(found.complaint, complaint);
  });
}
