// A child of the master alone: the test is its master, over the same channel.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { defaultConfig } from "../../src/conf/load.js";
import { channelToChild } from "../../src/ipc/channel.js";
import { nobody } from "../../src/ipc/identity.js";
import type { FromChild, ServerSetup } from "../../src/ipc/messages.js";
import { projectRoot } from "../helpers/child.js";
import { eventually, within } from "../helpers/wait.js";

for (const role of ["server", "proxy"] as const) {
  void test(`a ${role} goes on in a new log when its file was moved, and loses no line`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "dolphin-child-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const [file, moved] = [join(folder, "dolphin.log"), join(folder, "dolphin.log.1")];
    const { wire, channel, hear } = start(t, role);
    await hear("hello");
    const common = {
      name: role,
      config: { ...defaultConfig(), log: { ...defaultConfig().log, file } },
      listeners: [],
      maxConnections: null,
    };
    if (role === "server")
      channel.send({
        type: "configure",
        setup: { ...common, isEdge: false, edgeKey: "", publishersMove: false, identity: nobody } satisfies ServerSetup,
      });
    else channel.send({ type: "configure-proxy", setup: { ...common, vhosts: null } });
    await hear("ready");

    // What no master says is logged, one line each.
    const chatter = (words: readonly string[]): void => words.forEach((word) => wire.send({ type: word }));
    chatter(["one", "two"]);
    await eventually(() => dropped(file).length === 2, { what: "two lines" });
    renameSync(file, moved);
    chatter(["three"]);
    channel.send({ type: "reopen-log", id: 7 });
    chatter(["four"]);
    assert.deepEqual(await hear("done"), { type: "done", id: 7, problem: null });
    await eventually(() => dropped(file).length === 1, { what: "a line in the new file" });
    assert.deepEqual([dropped(moved), dropped(file)], [["one", "two", "three"], ["four"]]);

    const left = once(wire, "exit");
    channel.send({ type: "stop", reason: "the test is over", isReplaced: false });
    assert.deepEqual(await within(left, 5000, "the child to leave"), [0, null]);
  });
}

function start(t: TestContext, role: "server" | "proxy") {
  const wire = fork(join(projectRoot, `dist/src/roles/${role}.js`), { env: { ...process.env, DOLPHIN_CHILD: role } });
  t.after(() => wire.kill("SIGKILL"));
  const heard: FromChild[] = [];
  const channel = channelToChild(wire, { message: (message) => heard.push(message), invalid: (error) => assert.fail(error) });
  const hear = (type: FromChild["type"]): Promise<FromChild> =>
    eventually(() => heard.find((message) => message.type === type), { what: `${type} of the ${role}` });
  return { wire, channel, hear };
}

/** The types of the messages that were dropped, as a log file tells them. */
function dropped(file: string): string[] {
  return Array.from(
    readFileSync(file, "utf8").matchAll(/"message\.dropped".*?no known type: .*?type\\":\\"(\w+)/g),
    ([, type]) => type ?? "",
  );
}
