import assert from "node:assert/strict";
import { test } from "node:test";
import { isContainer, type ContainerSigns } from "../../../../src/master/host/container.js";
import { reasonToStay } from "../../../../src/master/host/daemon.js";

const signs = (own: Partial<ContainerSigns>): ContainerSigns => ({ pid: 4711, exists: () => false, text: () => "", ...own });
const cgroup = (line: string): ContainerSigns => signs({ text: (path) => (path === "/proc/1/cgroup" ? line : "") });

for (const [what, found] of [
  ["process 1", signs({ pid: 1 })],
  ["Docker's mark", signs({ exists: (path) => path === "/.dockerenv" })],
  ["Podman's mark", signs({ exists: (path) => path === "/run/.containerenv" })],
  ["a cgroup of Docker", cgroup("12:pids:/docker/4f2a\n0::/\n")],
  ["a cgroup of Kubernetes", cgroup("1:name=systemd:/kubepods/besteffort/pod1/4f2a\n")],
  ["a cgroup of LXC", cgroup("4:memory:/lxc/box\n")],
] as const) {
  test(`container: ${what} tells one`, () => assert.equal(isContainer(found), true));
}

test("container: a machine is none", () => {
  assert.equal(isContainer(cgroup("12:pids:/init.scope\n0::/init.scope\n")), false);
  assert.equal(isContainer(cgroup("0::/user.slice/docker-fan.scope\n")), false);
});

const container = (own: object): { container: { isGiven: boolean; staysInForeground: boolean; isWatched: boolean } } => ({
  container: { isGiven: false, staysInForeground: true, isWatched: true, ...own },
});

test("daemon: it is not followed in a container, found or said, unless that is switched off", () => {
  assert.match(reasonToStay(container({}), true, {}) ?? "", /container/);
  assert.match(reasonToStay(container({ isGiven: true }), false, {}) ?? "", /container/);
  assert.equal(reasonToStay(container({ staysInForeground: false }), true, {}), null);
  assert.equal(reasonToStay(container({ staysInForeground: false, isGiven: true }), true, {}), null);
});

test("daemon: it is not followed under a service manager that waits for a message", () => {
  assert.match(reasonToStay(container({}), false, { NOTIFY_SOCKET: "/run/systemd/notify" }) ?? "", /Type=notify/);
  assert.equal(reasonToStay(container({}), false, { NOTIFY_SOCKET: "" }), null);
});

test("daemon: it is not followed where this process got the sockets", () => {
  assert.match(reasonToStay(container({}), false, { LISTEN_PID: String(process.pid), LISTEN_FDS: "1" }) ?? "", /sockets/);
  assert.equal(reasonToStay(container({}), false, { LISTEN_PID: String(process.ppid), LISTEN_FDS: "1" }), null);
});
