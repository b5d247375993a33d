import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { createAdminServer, maxAdminConnectionsPerAddress } from "../../../../src/admin/http/server.js";

test("idle connections of one address lock out nobody who comes from another", async (t) => {
  const server = createAdminServer((_, response) => void response.end("yes"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const idle: Socket[] = [];
  t.after(() => {
    for (const socket of idle) socket.destroy();
    server.close();
  });
  const open = async (localAddress: string): Promise<Socket> => {
    const socket = connect({ host: "127.0.0.1", port, localAddress }).on("error", () => undefined);
    idle.push(socket);
    await once(socket, "connect");
    return socket;
  };
  for (let i = 0; i < maxAdminConnectionsPerAddress; i++) await open("127.0.0.1");
  const beyond = await open("127.0.0.1");
  await once(beyond.resume(), "close");
  const other = await open("127.0.0.2");
  other.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const [answer] = (await once(other, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
});
