import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import type { Config, Endpoint } from "../../../../src/conf/meaning/config.js";
import { formatEndpoint, parseListen } from "../../../../src/conf/meaning/endpoint.js";
import { defaultConfig } from "../../../../src/conf/load.js";
import { withGivenSockets, type GivenSocket } from "../../../../src/master/sockets/socket-activation.js";

/** `[name, address]`, as descriptors 3, 4, … */
function sockets(...given: readonly (readonly [string, string | null])[]): GivenSocket[] {
  return given.map(([name, text], index) => ({ fd: 3 + index, name, endpoint: text === null ? null : parseListen(text) }));
}

const both = configOf("1935", "8080");

function configOf(listen: string, http: string | null): Config {
  const config = defaultConfig();
  const endpoints = (texts: string): Endpoint[] => texts.split(" ").map(parseListen);
  return { ...config, listen: endpoints(listen), http: http === null ? null : { listen: endpoints(http), crossdomain: true } };
}

function addresses(config: Config, given: readonly GivenSocket[]): string[] {
  const { listen, http } = withGivenSockets(config, given);
  return [...listen.map((one) => `rtmp ${formatEndpoint(one)}`), ...(http?.listen ?? []).map((one) => `http ${formatEndpoint(one)}`)];
}

function refusal(config: Config, given: readonly GivenSocket[]): string {
  try {
    withGivenSockets(config, given);
  } catch (thrown) {
    if (thrown instanceof DolphinError && thrown.code === "CONF_VALUE") return thrown.message;
    throw thrown;
  }
  return "it was taken";
}

describe("the public addresses", () => {
  it("are the configuration's where no socket is given", () => {
    assert.equal(withGivenSockets(both, []), both);
  });

  it("are given by port where the names say nothing, as one unit file has one name for all its sockets", () => {
    const given = sockets(["dolphin.socket", "[::]:1935"], ["dolphin.socket", "[::]:8080"]);
    assert.deepEqual(addresses(both, given), ["rtmp [::]:1935", "http [::]:8080"]);
  });

  it("are given by name whatever the port, and the configured ones are served as well", () => {
    const given = sockets(["http", "80"], ["rtmp", "443"]);
    assert.deepEqual(addresses(both, given), ["rtmp 0.0.0.0:443", "rtmp 0.0.0.0:1935", "http 0.0.0.0:80", "http 0.0.0.0:8080"]);
  });

  it("are one where several sockets are given for it", () => {
    const given = sockets(["x", "1935"], ["x", "8080"], ["x", "1935"], ["x", "8080"]);
    assert.deepEqual(addresses(both, given), ["rtmp 0.0.0.0:1935", "http 0.0.0.0:8080"]);
  });

  it("are covered by a socket that is wider or narrower, but not by one of another address", () => {
    const two = configOf("10.0.0.1:1935 10.0.0.2:1935", null);
    assert.deepEqual(addresses(two, sockets(["", "1935"])), ["rtmp 0.0.0.0:1935"]);
    assert.deepEqual(addresses(two, sockets(["", "10.0.0.2:1935"])), ["rtmp 10.0.0.2:1935", "rtmp 10.0.0.1:1935"]);
    assert.deepEqual(addresses(configOf("1935", null), sockets(["", "127.0.0.1:1935"])), ["rtmp 127.0.0.1:1935"]);
  });

  it("cannot be a socket that stands for nothing: nobody would answer there", () => {
    assert.match(
      refusal(both, sockets(["dolphin.socket", "1936"])),
      /0\.0\.0\.0:1936 \(dolphin\.socket\) is in no listen: .*FileDescriptorName=/,
    );
    assert.match(refusal(both, sockets(["rtmp", null])), /descriptor 3 \(rtmp\) is no listening TCP socket: .*ListenStream=/);
    assert.match(refusal({ ...both, http: null }, sockets(["http", "8080"])), /0\.0\.0\.0:8080 \(http\) is for HTTP, which is off/);
  });
});
