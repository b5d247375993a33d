import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError, errnoOf, errorCodes, messageOf } from "../../../src/base/errors.js";

test("errors: an error has a code, a sentence and its cause", () => {
  const cause = new Error("ECONNREFUSED");
  const error = new DolphinError("RELAY_CONNECT", "no way", { cause });
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.code, error.message, error.cause], ["DolphinError", "RELAY_CONNECT", "no way", cause]);
  assert.equal(new DolphinError("RTMP_AMF", "x").cause, undefined);
});

test("errors: codes are an area and a cause, each once", () => {
  for (const code of errorCodes)
    assert.match(code, /^((API|BACKUP|CONF|HLS|REGISTRY|RTMP|FLV|HOOK|PACK|RELAY|PROXY|IPC|LOG|CHILD)(_[A-Z]+)+|INTERNAL)$/);
  assert.equal(new Set(errorCodes).size, errorCodes.length);
});

test("errors: anything that was thrown has a sentence", () => {
  assert.equal(messageOf(new DolphinError("RTMP_AMF", "bad")), "bad");
  assert.equal(messageOf("text"), "text");
  assert.equal(messageOf(undefined), "undefined");
  assert.equal(messageOf(null), "null");
});

test("errors: only errors of the system have an errno", () => {
  assert.equal(errnoOf(Object.assign(new Error("x"), { code: "EPIPE" })), "EPIPE");
  assert.equal(errnoOf(Object.assign(new Error("x"), { code: 7 })), undefined);
  assert.equal(errnoOf(new Error("x")), undefined);
  assert.equal(errnoOf({ code: "EPIPE" }), undefined);
  assert.equal(errnoOf(null), undefined);
});
