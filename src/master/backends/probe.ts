// Asks a server whether it serves: shakes hands as an RTMP client does, or sends a request as a browser does, and hangs up. A server
// that is stopped still accepts connections, so only an answer counts.
import { connect, type Socket } from "node:net";
import { errnoOf, messageOf } from "../../base/errors.js";
import { answerBytes, helloBytes } from "../../codec/rtmp/handshake.js";
import type { Endpoint } from "../../conf/meaning/config.js";

/** Null: it answered; else why not, as a sentence goes on: `refused the connection`. */
export type ProbeResult = string | null;

const rtmpVersion = 3;

/** What the server has done; every other error may be this machine's own. */
const failures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "reset the connection",
  EPIPE: "reset the connection",
};

/** The simple form of C0C1, with nothing random in it: nobody is kept out by it. */
const hello = Buffer.alloc(helloBytes);
hello[0] = rtmpVersion;

/** Waits for S0S1S2. Never throws. */
export function probeRtmp(endpoint: Endpoint, deadlineMs: number): Promise<ProbeResult> {
  let received = 0;
  return ask(endpoint, deadlineMs, hello, (bytes) => {
    if (received === 0 && bytes[0] !== rtmpVersion) return "does not speak RTMP";
    received += bytes.length;
    return received >= answerBytes ? null : undefined;
  });
}

/** Waits for the head of any answer. Never throws. */
export function probeHttp(endpoint: Endpoint, deadlineMs: number): Promise<ProbeResult> {
  const request = Buffer.from("GET /api/v1/versions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  let head = "";
  return ask(endpoint, deadlineMs, request, (bytes) => {
    head += bytes.toString("latin1");
    if (head.length < 5) return undefined;
    return head.startsWith("HTTP/") ? null : "does not speak HTTP";
  });
}

/** `look` gets what comes: undefined means more is needed. */
function ask(
  { host, port }: Endpoint,
  deadlineMs: number,
  question: Buffer,
  look: (bytes: Buffer) => ProbeResult | undefined,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host, port, noDelay: true });
    let isSettled = false;
    let isConnected = false;
    const settle = (result: ProbeResult): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      // Politely where it answered, so that no server logs a reset each second.
      if (result === null) socket.end();
      else socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => {
      settle(isConnected ? `did not answer within ${deadlineMs / 1000} s` : `did not accept a connection within ${deadlineMs / 1000} s`);
    }, deadlineMs);
    socket.setTimeout(deadlineMs * 2, () => socket.destroy()); // one that answers and then never closes its side
    socket.once("connect", () => {
      isConnected = true;
      socket.write(question);
    });
    socket.on("data", (bytes) => {
      const result = isSettled ? undefined : look(bytes);
      if (result !== undefined) settle(result);
    });
    socket.on("error", (error) => settle(failures[errnoOf(error) ?? ""] ?? `could not be asked: ${messageOf(error)}`));
    socket.once("close", () => settle("closed the connection without an answer"));
  });
}
