// What keeps somebody or something out and is not served yet refuses the file; what is only missing does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { directiveRows } from "../../../../src/conf/directives/table.js";
import { loadConfig, type ConfSource, type Loaded } from "../../../../src/conf/load.js";

const load = (text: string, more: Partial<ConfSource> = {}): Loaded => loadConfig({ file: "f", text, ...more });
const inVhost = (text: string): string => `listen 1935;\nvhost a {\n${text}\n}`;
const remux = (text: string): string => inVhost(`http_remux { enabled on;\n${text} }`);

const guards: [text: string, place: string, risk: string][] = [
  [inVhost("cluster { mode remote; origin b;\ntoken_traverse on; }"), "4:1 token_traverse", "whoever the origin would refuse is let in"],
  [inVhost("mode remote; origin b;\ntoken_traverse on;"), "4:1 token_traverse", "whoever the origin would refuse is let in"],
  [remux("has_video off;"), "3:1 drop_if_not_match", "the tracks that has_audio off and has_video off leave out are delivered"],
  [remux("has_audio off; drop_if_not_match on;"), "4:16 drop_if_not_match", "the tracks that has_audio off and has_video off leave out"],
];

for (const [text, place, risk] of guards) {
  test(`guards: ${JSON.stringify(text)} is refused, and taken with a warning where that is asked for`, () => {
    const refused = load(text);
    const errors = refused.problems.filter(({ severity }) => severity === "error");
    assert.equal(refused.config, null);
    assert.equal(errors.length, 1, JSON.stringify(errors));
    const [{ line, column, code, message } = { line: 0, column: 0, code: "", message: "" }] = errors;
    assert.equal(`${line}:${column} ${message.split(" ")[0]}`, place);
    assert.equal(code, "CONF_UNGUARDED");
    assert.ok(message.includes(` is not served yet, and without it ${risk}`), message);
    assert.match(message, /; to start all the same write dolphin \{ unguarded on; \} or set SRS_DOLPHIN_UNGUARDED=on$/);

    for (const taken of [load(`${text}\ndolphin { unguarded on; }`), load(text, { env: { SRS_DOLPHIN_UNGUARDED: "on" } })]) {
      assert.ok(taken.config);
      const told = taken.problems.filter((problem) => problem.code === "CONF_UNGUARDED");
      assert.deepEqual(
        told.map((problem) => [problem.severity, `${problem.line}:${problem.column}`]),
        [["warning", place.split(" ")[0]]],
      );
    }
  });
}

const harmless: [sentence: string, text: string][] = [
  ["a block that is off", inVhost("http_remux { mount [vhost]/[app]/[stream].ts; has_video off; }")],
  ["a vhost that is off", inVhost("enabled off; cluster { token_traverse on; }")],
  ["a second vhost of one name, which is never read", "listen 1935; vhost a { } vhost a { cluster { token_traverse on; } }"],
  ["a second block, which is never read", inVhost("cluster { } cluster { token_traverse on; }")],
  ["callbacks, which are served", inVhost("http_hooks { enabled on; on_play http://a/; } forward { enabled on; backend http://a/; }")],
  ["an http_remux that is off", inVhost("http_remux { mount a.ts; has_video off; }")],
  ["tracks that are announced as missing and shall pass", remux("has_video off; drop_if_not_match off;")],
  ["mounts of every kind", remux("mount /[app]/[stream].flv /[app]/[stream].ts /[app]/[stream].mp3 /[app]/[stream].aac;")],
  ["what is missing and no more", inVhost("hls { enabled on; } dvr { enabled on; } play { mix_correct on; }")],
];

for (const [sentence, text] of harmless) {
  test(`guards: nobody is kept out by ${sentence}`, () => {
    const { config, problems } = load(text);
    assert.ok(config, JSON.stringify(problems));
    assert.deepEqual(
      problems.filter(({ code }) => code === "CONF_UNGUARDED"),
      [],
    );
  });
}

test("guards: every one of a file is told, of every vhost", () => {
  const text = `listen 1935;
vhost a { cluster { token_traverse on; } http_remux { enabled on; has_video off; } }
vhost b { cluster { token_traverse on; } }`;
  assert.deepEqual(
    load(text).problems.flatMap(({ code, line, message }) => (code === "CONF_UNGUARDED" ? [`${line} ${message.split(" ")[0]}`] : [])),
    ["2 token_traverse", "2 drop_if_not_match", "3 token_traverse"],
  );
});

const guarded = inVhost("cluster { token_traverse on; } dash { enabled on; }");

test("guards: an unmodified srs behind the proxies serves what we do not, and nothing is told", () => {
  for (const [text, more] of [
    [guarded, { flags: { server: "objs/srs" } }],
    [guarded, { flags: { server: "objs/srs", plan: "b" } }],
    [`${guarded} dolphin { server objs/srs; }`, {}],
    [`${guarded} dolphin { plan b; server objs/srs; }`, {}],
    [`${guarded} dolphin { server builtin; }`, { flags: { server: "objs/srs" } }],
  ] satisfies [string, Partial<ConfSource>][]) {
    const { config, problems } = load(text, more);
    assert.ok(config);
    assert.deepEqual(problems, [], text);
  }
});

test("guards: any other server, or one that reads another file, serves nothing of this one", () => {
  for (const [text, more] of [
    [guarded, { flags: { server: "builtin" } }],
    [guarded, { flags: { plan: "b" } }],
    [guarded, { flags: { server: "nginx -c {conf}" } }],
    [guarded, { flags: { server: "objs/srs", serverConf: "other.conf" } }],
    [`${guarded} dolphin { server objs/srs; server_conf other.conf; }`, {}],
    [`${guarded} dolphin { server objs/srs; plan a; }`, {}],
    [`${guarded} dolphin { server objs/srs; }`, { flags: { server: "builtin" } }],
  ] satisfies [string, Partial<ConfSource>][]) {
    const { config, problems } = load(text, more);
    assert.equal(config, null, text);
    assert.deepEqual(new Set(problems.map(({ code }) => code)), new Set(["CONF_UNGUARDED", "CONF_NOT_SERVED"]));
  }
});

test("guards: the table says of each what happens without it, and of nothing else", () => {
  for (const { name, serving, risk } of directiveRows) assert.equal(risk !== null, serving === "guard", name);
});
