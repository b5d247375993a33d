// Both ends of a connection, for what is written to a descriptor past Node.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { descriptorOf } from "../../src/wire/shared-read.js";
import { eventually } from "../helpers/wait.js";

/** Both ends of a connection; the reader reads nothing yet. */
export async function pair(t: TestContext): Promise<{ readonly fd: number; readonly sender: Socket; readonly reader: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const reader = connect((server.address() as AddressInfo).port, "127.0.0.1").pause();
  const [sender] = await accepted;
  t.after(() => {
    sender.destroy();
    reader.destroy();
    server.close();
  });
  return { fd: descriptorOf(sender)!, sender, reader };
}

/** Reads until so many bytes have come. */
export async function read(reader: Socket, bytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  reader.on("data", (piece) => pieces.push(piece)).resume();
  await eventually(() => pieces.reduce((sum, { length }) => sum + length, 0) >= bytes, { what: `${bytes} bytes` });
  return Buffer.concat(pieces);
}
