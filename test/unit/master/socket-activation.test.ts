import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DolphinError } from "../../../src/base/errors.js";
import { parseListen } from "../../../src/conf/endpoint.js";
import { publicAddresses, type GivenSocket } from "../../../src/master/socket-activation.js";

/** `[name, address]`, as descriptors 3, 4, … */
function sockets(...given: readonly (readonly [string, string | null])[]): GivenSocket[] {
  return given.map(([name, text], index) => ({ fd: 3 + index, name, endpoint: text === null ? null : parseListen(text) }));
}

const both = { listen: [parseListen("1935")], http: { listen: [parseListen("8080")], crossdomain: true } };

function addresses(config: Parameters<typeof publicAddresses>[0], given: readonly GivenSocket[]): string[] {
  return publicAddresses(config, given).map(
    ({ protocol, endpoint, fds }) => `${protocol} ${endpoint.host} ${endpoint.port} ${fds.join(",") || "ours"}`,
  );
}

function refusal(config: Parameters<typeof publicAddresses>[0], given: readonly GivenSocket[]): string {
  try {
    publicAddresses(config, given);
  } catch (thrown) {
    if (thrown instanceof DolphinError && thrown.code === "CONF_VALUE") return thrown.message;
    throw thrown;
  }
  return "it was taken";
}

describe("the public addresses", () => {
  it("are the configuration's where no socket is given", () => {
    assert.deepEqual(addresses(both, []), ["rtmp 0.0.0.0 1935 ours", "http 0.0.0.0 8080 ours"]);
  });

  it("are given by port where the names say nothing, as one unit file has one name for all its sockets", () => {
    const given = sockets(["dolphin.socket", "[::]:1935"], ["dolphin.socket", "[::]:8080"]);
    assert.deepEqual(addresses(both, given), ["rtmp :: 1935 3", "http :: 8080 4"]);
  });

  it("are given by name whatever the port, and the configured ones are served as well", () => {
    const given = sockets(["http", "80"], ["rtmp", "443"]);
    assert.deepEqual(addresses(both, given), [
      "rtmp 0.0.0.0 443 4",
      "rtmp 0.0.0.0 1935 ours",
      "http 0.0.0.0 80 3",
      "http 0.0.0.0 8080 ours",
    ]);
  });

  it("have one socket for each worker where several are given for one address", () => {
    const given = sockets(["x", "1935"], ["x", "8080"], ["x", "1935"], ["x", "8080"]);
    assert.deepEqual(addresses(both, given), ["rtmp 0.0.0.0 1935 3,5", "http 0.0.0.0 8080 4,6"]);
  });

  it("are covered by a socket that is wider or narrower, but not by one of another address", () => {
    const two = { listen: [parseListen("10.0.0.1:1935"), parseListen("10.0.0.2:1935")], http: null };
    assert.deepEqual(addresses(two, sockets(["", "1935"])), ["rtmp 0.0.0.0 1935 3"]);
    assert.deepEqual(addresses(two, sockets(["", "10.0.0.2:1935"])), ["rtmp 10.0.0.2 1935 3", "rtmp 10.0.0.1 1935 ours"]);
    assert.deepEqual(addresses({ listen: [parseListen("1935")], http: null }, sockets(["", "127.0.0.1:1935"])), ["rtmp 127.0.0.1 1935 3"]);
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
