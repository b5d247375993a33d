import assert from "node:assert/strict";
import { test } from "node:test";
import type { DolphinError } from "../../../../src/base/errors.js";
import { defaultConfig } from "../../../../src/conf/load.js";
import type { Vhost } from "../../../../src/conf/meaning/config.js";
import { findRoute } from "../../../../src/server/http/route.js";

const [base] = defaultConfig().vhosts;

function vhost(name: string, mount: string, enabled = true): Vhost {
  return { ...base!, name, httpRemux: { ...base!.httpRemux, enabled, mounts: [mount] } };
}

const vhosts = [
  vhost("__defaultVhost__", "[vhost]/[app]/[stream].flv"),
  vhost("prefixed.test", "[vhost]/tv/[app]/[stream].flv"),
  vhost("off.test", "[vhost]/[app]/[stream].flv", false),
];

function find(name: string): Vhost {
  return vhosts.find((one) => one.name === name) ?? vhosts[0]!;
}

const found: readonly [target: string, host: string, key: string, params: string][] = [
  ["/live/a.flv", "10.0.0.1:8080", "__defaultVhost__/live/a", ""],
  ["/live/a.flv?token=1", "h", "__defaultVhost__/live/a", "?token=1"],
  ["/live/sub/a.flv", "h", "__defaultVhost__/live/sub/a", ""],
  ["/live/a.b.flv", "h", "__defaultVhost__/live/a.b", ""],
  ["/live/%E7%9B%B4.flv", "h", "__defaultVhost__/live/直", ""],
  ["/tv/live/a.flv", "prefixed.test", "prefixed.test/live/a", ""],
  ["/tv/live/a.flv?vhost=prefixed.test", "h", "prefixed.test/live/a", ""],
  ["http://proxy.test/live/a.flv", "h", "__defaultVhost__/live/a", ""],
  ["/live/a.flv", "evil/../x?vhost=off.test", "__defaultVhost__/live/a", ""],
  ["/live/a.flv", "[::1]:8080", "__defaultVhost__/live/a", ""],
];

for (const [target, host, key, params] of found) {
  test(`route: ${target} on ${host} is ${key}`, () => {
    const { vhost: serving, request } = findRoute(target, host, find);
    assert.equal(`${serving.name}/${request.app}/${request.stream}`, key);
    assert.equal(request.params, params);
  });
}

const refused: readonly [target: string, host: string, code: string][] = [
  ["/", "h", "FLV_NOT_FOUND"],
  ["/live/a", "h", "FLV_NOT_FOUND"],
  ["/live/a.ts", "h", "FLV_NOT_FOUND"],
  ["/live/.flv", "h", "FLV_NOT_FOUND"],
  ["/a.flv", "h", "FLV_NOT_FOUND"],
  ["/live/a.flv", "off.test", "FLV_NOT_FOUND"],
  ["/live/a.flv", "prefixed.test", "FLV_NOT_FOUND"],
  ["/live/%zz.flv", "h", "FLV_NOT_FOUND"],
  ["/live/../a.flv", "h", "RTMP_NAME"],
  ["/live/a%0d%0a.flv", "h", "RTMP_NAME"],
  [`/live/${"a".repeat(300)}.flv`, "h", "RTMP_NAME"],
];

for (const [target, host, code] of refused) {
  test(`route: ${target.slice(0, 30)} on ${host} is refused with ${code}`, () => {
    assert.throws(
      () => findRoute(target, host, find),
      (error: DolphinError) => error.code === code,
    );
  });
}
