// The admin's way to the master: questions over the box's control socket, which the verbs of the command line ask as well. The master
// may be replaced while somebody waits: for a moment nobody answers on the path then, and it is asked again.
import { request, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { DolphinError, errnoOf, messageOf } from "../../base/errors.js";

/** How long a question may take that the master only has to look up. */
const answerTimeoutMs = 5000;
/** How long nobody may answer on the path; from one master to the next it takes less. */
const gapMs = 3000;
const askAgainMs = 50;
/** The longest answer that is taken, in bytes: 100,000 clients. */
const maxAnswerBytes = 64 << 20;

export interface Question {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly timeoutMs?: number;
}

/** What the master answered: a status of HTTP, and what was JSON. */
export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Asks one box. It keeps no connection. */
export class ControlClient {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Throws CHILD_START when nobody answers. */
  async ask(path: string, { method = "GET", timeoutMs = answerTimeoutMs }: Question = {}): Promise<ControlAnswer> {
    const response = await this.open(path, method, timeoutMs);
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxAnswerBytes) throw this.failure(`answered more than ${maxAnswerBytes} bytes`);
      parts.push(part);
    }
    try {
      return { status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString()) };
    } catch (cause) {
      throw this.failure("answered something else than JSON", cause);
    }
  }

  /** An answer that has no end, such as the events: its response, which the caller closes. */
  async open(path: string, method: "GET" | "POST" | "DELETE", timeoutMs: number): Promise<IncomingMessage> {
    for (let waitedMs = 0; ; waitedMs += askAgainMs) {
      try {
        return await this.once(path, method, timeoutMs);
      } catch (thrown) {
        const isNobody = ["ENOENT", "ECONNREFUSED"].includes(errnoOf(thrown) ?? "");
        if (!isNobody || waitedMs >= gapMs) throw this.failure(messageOf(thrown), thrown);
        await sleep(askAgainMs);
      }
    }
  }

  private once(path: string, method: string, timeout: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.path, method, path, agent: false, timeout }, resolve);
      asked.once("timeout", () => asked.destroy(new Error(`no answer within ${timeout / 1000} s`)));
      asked.once("error", reject);
      asked.end();
    });
  }

  private failure(why: string, cause?: unknown): DolphinError {
    return new DolphinError("CHILD_START", `${this.path}: ${why}`, { cause });
  }
}
