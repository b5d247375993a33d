import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../../../src/hooks/answer.js";

const yes: readonly (readonly [status: number, body: string])[] = [
  [200, "0"],
  [201, "0"],
  [200, '{"code":0}'],
  [200, ' {"code" : 0 , "msg":"ok"}\n'],
  [200, '{"msg":"{\\"code\\":1}","code":0}'],
  [200, '{"data":{"code":7},"code":0}'],
  [200, '{"code":1,"code":0}'],
  [200, '{"c\\u006fde":0}'],
  [200, '{"code":-0}'],
];

const no: readonly (readonly [status: number, body: string, why: RegExp])[] = [
  [204, "", /status 204/],
  [202, "0", /status 202/],
  [302, "0", /status 302/],
  [403, "0", /status 403/],
  [500, '{"code":0}', /status 500/],
  [200, "", /neither 0 nor JSON/],
  [200, "ok", /neither 0 nor JSON/],
  [200, "0\n", /no JSON object/],
  [200, " 0", /no JSON object/],
  [200, "00", /neither 0 nor JSON/],
  [200, "0.0", /no JSON object/],
  [200, '"0"', /no JSON object/],
  [200, "[0]", /no JSON object/],
  [200, "null", /no JSON object/],
  [200, "{}", /no integer/],
  [200, '{"code":"0"}', /no integer/],
  [200, '{"code":0.0}', /no integer/],
  [200, '{"code":0e0}', /no integer/],
  [200, '{"code":null}', /no integer/],
  [200, '{"code":false}', /no integer/],
  [200, '{"code":{"code":0}}', /no integer/],
  [200, '{"data":{"code":0}}', /no integer/],
  [200, '{"code":0,"code":"0"}', /no integer/],
  [200, '{"code":1}', /answered code 1$/],
  [200, '{"code":-1}', /answered code -1$/],
  [200, '{"code":0', /neither 0 nor JSON/],
];

for (const [status, body] of yes) {
  test(`answer: ${status} ${JSON.stringify(body)} is a yes`, () => assert.equal(judge(status, body).isYes, true));
}

for (const [status, body, why] of no) {
  test(`answer: ${status} ${JSON.stringify(body)} is a no`, () => {
    const judgement = judge(status, body);
    assert.ok(!judgement.isYes);
    assert.match(judgement.why, why);
  });
}

test("answer: what stands beside the code of a yes is kept for on_forward", () => {
  assert.deepEqual(judge(200, '{"code":0,"data":{"urls":["rtmp://a/b/c"]}}'), { isYes: true, data: { urls: ["rtmp://a/b/c"] } });
});

test("answer: no more than a line of what a backend says is told", () => {
  const judgement = judge(200, "x".repeat(10_000));
  assert.ok(!judgement.isYes && judgement.why.length < 200);
});
