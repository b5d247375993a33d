import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { printable, shellWord } from "../../../src/base/printable.js";

test("printable: control and invisible characters are shown as escapes, all others are left", () =>
  assert.equal(printable("a\u001b[2J\u0000\u009b\u007f\u202e\u200bé直播😀"), "a\\u{1b}[2J\\u{0}\\u{9b}\\u{7f}\\u{202e}\\u{200b}é直播😀"));

test("printable: a shell takes back the word that was written, whatever is in it", () => {
  for (const word of ["plain-1.0/x@y", "a b", "it's", '$(x) `y` "z"', "", "直播", "a\nb"])
    assert.equal(execFileSync("/bin/sh", ["-c", `printf %s ${shellWord(word)}`], { encoding: "utf8" }), word);
  assert.equal(shellWord("plain-1.0/x@y"), "plain-1.0/x@y");
});
