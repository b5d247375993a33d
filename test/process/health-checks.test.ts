// Checks of balancers, as often as they like: the log says nothing of them. Those of a real HAProxy, in every form that it has, and
// the raw knocks that it is not always quick enough to show.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { start } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { findHaproxy } from "../helpers/haproxy.js";
import { freePort } from "../helpers/ports.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const haproxy = await findHaproxy();
const skip = typeof haproxy === "string" ? haproxy : false;

const boxes = [
  ["plan a", ["--plan", "a"], ""],
  ["plan single", ["--plan", "single"], ""],
  ["plan b, routing stream", ["--plan", "b"], "routing stream; servers 1;"],
  ["plan b, routing connection", ["--plan", "b"], "routing connection; servers 1;"],
] as const;

const conf = (block: string): string => `listen 1935; daemon off; http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
dolphin { ${block} }`;

const trust = "trusted_proxies 127.0.0.0/8;";

/** The header of a balancer's own connection: version 2, LOCAL. */
const local = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
const unknown = Buffer.from("PROXY UNKNOWN\r\n");
/** C0 and C1, as checks of a handshake send them; the answer is not waited for. */
const hello = Buffer.concat([Buffer.of(3), Buffer.alloc(1536)]);

for (const [name, args, block] of boxes) {
  for (const trusted of ["", trust]) {
    void test(`${name}${trusted === "" ? "" : ", trusted"}: who connects and leaves without a word is not told of`, async (t) => {
      const dolphin = await Dolphin.start(t, { args, conf: conf(`${block} ${trusted}`) });
      const from = dolphin.logLength;
      for (const port of [dolphin.rtmpPort, dolphin.httpPort]) {
        for (const bytes of [null, local, unknown, ...(port === dolphin.rtmpPort ? [hello] : [])]) {
          for (const how of ["reset", "close"] as const) for (let i = 0; i < 10; i++) await knock(port, bytes, how);
        }
      }
      await assertSilent(t, dolphin, from);
    });
  }

  void test(`${name}, not trusted: no check of a real HAProxy is told of, though its headers are refused`, { skip }, async (t) => {
    const dolphin = await Dolphin.start(t, { args, conf: conf(block) });
    const from = dolphin.logLength;
    const balancer = await checks(t, [
      [dolphin.rtmpPort, "", "check send-proxy check-send-proxy"],
      [dolphin.rtmpPort, "", "check send-proxy-v2 check-send-proxy"],
      [dolphin.httpPort, "", "check send-proxy-v2 check-send-proxy"],
      [dolphin.httpPort, "option httpchk GET /", "check send-proxy check-send-proxy"],
      [dolphin.httpPort, "option httpchk", "check send-proxy-v2 check-send-proxy"],
    ]);
    assert.match(await balancer.stop(), /b[34]\/s is DOWN.*400/);
    await assertSilent(t, dolphin, from);
  });

  void test(`${name}: no check of a real HAProxy is told of, and it takes the server for up`, { skip }, async (t) => {
    const dolphin = await Dolphin.start(t, { args, conf: conf(`${block} ${trust}`) });
    const from = dolphin.logLength;
    const balancer = await checks(t, [
      [dolphin.rtmpPort, "", "check"],
      [dolphin.rtmpPort, "option tcp-check", "check"],
      [dolphin.rtmpPort, "", "check send-proxy check-send-proxy"],
      [dolphin.rtmpPort, "", "check send-proxy-v2 check-send-proxy"],
      [dolphin.httpPort, "", "check"],
      [dolphin.httpPort, "", "check send-proxy check-send-proxy"],
      [dolphin.httpPort, "", "check send-proxy-v2 check-send-proxy"],
      [dolphin.httpPort, "option httpchk GET /", "check"],
      [dolphin.httpPort, "option httpchk HEAD /", "check"],
      [dolphin.httpPort, "option httpchk GET /", "check send-proxy check-send-proxy"],
      [dolphin.httpPort, "option httpchk", "check"],
      [dolphin.httpPort, "option httpchk", "check send-proxy check-send-proxy"],
      [dolphin.httpPort, "option httpchk", "check send-proxy-v2 check-send-proxy"],
    ]);
    assert.doesNotMatch(await balancer.stop(), /DOWN/);
    await assertSilent(t, dolphin, from);
  });
}

/** Connects, says this much, and leaves. */
async function knock(port: number, bytes: Buffer | null, how: "reset" | "close"): Promise<void> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  if (bytes !== null) await new Promise((resolve) => socket.write(bytes, resolve));
  if (how === "reset") socket.resetAndDestroy();
  else socket.destroy();
}

/** Nothing was logged until a publisher who came last is in the log. */
async function assertSilent(t: TestContext, dolphin: Dolphin, from: number): Promise<void> {
  const left = async (): Promise<boolean> => (await dolphin.status()).processes.every(({ connections }) => connections === 0);
  await eventually(left, { what: "no connection to be left" });
  const encoder = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => encoder.close());
  await dolphin.waitFor("publish.started", { from });
  const told = dolphin.logLines().slice(from);
  assert.deepEqual(
    told.filter(({ event }) => event !== "publish.started" && event !== "rtmp.moved"),
    [],
  );
  await dolphin.stop();
}

/** Runs a HAProxy that checks each of these until it has checked ten times; `stop` gives what it printed. */
async function checks(t: TestContext, servers: readonly (readonly [port: number, option: string, words: string])[]) {
  if (typeof haproxy === "string") throw new Error(haproxy);
  // What is checked as often as the others, and can count.
  let count = 0;
  const counter = createServer((_, response) => void (count++, response.end())).listen(0, "127.0.0.1");
  t.after(() => void counter.close());
  await new Promise((resolve) => counter.once("listening", resolve));
  const counted = [(counter.address() as AddressInfo).port, "option httpchk", "check"] as const;
  const sections = [...servers, counted].map(
    ([port, option, words], at) => `backend b${at}
  mode ${option.includes("httpchk") ? "http" : "tcp"}
  ${option}
  server s 127.0.0.1:${port} ${words} inter 50ms`,
  );
  const folder = mkdtempSync(join(tmpdir(), "dolphin-haproxy-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "haproxy.cfg");
  const text = `defaults
  timeout connect 2s
  timeout client 5s
  timeout server 5s
  timeout check 2s
${sections.join("\n")}
listen unused
  mode tcp
  bind 127.0.0.1:${await freePort()}
`;
  writeFileSync(file, text);
  const { path, libraries } = haproxy;
  const child = start(path, ["-f", file], libraries === null ? {} : { env: { LD_LIBRARY_PATH: libraries } });
  t.after(async () => void (await child.stop("SIGTERM")));
  await eventually(() => count >= 10, { what: "ten checks" });
  return {
    async stop(): Promise<string> {
      await child.stop("SIGTERM");
      return child.output();
    },
  };
}
