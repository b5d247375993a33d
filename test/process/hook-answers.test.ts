// What a backend's answer means to a running box: every status, body and type that SRS judges, a player for each. The rule itself, row by
// row, is held by test/unit/hooks/answer.test.ts; here it is held that nothing on the way changes it.
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { player } from "../helpers/rtmp-client.js";

interface Answer {
  readonly status?: number;
  readonly type?: string | null;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** In pieces, without a length. */
  readonly inPieces?: true;
}

const yes: readonly Answer[] = [
  { body: "0" },
  { status: 201, body: "0" },
  { body: '{"code":0}' },
  { status: 201, body: '{"code":0,"data":null}' },
  { body: ' {"msg":"ok", "code" : 0 }\n' },
  { body: "0", inPieces: true },
  { body: '{"code":0}', inPieces: true },
  // SRS looks at no type.
  ...[null, "text/plain", "text/html; charset=gbk", "application/octet-stream", "application/json"].flatMap((type) => [
    { type, body: "0" },
    { type, body: '{"code":0}' },
  ]),
];

const no: readonly Answer[] = [
  ...[202, 203, 204, 206, 304, 400, 401, 403, 404, 410, 418, 429, 500, 502, 503, 504].map((status) => ({ status, body: "0" })),
  ...[301, 302, 307, 308].map((status) => ({ status, body: "0", headers: { Location: "/yes" } })),
  ...["", "ok", "1", "00", "0\n", " 0", "0.0", '"0"', "[0]", "null", "true", "{}"].map((body) => ({ body })),
  ...["1", "-1", '"0"', "0.0", "0e0", "null", "false", '{"code":0}'].map((code) => ({ body: `{"code":${code}}` })),
  { body: '{"data":{"code":0}}' },
  { body: '{"code":0' },
  { type: "application/json", body: '{"code":1}' },
  { body: `{"code":0,"fill":"${"x".repeat(100_000)}"}` },
  { status: 500, type: "application/json", body: '{"code":0}' },
];

function send(response: ServerResponse, { status = 200, type = "application/json", body, headers = {}, inPieces }: Answer): void {
  const told = { ...headers, ...(type === null ? {} : { "Content-Type": type }) };
  const isBodiless = status === 204 || status === 304;
  if (inPieces === true) {
    response.writeHead(status, told);
    for (const character of body) response.write(character);
    response.end();
  } else
    response
      .writeHead(status, { ...told, ...(isBodiless ? {} : { "Content-Length": Buffer.byteLength(body) }) })
      .end(isBodiless ? "" : body);
}

void test("a box lets in whom SRS would let in, and nobody else, whatever the backend answers", async (t) => {
  const site = await HookBackend.start(t);
  const rows = [...yes.map((answer) => ({ answer, isYes: true })), ...no.map((answer) => ({ answer, isYes: false }))];
  site.answer = ({ body }) => {
    const [, at = ""] = /^row-(\d+)$/.exec(String(body["stream"])) ?? [];
    return (response) => send(response, rows[Number(at)]!.answer);
  };
  const dolphin = await Dolphin.start(t, {
    conf: `listen 1935; vhost __defaultVhost__ { ${site.block("on_play", "on_stop")} }`,
    args: ["--plan", "single"],
  });
  const letIn = await Promise.all(
    rows.map(async (_, at) => {
      try {
        (await player(dolphin.rtmpUrl(`row-${at}`))).close();
        return true;
      } catch {
        return false;
      }
    }),
  );
  const wrong = rows.flatMap(({ answer, isYes }, at) =>
    letIn[at] === isYes ? [] : [{ ...answer, body: answer.body.slice(0, 60), isYes }],
  );
  assert.deepEqual(wrong, []);
  assert.equal(site.of("on_play").length, rows.length, "each asked once: no redirect is followed, nothing is asked again");
  await site.waitFor("on_stop", yes.length);
  await dolphin.stop({ allow: ({ code, event }) => code === "HOOK_REFUSED" || code === "HOOK_FAILED" || event === "hook.failed" });
  assert.equal(site.of("on_stop").length, yes.length, "who was refused owes nothing");
});
