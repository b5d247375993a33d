import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { eventually, within } from "../../../helpers/wait.js";
import { startBackend, startProxy } from "./rig.js";

/** A connection that sends this; `answer` is what it has received so far. */
async function open(
  t: TestContext,
  port: number,
  said: string,
): Promise<{ answer: string; readonly socket: Socket; readonly ended: Promise<void> }> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const connection = { answer: "", socket, ended };
  socket.on("data", (bytes) => (connection.answer += String(bytes)));
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.write(said);
  return connection;
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("http: a proxy that drains ends idle connections, and others after the answer that is under way", async (t) => {
  let finish = (): void => undefined;
  const { target } = await startBackend(t, "one", (request, response) => {
    if (request.url === "/") return void response.end("quick");
    response.write("begun ");
    finish = () => void response.end("done");
    return undefined;
  });
  const rig = await startProxy(t, [target]);
  const idle = await open(t, rig.port, get);
  await eventually(() => idle.answer.includes("quick"), { everyMs: 5 });
  const busy = await open(t, rig.port, get.replace("/", "/long"));
  await eventually(() => busy.answer.includes("begun"), { everyMs: 5 });
  const drained = rig.proxy.drain();
  await within(idle.ended, 1000, "the end of the idle connection");
  finish();
  await eventually(() => busy.answer.includes("done"), { everyMs: 5 });
  busy.socket.write(get);
  await within(Promise.all([drained, busy.ended]), 5000, "the end of the drain");
  assert.match(busy.answer, /Connection: close[^]*quick/, "one more request is answered, and told that it is the last");
});
