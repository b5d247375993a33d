// A small DNS server of the tests' own over loopback: A, AAAA and SRV records as a test writes them, and silence when it wants that.
import { createSocket, type Socket } from "node:dgram";
import type { Cleanup } from "./dolphin.js";

export interface Records {
  readonly a?: readonly string[];
  readonly srv?: readonly { readonly host: string; readonly port: number; readonly priority?: number }[];
  readonly ttlSeconds?: number;
}

const typeA = 1;
const typeSrv = 33;
const noSuchName = 3;

export class DnsServer {
  readonly address: string;
  /** Questions so far, as `A name`. */
  readonly asked: string[] = [];
  /** By name; one that is not here does not exist. */
  records: Readonly<Record<string, Records>> = {};
  isSilent = false;

  private constructor(socket: Socket, t: Cleanup) {
    const { port } = socket.address();
    this.address = `127.0.0.1:${port}`;
    socket.on("message", (question, from) => {
      const answer = this.answer(question);
      if (!this.isSilent) socket.send(answer, from.port, from.address);
    });
    t.after(() => void socket.close());
  }

  static async start(t: Cleanup): Promise<DnsServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    return new DnsServer(socket, t);
  }

  /** One question (RFC 1035, section 4): its name is pointed to by every answer. */
  private answer(question: Buffer): Buffer {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const type = question.readUInt16BE(at + 1);
    const name = labels.join(".");
    this.asked.push(`${type === typeA ? "A" : type === typeSrv ? "SRV" : type} ${name}`);
    const known = this.records[name];
    const { a = [], srv = [], ttlSeconds = 1 } = known ?? {};
    const data = type === typeA ? a.map((ip) => Buffer.from(ip.split(".").map(Number))) : type === typeSrv ? srv.map(srvData) : [];
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | (known === undefined ? noSuchName : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(data.length, 6);
    const answers = data.map((bytes) => {
      const head = Buffer.alloc(12);
      head.writeUInt16BE(0xc00c, 0);
      head.writeUInt16BE(type, 2);
      head.writeUInt16BE(1, 4);
      head.writeUInt32BE(ttlSeconds, 6);
      head.writeUInt16BE(bytes.length, 10);
      return Buffer.concat([head, bytes]);
    });
    return Buffer.concat([header, question.subarray(12, at + 5), ...answers]);
  }
}

function srvData({ host, port, priority = 0 }: { readonly host: string; readonly port: number; readonly priority?: number }): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(port, 4);
  const labels = host.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")]));
  return Buffer.concat([head, ...labels, Buffer.from([0])]);
}
