import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { DolphinError } from "../../../src/base/errors.js";
import { exitCodeOf } from "../../../src/base/exit-codes.js";

function cannotListen(code: string | null): DolphinError {
  return new DolphinError("CHILD_LISTEN", "no", code === null ? {} : { cause: Object.assign(new Error(code), { code }) });
}

/** What no restart changes, as the unit has it. */
const final = /^RestartPreventExitStatus=(.*)$/m.exec(readFileSync("conf/dolphin.service", "utf8"))?.[1]?.split(" ").map(Number) ?? [];

for (const [error, code, isTriedAgain] of [
  [cannotListen("EADDRINUSE"), 98, true],
  [cannotListen("EADDRNOTAVAIL"), 99, true],
  [cannotListen("ENOTFOUND"), 99, true],
  [cannotListen("EAI_AGAIN"), 99, true],
  [cannotListen("ENOBUFS"), 75, true],
  [cannotListen("EACCES"), 77, false],
  [cannotListen("EPERM"), 77, false],
  [cannotListen("EAFNOSUPPORT"), 78, false],
  [cannotListen(null), 78, false],
  [new DolphinError("CONF_VALUE", "no"), 78, false],
  [new DolphinError("CHILD_START", "no"), 73, true],
  [new Error("no"), 70, true],
] as const) {
  const what = error instanceof DolphinError ? `${error.code} ${(error.cause as Error | undefined)?.message ?? ""}` : "anything else";
  test(`exit codes: ${what.trim()} ends with ${code}, which the unit ${isTriedAgain ? "tries again" : "leaves alone"}`, () => {
    assert.equal(exitCodeOf(error), code);
    assert.equal(final.includes(code), !isTriedAgain);
  });
}
