import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { drain, fetchExplanation, fetchStatus, findRunning, reload, restart } from "../../../../src/master/control/client.js";
import { controlFolder, controlPath, listControlSockets } from "../../../../src/master/control/socket-path.js";
import { Control, type ControlAnswers } from "../../../../src/master/control/control.js";
import { EventBook } from "../../../../src/master/control/event-book.js";
import { findStream } from "../../../../src/master/control/whereabouts.js";
import type { BoxStatus, Explanation, Reloaded } from "../../../../src/master/control/status.js";

const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const box: BoxStatus = {
  version: "0.1.0",
  pid: 1,
  serverId: "vid-0000000",
  plan: "a",
  workers: 0,
  upSeconds: 0,
  controlSocket: "",
  configFile: null,
  logFile: null,
  carried: { kept: 0, carried: 0, cut: 0, abandoned: 0, refused: 0 },
  uncarried: null,
  endpoints: [],
  processes: [],
  streams: [],
  programs: [],
};
const unchanged: Reloaded = { outcome: "unchanged", changes: [], problems: [], notes: [] };
const failed: Reloaded = { outcome: "refused", changes: [], problems: ["edge-1.2 does not serve: exit 70"], notes: [] };
const answer: ControlAnswers = {
  register: () => null,
  status: () => Promise.resolve(box),
  events: new EventBook(),
  facts: () => ({
    ...box,
    plan: "a",
    ppid: 0,
    argv: "",
    script: "",
    cwd: "",
    serviceId: "",
    bytesIn: 0,
    bytesOut: 0,
    carried: null,
    hooks: [],
    counts: [],
  }),
  listers: () => [],
  explain: (key) => Promise.resolve(findStream(box, key)),
  record: () => Promise.resolve(null),
  site: () => null,
  siteStream: () => null,
  kick: () => Promise.resolve(0),
  scale: () => Promise.resolve(unchanged),
  drain: (server) => (server === "server-1" ? null : `there is no server ${server}`),
  reload: () => Promise.resolve(unchanged),
  restart: () => Promise.resolve(failed),
  upgrade: ({ script }) => Promise.resolve({ outcome: "applied", changes: [], problems: [script], notes: [] }),
};
const isStartError = (thrown: unknown): boolean => thrown instanceof DolphinError && thrown.code === "CHILD_START";

function statusCodeOf(socketPath: string, method: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ socketPath, method, path }, (response) => resolve(response.resume().statusCode))
      .once("error", reject)
      .end();
  });
}

describe("the control socket", () => {
  it("answers a status, and nobody but this user may open it", async () => {
    const path = join(folder, "new", "a.sock");
    const control = await Control.open(path, answer);
    assert.deepEqual(await fetchStatus(path), box);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(folder, "new")).mode & 0o777, 0o700);
    control.close();
    control.close();
    await assert.rejects(fetchStatus(path), /there is no such socket/);
  });

  it("carries a reload and a restart, and what came of them", async () => {
    const control = await Control.open(join(folder, "reload.sock"), answer);
    assert.deepEqual(await reload(control.path), unchanged);
    assert.deepEqual(await restart(control.path), failed);
    assert.equal(await statusCodeOf(control.path, "GET", "/reload"), 405);
    control.close();
  });

  it("serves nothing else", async () => {
    const control = await Control.open(join(folder, "b.sock"), answer);
    assert.equal(await statusCodeOf(control.path, "GET", "/other"), 404);
    assert.equal(await statusCodeOf(control.path, "POST", "/status"), 405);
    control.close();
  });

  it("explains streams, drains servers, and says what there is not", async () => {
    const drained: string[] = [];
    const explanation: Explanation = {
      key: "v/a b/s?",
      policy: "least",
      routing: "stream",
      lease: null,
      servers: [],
      candidates: [],
      decision: null,
      why: "",
    };
    const control = await Control.open(join(folder, "e.sock"), {
      ...answer,
      explain: (key) => (key === explanation.key ? Promise.resolve(explanation) : answer.explain(key)),
      drain: (server, isDraining) => {
        if (server !== "server-1") return `there is no server ${server}`;
        drained.push(`${server} ${isDraining}`);
        return null;
      },
    });
    const { path } = control;
    assert.deepEqual(await fetchExplanation(path, explanation.key), explanation);
    const other = await fetchExplanation(path, "v/live/other");
    assert.equal(other.why, "nobody publishes or plays it");
    await drain(path, "server-1", true);
    await drain(path, "server-1", false);
    assert.deepEqual(drained, ["server-1 true", "server-1 false"]);
    await assert.rejects(drain(path, "server-2", true), { message: "there is no server server-2" });
    assert.equal(await statusCodeOf(path, "GET", "/drain/server-1"), 405);
    assert.equal(await statusCodeOf(path, "POST", "/drain/"), 404);
    assert.equal(await statusCodeOf(path, "GET", "/explain/%"), 404);
    control.close();
  });

  it("tells why when the status cannot be had", async () => {
    const control = await Control.open(join(folder, "c.sock"), { ...answer, status: () => Promise.reject(new Error("no luck")) });
    await assert.rejects(fetchStatus(control.path), /c\.sock: no luck$/);
    control.close();
  });

  it("is refused to a second instance while the first answers", async () => {
    const control = await Control.open(join(folder, "d.sock"), answer);
    await assert.rejects(Control.open(control.path, answer), isStartError);
    assert.deepEqual(await fetchStatus(control.path), box);
    control.close();
  });

  it("replaces a file that nobody answers on", async () => {
    const path = join(folder, "e.sock");
    writeFileSync(path, "");
    const control = await Control.open(path, answer);
    assert.deepEqual(await fetchStatus(path), box);
    control.close();
  });

  it("is refused a path that no socket can have", async () => {
    await assert.rejects(Control.open(join(folder, "x".repeat(120)), answer), isStartError);
  });

  it("is found among the sockets of running and dead instances", async () => {
    const env = { XDG_RUNTIME_DIR: folder };
    const control = await Control.open(controlPath({ host: "0.0.0.0", port: 1935 }, env), answer);
    writeFileSync(join(controlFolder(env), "1936.sock"), "");
    writeFileSync(join(controlFolder(env), "notes.txt"), "");
    const paths = listControlSockets(env);
    assert.deepEqual(
      paths.map((path) => path.slice(folder.length)),
      ["/dolphin/1935.sock", "/dolphin/1936.sock"],
    );
    assert.deepEqual(await findRunning(paths), [{ path: control.path, status: box }]);
    control.close();
  });

  it("is named after the host too where that is not every address", () => {
    assert.match(controlPath({ host: "127.0.0.1", port: 1935 }, {}), /\/dolphin-\d+\/127\.0\.0\.1-1935\.sock$/);
    assert.match(controlPath({ host: "::1", port: 1935 }, { XDG_RUNTIME_DIR: "/run/user/1" }), /^\/run\/user\/1\/dolphin\/__1-1935\.sock$/);
    assert.deepEqual(listControlSockets({ XDG_RUNTIME_DIR: join(folder, "absent") }), []);
  });

  it("does not hang on a socket that accepts and says nothing", async () => {
    const mute = createServer((socket) => socket.on("error", () => undefined).destroy());
    const path = join(folder, "mute.sock");
    await new Promise<void>((resolve) => mute.listen(path, resolve));
    await assert.rejects(fetchStatus(path), isStartError);
    mute.close();
  });
});
