import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WatchedStream } from "../../../../src/codec/rtmp/watch.js";
import { directiveRows } from "../../../../src/conf/directives/table.js";
import type { Config } from "../../../../src/conf/meaning/config.js";
import { execCommands, ingestCommands, isMade, placeOf, transcodeCommands } from "../../../../src/packager/programs/commands.js";
import { configOf } from "../../server/rig.js";

const output = "rtmp://127.0.0.1:[port]/[app]?vhost=[vhost]/[stream]_[engine]";
const by = (app: string, stream: string, params = "", vhost = "__defaultVhost__"): WatchedStream => [
  vhost,
  app,
  stream,
  "1",
  "ip",
  params,
  "rtmp://h/a",
];
const quiet = "-hide_banner -nostats -loglevel warning";

function transcode(inside: string, stream = by("live", "s")): string[] {
  const config = configOf(`vhost __defaultVhost__ { transcode { enabled on; ffmpeg ff; ${inside} } }`);
  const place = { ...placeOf(config), rtmp: { host: "127.0.0.1", port: 1935 } };
  return transcodeCommands(config.vhosts[0]!, stream, place).map(({ argv }) => argv.join(" "));
}

const input = "-f flv -i rtmp://127.0.0.1:1935/live/s?vhost=__defaultVhost__";
const made = "-f flv -y rtmp://127.0.0.1:1935/live?vhost=__defaultVhost__/s_e";

describe("the words of ffmpeg", () => {
  const engines: readonly [name: string, inside: string, words: string][] = [
    ["a copy", "vcodec copy; acodec copy;", `${input} -vcodec copy -acodec copy ${made}`],
    ["nothing is said", "", `${input} -vcodec copy -acodec copy ${made}`],
    [
      "no video",
      "vcodec vn; acodec aac; abitrate 45; asample_rate 44100; achannels 2; aparams { profile:a aac_low; }",
      `${input} -vn -acodec aac -b:a 45000 -ar 44100 -ac 2 -profile:a aac_low ${made}`,
    ],
    ["no audio", "vcodec copy; acodec an;", `${input} -vcodec copy -an ${made}`],
    [
      "a filter of bits of a copy",
      "vcodec copy; acodec copy; aparams { bsf:a aac_adtstoasc; }",
      `${input} -vcodec copy -acodec copy -bsf:a aac_adtstoasc ${made}`,
    ],
    [
      "all of it",
      `perfile { re; rtsp_transport tcp; } iformat flv; vfilter { i ./logo.png; filter_complex 'overlay=10:10'; } vcodec libx264; vbitrate 1500; vfps 25;
       vwidth 769; vheight 320; vthreads 12; vprofile main; vpreset medium; vparams { t 100; coder 1; } acodec libfdk_aac; abitrate 70; asample_rate 44100; achannels 2; aparams { } oformat flv;`,
      `-re -rtsp_transport tcp ${input} -i ./logo.png -filter_complex overlay=10:10 -vcodec libx264 -b:v 1500000 -r 25 -s 768x320 -aspect 768:320 -threads 12 -profile:v main -preset medium -t 100 -coder 1 -acodec libfdk_aac -b:a 70000 -ar 44100 -ac 2 ${made}`,
    ],
    [
      "formats that are off",
      "iformat off; oformat off; vcodec copy; acodec copy;",
      `${input.replace("-f flv ", "")} -vcodec copy -acodec copy ${made.replace("-f flv ", "")}`,
    ],
  ];
  for (const [name, inside, words] of engines) {
    it(name, () => assert.deepEqual(transcode(`engine e { enabled on; ${inside} output ${output}; }`), [`ff ${quiet} ${words}`]));
  }

  it("every directive of an engine shows in them", () => {
    const rows = directiveRows.filter(({ place }) => place === "vhost.transcode.engine");
    const base: Readonly<Record<string, string>> = {
      enabled: "on",
      vcodec: "libx264",
      acodec: "aac",
      vwidth: "2",
      vheight: "2",
      output: "rtmp://a/b/c",
    };
    const blocks = new Set(["perfile", "vfilter", "vparams", "aparams"]);
    const engineOf = (told: Readonly<Record<string, string>>): string[] =>
      transcode(
        `engine e { ${Object.entries(told)
          .map(([name, value]) => `${name} ${value}${value.endsWith("}") ? "" : ";"}`)
          .join(" ")} }`,
      );
    for (const { name } of rows) {
      const value = blocks.has(name) ? "{ q 7; }" : name === "enabled" ? "off" : name === "output" ? "rtmp://a/b/other" : "98";
      assert.notDeepEqual(engineOf({ ...base, [name]: value }), engineOf(base), name);
    }
  });

  it("engines of all streams, of the app and of the stream run; others do not", () => {
    const config = configOf(
      `vhost __defaultVhost__ { ${["", "live", "live/s", "other", "live/t"]
        .map(
          (scope) => `transcode ${scope} { enabled on; ffmpeg ff; engine e${scope.replace("/", "-")} { enabled on; output ${output}; } }`,
        )
        .join(" ")} }`,
    );
    assert.deepEqual(
      transcodeCommands(config.vhosts[0]!, by("live", "s"), placeOf(config)).map(({ name }) => name),
      ["e", "elive", "elive-s"],
    );
  });

  it("placeholders of an output are filled, parameters too", () => {
    const [words] = transcode(
      "engine e { enabled on; output rtmp://h:[port]/[app]/[stream]?[param]&e=[engine]&v=[vhost]; }",
      by("live", "s", "?k=1"),
    );
    assert.match(words!, /-y rtmp:\/\/h:1935\/live\/s\?k=1&e=e&v=__defaultVhost__$/);
  });

  it("an ingest reads a file at its own pace, copies where its engine is off, and names no default vhost", () => {
    const ingest = (type: string, engine: string): string[] => {
      const config = configOf(
        `vhost __defaultVhost__ { ingest i { enabled on; input { type ${type}; url a.flv; } ffmpeg ff; engine { ${engine} output rtmp://127.0.0.1:[port]/live?vhost=[vhost]/l; } } }`,
      );
      return ingestCommands(config.vhosts[0]!, { ...placeOf(config), rtmp: { host: "127.0.0.1", port: 1935 } }).map(({ argv }) =>
        argv.join(" "),
      );
    };
    assert.deepEqual(ingest("file", "enabled off;"), [
      `ff ${quiet} -re -i a.flv -vcodec copy -acodec copy -f flv -y rtmp://127.0.0.1:1935/live/l`,
    ]);
    assert.deepEqual(ingest("stream", "enabled on; perfile { rtsp_transport tcp; } vcodec copy; acodec an;"), [
      `ff ${quiet} -rtsp_transport tcp -i a.flv -vcodec copy -an -f flv -y rtmp://127.0.0.1:1935/live/l`,
    ]);
  });
});

describe("the words of exec", () => {
  const exec = (line: string, stream = by("live", "s")) => {
    const config = configOf(`vhost __defaultVhost__ { exec { enabled on; publish ${line}; } }`);
    return execCommands(config.vhosts[0]!, stream, { ...placeOf(config), rtmp: { host: "127.0.0.1", port: 1935 } })[0];
  };
  it("placeholders are filled within their words", () => {
    assert.deepEqual(exec("p [vhost] [port] [app]/[stream] [tcUrl] [url] x[pageUrl][swfUrl]", by("live", "a b"))?.argv, [
      "p",
      "__defaultVhost__",
      "1935",
      "live/a b",
      "rtmp://h/a",
      "rtmp://127.0.0.1:1935/live/a b?vhost=__defaultVhost__",
      "x",
    ]);
  });
  const redirects: readonly [line: string, argv: string, stdout: string | null, stderr: string | null][] = [
    ["p a >o", "p a", "o", null],
    ["p > o a", "p a", "o", null],
    ["p 1>o 2>e", "p", "o", "e"],
    ["p >o 2>&1", "p", "o", "o"],
    ["p 2>&1", "p", null, null],
    ["p a>b", "p a>b", null, null],
  ];
  for (const [line, argv, stdout, stderr] of redirects) {
    it(`${line} writes where it says`, () => {
      const command = exec(line);
      assert.deepEqual([command?.argv.join(" "), command?.stdout, command?.stderr], [argv, stdout, stderr]);
    });
  }
  it("a stream whose name would be an option runs nothing", () => {
    assert.equal(exec("p [stream]", by("live", "-rf")), undefined);
    assert.deepEqual(exec("p -s x[stream]", by("live", "-rf"))?.argv, ["p", "-s", "x-rf"]);
  });
});

describe("a stream that an engine makes", () => {
  const engine = (name: string, to: string): string => `transcode { enabled on; ffmpeg ff; engine ${name} { enabled on; output ${to}; } }`;
  const config: Config = configOf(`
    vhost a { ${engine("x", "rtmp://127.0.0.1/[app]?vhost=b/[stream]")} }
    vhost b { ${engine("y", "rtmp://localhost:1935/[app]/[stream]?vhost=a")} }
    vhost c { ${engine("z", "rtmp://127.0.0.1:1935/[app]?vhost=[vhost]/[stream]_[engine]")} }
    vhost d { ${engine("w", "rtmp://elsewhere/[app]?vhost=d/[stream]_w")} }`);
  const place = { ...placeOf(config), rtmp: { host: "127.0.0.1", port: 1935 } };
  const cases: readonly [what: string, key: string, live: readonly string[], isMade: boolean][] = [
    ["is one while its source is live", "b/live/s", ["a/live/s"], true],
    ["is none while its source is not", "b/live/s", [], false],
    ["is none of its own kind", "a/live/s", ["a/live/s"], false],
    ["that is made of each other is the one of the later vhost", "b/live/s", ["a/live/s", "b/live/s"], true],
    ["and not the one of the first", "a/live/s", ["a/live/s", "b/live/s"], false],
    ["has the name that the engine gives", "c/live/s_z", ["c/live/s"], true],
    ["is none by another name", "c/live/s_y", ["c/live/s"], false],
    ["is none of another server", "d/live/s_w", ["d/live/s"], false],
  ];
  for (const [what, key, live, expected] of cases) {
    it(what, () => {
      const [vhost = "", app = "", stream = ""] = key.split("/");
      const isLive = (name: { vhost: string; app: string; stream: string }): boolean =>
        live.includes(`${name.vhost}/${name.app}/${name.stream}`);
      assert.equal(isMade(config.vhosts, { vhost, app, stream }, place, isLive), expected);
    });
  }
});
