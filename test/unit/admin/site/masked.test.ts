import assert from "node:assert/strict";
import { test } from "node:test";
import { maskedConfig } from "../../../../src/admin/site/masked.js";
import { loadConfig } from "../../../../src/conf/load.js";

test("masked: no secret of a configuration is shown, wherever it stands, and everything else is", () => {
  const secrets = ["hunter2", "s3cret", "t0ken"];
  const text = `listen 1935; vhost a { cluster { mode remote; origin b; } }
http_api { enabled on; auth { enabled on; type basic; username admin; password ${secrets[0]}; } }
dolphin { api_token ${secrets[1]}; server "http://user:${secrets[2]}@host/x?key=${secrets[2]}"; plan single; }`;
  const { config, problems } = loadConfig({ file: "f", text });
  assert.ok(config, JSON.stringify(problems));
  const shown = JSON.stringify(maskedConfig(config));
  for (const secret of secrets) assert.ok(!shown.includes(secret), shown);
  assert.match(shown, /"username":"admin"/);
  assert.match(shown, /http:\/\/…@host\/x\?…/);
  assert.match(shown, /"plan":"single"/);
});

test("masked: of a password with an @ in it nothing is shown", () => {
  const { config } = loadConfig({ file: "f", text: 'listen 1935; vhost a { } dolphin { server "http://user:hun@ter2@host/x@y"; }' });
  assert.ok(config);
  const shown = JSON.stringify(maskedConfig(config));
  assert.match(shown, /http:\/\/…@host\/x@y/);
  assert.doesNotMatch(shown, /ter2/);
});
