// httpload: who asks an HTTP server while something is measured. Each question has a connection of its own and is asked again and again,
// never a second time before the first answer has come.
//
//   httpload PORT WARM_S RUN_S PATH[@EVERY_MS]…     without EVERY_MS the next question follows the answer at once. What is answered in
//                                                   the first WARM_S does not count. At the end one line of JSON: answered, failed,
//                                                   perSecond, kibEach
//
// Loopback only, and answers that tell their length. An answer is not looked at but for its status.
import { connect, type Socket } from "node:net";

interface Counts {
  answered: number;
  failed: number;
  bytes: number;
}

const reconnectMs = 20;

/** One question, asked until the process ends. */
class Asker {
  private readonly port: number;
  private readonly request: string;
  private readonly everyMs: number;
  private readonly counts: Counts;
  private socket: Socket | null = null;
  private isOpen = false;
  private askedAtMs = 0;
  private head = "";
  /** Of the body; null as long as the head is not whole. */
  private missingBytes: number | null = null;

  constructor(port: number, question: string, counts: Counts) {
    const [path = "/", everyMs = "0"] = question.split("@");
    this.port = port;
    this.request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
    this.everyMs = Number(everyMs);
    this.counts = counts;
  }

  /** Begins; of questions that are asked every so often, at its share of that time. */
  begin(share: number): void {
    setTimeout(() => this.ask(), share * this.everyMs);
  }

  ask(): void {
    this.socket ??= this.connected();
    this.isOpen = true;
    this.head = "";
    this.missingBytes = null;
    this.askedAtMs = performance.now();
    this.socket.write(this.request);
  }

  private connected(): Socket {
    const socket = connect({ host: "127.0.0.1", port: this.port, noDelay: true });
    socket.on("data", (bytes) => this.take(bytes));
    socket.on("error", () => undefined); // the close behind it tells
    socket.on("close", () => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (!this.isOpen) return;
      this.counts.failed += 1;
      setTimeout(() => this.ask(), reconnectMs);
    });
    return socket;
  }

  private take(bytes: Buffer): void {
    if (!this.isOpen) return;
    this.counts.bytes += bytes.length;
    if (this.missingBytes === null) {
      this.head += bytes.toString("latin1");
      const end = this.head.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = /^content-length: *(\d+)/im.exec(this.head)?.[1];
      if (length === undefined) return void this.socket?.destroy();
      this.missingBytes = Number(length) - (this.head.length - end - 4);
    } else this.missingBytes -= bytes.length;
    if (this.missingBytes <= 0) this.end();
  }

  private end(): void {
    this.isOpen = false;
    if (this.head.startsWith("HTTP/1.1 200 ")) this.counts.answered += 1;
    else this.counts.failed += 1;
    if (/^connection: *close/im.test(this.head)) {
      this.socket?.destroy();
      this.socket = null;
    }
    const waitMs = this.askedAtMs + this.everyMs - performance.now();
    if (waitMs > 0) setTimeout(() => this.ask(), waitMs);
    else this.ask();
  }
}

const [port = 0, warmS = 0, runS = 0] = process.argv.slice(2, 5).map(Number);
const counts: Counts = { answered: 0, failed: 0, bytes: 0 };
const questions = process.argv.slice(5);
for (const [index, question] of questions.entries()) new Asker(port, question, counts).begin(index / questions.length);

setTimeout(() => {
  Object.assign(counts, { answered: 0, failed: 0, bytes: 0 });
  const fromMs = performance.now();
  setTimeout(() => {
    const { answered, failed, bytes } = counts;
    const perSecond = answered / ((performance.now() - fromMs) / 1000);
    const kibEach = bytes / 1024 / Math.max(1, answered + failed);
    process.stdout.write(`${JSON.stringify({ answered, failed, perSecond, kibEach })}\n`, () => process.exit(0));
  }, runS * 1000);
}, warmS * 1000);
