import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "../../../src/base/printable.js";

test("printable: control and invisible characters are shown as escapes, all others are left", () =>
  assert.equal(printable("a\u001b[2J\u0000\u009b\u007f\u202e\u200bé直播😀"), "a\\u{1b}[2J\\u{0}\\u{9b}\\u{7f}\\u{202e}\\u{200b}é直播😀"));
