// SRS's rules of who may play and publish, and where they are held to be stricter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { loadConfig } from "../../../../src/conf/load.js";
import { checkAccess } from "../../../../src/server/peers/access.js";

type Does = "play" | "publish";

function isIn(rules: string, does: Does, host: string, page = ""): boolean {
  const { config, problems } = loadConfig({ file: "f", text: `listen 1935; vhost a { ${rules} }` });
  const [vhost] = config?.vhosts ?? [];
  assert.ok(vhost, JSON.stringify(problems));
  try {
    checkAccess(vhost, { does, host, page });
    return true;
  } catch (thrown) {
    assert.ok(thrown instanceof DolphinError && thrown.code === "RTMP_DENIED");
    return false;
  }
}

const security: readonly [rules: string, does: Does, host: string, isIn: boolean][] = [
  ["enabled off; deny play all;", "play", "10.0.0.1", true],
  ["enabled on;", "play", "10.0.0.1", false],
  ["enabled on; deny publish all;", "publish", "10.0.0.1", false],
  ["enabled on; deny publish all;", "play", "10.0.0.1", true],
  ["enabled on; deny play 10.0.0.1;", "play", "10.0.0.1", false],
  ["enabled on; deny play 10.0.0.1;", "play", "10.0.0.2", true],
  ["enabled on; deny play 10.0.0.0/8;", "play", "10.9.9.9", false],
  ["enabled on; allow play 10.0.0.0/8;", "play", "10.9.9.9", true],
  ["enabled on; allow play 10.0.0.0/8;", "play", "11.0.0.1", false],
  ["enabled on; allow play all;", "publish", "10.0.0.1", false], // any allow makes it a list of those who may
  ["enabled on; allow play all; allow publish 127.0.0.1;", "publish", "127.0.0.1", true],
  ["enabled on; allow play all; deny play 10.0.0.1;", "play", "10.0.0.1", false], // deny wins, whatever the order
  ["enabled on; deny play 10.0.0.1; allow play all;", "play", "10.0.0.1", false],
  ["enabled on; allow play 2001:db8::/32;", "play", "2001:db8::7", true],
  ["enabled on; allow play 2001:db8::/32;", "play", "10.0.0.1", false],
];

for (const [rules, does, host, expected] of security) {
  test(`access: security { ${rules} } ${expected ? "lets" : "does not let"} ${host} ${does}`, () => {
    assert.equal(isIn(`security { ${rules} }`, does, host), expected);
  });
}

const refer: readonly [rules: string, does: Does, page: string, isIn: boolean][] = [
  ["enabled off; all a.com;", "play", "http://b.com/", true],
  ["enabled on;", "play", "http://b.com/", true],
  ["enabled on; all a.com;", "play", "http://a.com/page", true],
  ["enabled on; all a.com;", "play", "https://www.a.com:8443/page?x=http://b.com", true],
  ["enabled on; all A.com;", "play", "http://a.COM", true],
  ["enabled on; all a.com;", "play", "http://b.com/a.com", false],
  ["enabled on; all a.com;", "play", "http://a.com@b.com/", false],
  ["enabled on; all a.com;", "play", "http://evila.com/", false], // SRS goes by the last letters alone
  ["enabled on; all .a.com;", "play", "http://www.a.com/", true],
  ["enabled on; all a.com;", "play", "", false],
  ["enabled on; all a.com b.com;", "publish", "http://b.com", true],
  ["enabled on; play a.com;", "publish", "http://b.com", true],
  ["enabled on; play a.com;", "play", "http://b.com", false],
  ["enabled on; publish a.com;", "publish", "http://b.com", false],
  ["enabled on; all a.com b.com; play a.com;", "play", "http://b.com", false],
  ["enabled on; all localhost;", "play", "http://localhost:8080/x", true],
];

for (const [rules, does, page, expected] of refer) {
  test(`access: refer { ${rules} } ${expected ? "lets" : "does not let"} ${page === "" ? "who names no page" : page} ${does}`, () => {
    assert.equal(isIn(`refer { ${rules} }`, does, "10.0.0.1", page), expected);
  });
}

for (const rule of ["allow play;", "deny all;", "deny play 10.0.0.0/33;", "deny play 10.0.0.1 10.0.0.2;", "allow watch all;"]) {
  test(`access: a rule that cannot be read refuses the file: ${rule}`, () => {
    const { config, problems } = loadConfig({ file: "f", text: `listen 1935; vhost a { security { enabled on; ${rule} } }` });
    assert.equal(config, null);
    assert.deepEqual(
      problems.map(({ code, severity }) => [code, severity]),
      [["CONF_VALUE", "error"]],
    );
  });
}
