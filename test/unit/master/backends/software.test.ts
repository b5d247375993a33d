import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { recognise, srsVersion } from "../../../../src/master/backends/software.js";

const said: [what: string, text: string, version: string | null][] = [
  ["srs 7 for -v", "7.0.18\n", "7.0.18"],
  ["srs 7 for -g", "SRS/7.0.18(Hang)\n", "7.0.18"],
  ["both, the signature first", "5.0.1\nSRS/5.0.213(Bee)\n", "5.0.213"],
  ["srs 2", "2.0.274\n", "2.0.274"],
  ["nginx", "nginx version: nginx/1.22.1\n", null],
  ["ffmpeg", "ffmpeg version 5.1.6-0+deb12u1\n", null],
  ["a version among other words", "foo 1.2.3\n", null],
  ["nothing", "", null],
];

for (const [what, text, version] of said) {
  test(`software: ${what} is ${version ?? "no srs"}`, () => assert.equal(srsVersion(text), version));
}

test("software: our own server is asked nothing", async () => {
  const never = (): Promise<string> => Promise.reject(new Error("asked"));
  assert.deepEqual(await recognise(["builtin"], never), { kind: "builtin" });
  assert.deepEqual(await recognise(["nginx", "-p", "{dir}"], never), { kind: "command", argv: ["nginx", "-p", "{dir}"] });
});

test("software: one word is asked who it is, by both flags", async () => {
  const flags: string[] = [];
  const ask = (path: string, flag: string): Promise<string> => {
    flags.push(`${path} ${flag}`);
    return Promise.resolve(flag === "-v" ? "7.0.18" : "SRS/7.0.18(Hang)");
  };
  assert.deepEqual(await recognise(["/opt/srs"], ask), { kind: "srs", path: "/opt/srs", version: "7.0.18", major: 7 });
  assert.deepEqual(flags, ["/opt/srs -v", "/opt/srs -g"]);
});

test("software: a path is one from here, wherever the program is started later, and a name is looked for in the PATH", async () => {
  const ask = (): Promise<string> => Promise.resolve("SRS/7.0.18(Hang)");
  const pathOf = async (word: string): Promise<unknown> => ({ path: null, ...(await recognise([word], ask)) }).path;
  assert.deepEqual([await pathOf("objs/srs"), await pathOf("srs")], [join(process.cwd(), "objs/srs"), "srs"]);
});

test("software: what is no srs, or cannot be run, is refused with a sentence", async () => {
  const isStartError = (pattern: RegExp) => (thrown: unknown) =>
    thrown instanceof DolphinError && thrown.code === "CHILD_START" && pattern.test(thrown.message);
  await assert.rejects(
    recognise(["nginx"], () => Promise.resolve("nginx version: nginx/1.22.1")),
    isStartError(/is no srs.*\{conf\}/),
  );
  await assert.rejects(
    recognise(["gone"], () => Promise.reject(new Error("spawn gone ENOENT"))),
    isStartError(/cannot run the server gone: spawn gone ENOENT/),
  );
});

test("software: dolphin itself, which answers in the same shape, is told from an srs", async () => {
  const ask = (_path: string, flag: string): Promise<string> => Promise.resolve(flag === "-v" ? "0.1.0" : "dolphin/0.1.0(srs-dolphin)");
  await assert.rejects(recognise(["bin/dolphin.js"], ask), /bin\/dolphin\.js is dolphin itself: write builtin/);
});

test("software: a program is really run, and one that is not there is told", async () => {
  await assert.rejects(recognise([process.execPath]), /is no srs/);
  await assert.rejects(recognise(["/does/not/exist"]), /cannot run the server .*ENOENT/);
});
