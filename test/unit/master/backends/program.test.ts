import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse, type Directive } from "../../../../src/conf/grammar/parser.js";
import { programFor, render, type ProgramFacts } from "../../../../src/master/backends/program.js";
import type { ServerSlot } from "../../../../src/master/backends/slots.js";

const slot: ServerSlot = { number: 2, name: "server-2", folder: "/run/s/server-2", rtmpPort: 1937, httpPort: 8082, apiPort: 1987 };
const facts: ProgramFacts = {
  wantsHttp: true,
  confPath: null,
  template: null,
  srsFile: [],
  api: null,
  cwd: "/started/here",
  isInit: false,
};
const tree = (text: string): readonly Directive[] => parse(text, "f", () => "").directives;
const srs = (major: number) => ({ kind: "srs", path: "objs/srs", version: `${major}.0.0`, major }) as const;

describe("a command", () => {
  it("gets its slot's values in its words and in its template, which is a file of its own", () => {
    const program = programFor({ kind: "command", argv: ["nginx", "-p", "{dir}", "-c", "{conf}", "--n={slot}"] }, slot, {
      ...facts,
      template: "listen {rtmp_port}; http { listen {http_port}; } {other} ${HOME}",
    });
    assert.deepEqual(program, {
      argv: ["nginx", "-p", "/run/s/server-2", "-c", "/run/s/server-2/server.conf", "--n=2"],
      env: {},
      folder: "/run/s/server-2",
      files: [{ path: "/run/s/server-2/server.conf", text: "listen 1937; http { listen 8082; } {other} ${HOME}" }],
      servesHttp: true,
      api: null,
      cwd: null,
    });
  });

  it("serves HTTP when it is told a port for it, and the box serves any", () => {
    const serves = (word: string, more: Partial<ProgramFacts>): boolean =>
      programFor({ kind: "command", argv: ["s", word] }, slot, { ...facts, ...more }).servesHttp;
    assert.equal(serves("{http_port}", {}), true);
    assert.equal(serves("{rtmp_port}", {}), false);
    assert.equal(serves("{rtmp_port}", { template: "{http_port}" }), true);
    assert.equal(serves("{http_port}", { wantsHttp: false }), false);
  });

  it("keeps braces that are no known names", () => {
    assert.equal(render("{a} { } {} {slot} {SLOT}", { slot: "1" }), "{a} { } {} 1 {SLOT}");
  });
});

describe("a modern srs", () => {
  const confPath = "conf/srs.conf";
  const srsFile = tree("listen 1935; vhost a { }");

  it("runs with the user's own file and is told its slot by the environment, on the loopback alone", () => {
    const { argv, env, files, folder } = programFor(srs(7), slot, { ...facts, confPath, srsFile });
    assert.deepEqual(argv, ["objs/srs", "-c", "conf/srs.conf"]);
    assert.deepEqual(files, []);
    assert.equal(folder, slot.folder);
    const { SRS_LISTEN, SRS_HTTP_SERVER_ENABLED, SRS_HTTP_SERVER_LISTEN, SRS_HTTP_API_LISTEN } = env;
    assert.deepEqual(
      [SRS_LISTEN, SRS_HTTP_SERVER_ENABLED, SRS_HTTP_SERVER_LISTEN, SRS_HTTP_API_LISTEN],
      ["127.0.0.1:1937", "on", "127.0.0.1:8082", "127.0.0.1:1987"],
    );
    assert.deepEqual(
      [env["SRS_DAEMON"], env["SRS_ASPROCESS"], env["SRS_LOG_TANK"], env["SRS_SRS_LOG_TANK"]],
      ["off", "on", "console", "console"],
    );
    assert.equal(env["SRS_PID"], "/run/s/server-2/srs.pid");
  });

  it("has nothing that listens beside its slot", () => {
    const { env } = programFor(srs(7), slot, { ...facts, confPath, srsFile, wantsHttp: false });
    for (const name of ["HTTP_SERVER", "HTTP_SERVER_HTTPS", "HTTP_API_HTTPS", "EXPORTER", "RTC_SERVER", "SRT_SERVER"])
      assert.equal(env[`SRS_${name}_ENABLED`], "off", name);
  });

  it("is not told to follow a parent whose pid is 1, for then it refuses to start", () => {
    assert.equal(programFor(srs(7), slot, { ...facts, confPath, srsFile, isInit: true }).env["SRS_ASPROCESS"], "off");
  });

  it("is started where dolphin was, so that its work_dir is entered once, and tells what it serves of the API", () => {
    const { cwd, api } = programFor(srs(7), slot, { ...facts, confPath, srsFile, api: "apart" });
    assert.deepEqual([cwd, api], ["/started/here", "apart"]);
  });

  it("gets a copy of a file that has our block in it, for it refuses that", () => {
    const { argv, files } = programFor(srs(7), slot, { ...facts, confPath, srsFile: tree("listen 1935; dolphin { plan b; } vhost a { }") });
    assert.deepEqual(argv, ["objs/srs", "-c", "/run/s/server-2/srs.conf"]);
    assert.deepEqual(files, [{ path: "/run/s/server-2/srs.conf", text: "listen 1935;\nvhost a {\n}\n" }]);
  });
});

describe("an srs from before 5", () => {
  it("gets a copy of the user's file with its slot in it, for it knows no environment", () => {
    const srsFile = tree("listen 1935 1936; pid a.pid; http_server { enabled off; dir ./html; } vhost a { }");
    const { argv, env, files } = programFor(srs(2), slot, { ...facts, confPath: "conf/srs.conf", srsFile });
    assert.deepEqual(argv, ["objs/srs", "-c", "/run/s/server-2/srs.conf"]);
    assert.deepEqual(env, {});
    assert.equal(
      files[0]?.text,
      [
        "listen 1937;",
        "pid /run/s/server-2/srs.pid;",
        "http_server {",
        "    enabled on;",
        "    dir ./html;",
        "    listen 8082;",
        "}",
        "vhost a {",
        "}",
        "daemon off;",
        "srs_log_tank console;",
        "http_api {",
        "    listen 1987;",
        "}",
        "",
      ].join("\n"),
    );
  });
});
