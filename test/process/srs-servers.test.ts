// Several srs are asked side by side over their own APIs, by what asks them: pages, a deadline, sums. What answers is a plain HTTP server.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import pino from "pino";
import { SrsServers, type SrsServer } from "../../src/admin/box/srs-servers.js";
import type { Log } from "../../src/base/log.js";
import type { Cleanup } from "../helpers/dolphin.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(t: Cleanup, name: string, answer: Answer): Promise<SrsServer> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { name, api: { host: "127.0.0.1", port: (server.address() as AddressInfo).port } };
}

/** A srs with so many clients. */
function listOf(count: number, asked: string[] = []): Answer {
  return ({ url = "" }, response) => {
    asked.push(url);
    const query = new URL(url, "http://srs").searchParams;
    const from = Number(query.get("start"));
    const until = Math.min(count, from + Number(query.get("count")));
    const clients = Array.from({ length: Math.max(0, until - from) }, (_, at) => ({ id: String(from + at) }));
    response.end(JSON.stringify({ code: 0, clients }));
  };
}

/** The asker, and the events that it has logged. */
function asker(t: Cleanup): { servers: SrsServers; events: string[] } {
  const events: string[] = [];
  const log = pino(
    { level: "info" },
    { write: (line: string) => events.push((JSON.parse(line) as { event: string }).event) },
  ) as unknown as Log;
  const servers = new SrsServers({ log, auth: () => ({ type: "basic", username: "u", password: "p" }) });
  t.after(() => servers.close());
  return { servers, events };
}

for (const count of [0, 999, 1000, 1001, 2500]) {
  void test(`a list of ${count} is asked for to its end, and each is told of once`, async (t) => {
    const asked: string[] = [];
    const { servers } = asker(t);
    const { answers } = await servers.rows(
      [await serve(t, "server-1", listOf(count, asked)), await serve(t, "server-2", listOf(3))],
      "clients",
    );
    assert.equal(answers.length, count + 3);
    assert.equal(new Set(answers.map(({ server, row }) => `${server} ${String(row["id"])}`)).size, count + 3);
    assert.equal(asked.length, Math.floor(count / 1000) + 1);
  });
}

void test("one that hangs, one that refuses and one that talks nonsense are left out, and each is told of once until it is back", async (t) => {
  const { servers, events } = asker(t);
  let isWell = false;
  const ill =
    (answer: Answer): Answer =>
    (request, response) =>
      (isWell ? listOf(1) : answer)(request, response);
  const all = [
    await serve(t, "server-1", listOf(2)),
    await serve(
      t,
      "server-2",
      ill(() => undefined),
    ),
    await serve(
      t,
      "server-3",
      ill((_, response) => response.writeHead(401).end()),
    ),
    await serve(
      t,
      "server-4",
      ill((_, response) => response.end("<html>")),
    ),
    await serve(
      t,
      "server-5",
      ill((_, response) => response.end('{"code":0,"clients":{}}')),
    ),
    await serve(
      t,
      "server-6",
      ill(({ socket }) => socket.destroy()),
    ),
  ];
  for (const _ of [1, 2]) {
    const { answers } = await servers.rows(all, "clients");
    assert.deepEqual(
      answers.map(({ server }) => server),
      ["server-1", "server-1"],
    );
    assert.deepEqual(servers.silent, ["server-2", "server-3", "server-4", "server-5", "server-6"]);
  }
  assert.deepEqual(
    events,
    Array.from({ length: 5 }, () => "server.api-silent"),
  );
  isWell = true;
  assert.equal((await servers.rows(all, "clients")).answers.length, 7);
  assert.deepEqual(servers.silent, []);
  assert.equal(events.filter((event) => event === "server.api-back").length, 5);
});

void test("the words that the file asks for go with each question", async (t) => {
  const { servers } = asker(t);
  let seen: string | undefined;
  const server = await serve(t, "server-1", ({ headers }, response) => {
    seen = headers.authorization;
    response.end('{"code":2049}');
  });
  assert.equal(await servers.kick(server, "x"), false);
  assert.equal(seen, `Basic ${Buffer.from("u:p").toString("base64")}`);
});

void test("sums of bytes do not fall when a server begins anew or does not answer", async (t) => {
  const { servers } = asker(t);
  let now: { pid: number; bytes: number } | null = { pid: 1, bytes: 1000 };
  const all = [
    await serve(t, "server-1", (_, response) => {
      if (now === null) response.writeHead(500).end();
      else
        response.end(
          JSON.stringify({
            code: 0,
            data: {
              self: { version: "7.0.18", pid: now.pid, srs_uptime: now.pid },
              system: { srs_recv_bytes: now.bytes, srs_send_bytes: 2 * now.bytes, conn_srs: 3 },
            },
          }),
        );
    }),
    await serve(t, "server-2", (_, response) =>
      response.end(
        '{"code":0,"data":{"self":{"version":"7.0.18","pid":9,"srs_uptime":5},"system":{"srs_recv_bytes":1,"srs_send_bytes":2,"conn_srs":4}}}',
      ),
    ),
  ];
  const look = async (): Promise<unknown[]> => {
    const { recvBytes, sendBytes, connections, upSeconds } = (await servers.sums(all)) ?? {};
    return [recvBytes, sendBytes, connections, upSeconds];
  };
  assert.deepEqual(await look(), [1001, 2002, 7, 5]);
  now = null;
  assert.deepEqual(await look(), [1001, 2002, 4, 5]);
  now = { pid: 11, bytes: 10 };
  assert.deepEqual(await look(), [1011, 2022, 7, 11]);
});
