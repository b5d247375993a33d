// A site's backend: an HTTP server that takes down every hook that it is told of and answers as the test says.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Cleanup } from "./dolphin.js";
import { within } from "./wait.js";

/** One call. */
export interface HookCall {
  readonly action: string;
  /** The path that was called. */
  readonly path: string;
  readonly text: string;
  readonly body: Readonly<Record<string, string | number>>;
  readonly headers: IncomingHttpHeaders;
}

/** What is answered: the body of a 200, or an answer that the test writes itself. */
export type HookAnswer = string | ((response: ServerResponse) => void);

export class HookBackend {
  readonly calls: HookCall[] = [];
  /** What it answers; it may wait. */
  answer: (call: HookCall) => HookAnswer | Promise<HookAnswer> = () => "0";
  /** Calls that are being answered now, and the most that were at once. */
  open = 0;
  mostOpen = 0;
  connections = 0;
  private readonly server: Server;
  private waiters: (() => void)[] = [];

  private constructor() {
    this.server = createServer((request, response) => {
      let text = "";
      request.setEncoding("utf8");
      request.on("data", (part: string) => (text += part));
      request.on("end", () => void this.take(request.url ?? "", text, request.headers, response));
    });
    this.server.on("connection", () => (this.connections += 1));
  }

  static async start(t: Cleanup, port = 0): Promise<HookBackend> {
    const backend = new HookBackend();
    await backend.listen(port);
    t.after(() => backend.stop());
    return backend;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The URL of a hook, `http://127.0.0.1:PORT/on_play`. */
  url(name: string): string {
    return `http://127.0.0.1:${this.port}/${name}`;
  }

  /** An `http_hooks` block that calls it for these hooks. */
  block(...names: readonly string[]): string {
    return `http_hooks { enabled on; ${names.map((name) => `${name} ${this.url(name)};`).join(" ")} }`;
  }

  /** The same for all six. */
  get all(): string {
    return this.block("on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop");
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
  }

  /** Nobody answers there any more. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  /** The actions in the order in which they came; of one client, or all. */
  actions(clientId?: string | number): string[] {
    return this.calls.filter(({ body }) => clientId === undefined || body["client_id"] === clientId).map(({ action }) => action);
  }

  of(action: string): HookCall[] {
    return this.calls.filter((call) => call.action === action);
  }

  /** Waits until so many calls of an action have come. */
  async waitFor(action: string, count = 1, timeoutMs = 10_000): Promise<HookCall> {
    await this.until(`${count} × ${action}`, () => this.of(action).length >= count, timeoutMs);
    return this.of(action)[count - 1]!;
  }

  async until(what: string, isSo: () => boolean, timeoutMs = 10_000): Promise<void> {
    const look = async (): Promise<void> => {
      while (!isSo()) await new Promise<void>((resolve) => this.waiters.push(resolve));
    };
    await within(look(), timeoutMs, () => `${what}; there were ${JSON.stringify(this.actions())}`);
  }

  /** Fails unless every one of these has exactly one end, of the same client and stream and behind it. */
  assertPairs(begin: string, end: string): void {
    const keyOf = ({ body }: HookCall): string => `${body["client_id"]} ${begin === "on_connect" ? "" : body["stream_url"]}`;
    const [begun, ended] = [this.of(begin), this.of(end)];
    assert.deepEqual(ended.map(keyOf).sort(), begun.map(keyOf).sort(), `${begin} and ${end}`);
    for (const call of begun) {
      const other = ended.find((one) => keyOf(one) === keyOf(call));
      assert.ok(this.calls.indexOf(call) < this.calls.indexOf(other!), `${end} came before ${begin}`);
    }
  }

  private async take(path: string, text: string, headers: IncomingHttpHeaders, response: ServerResponse): Promise<void> {
    const body = text === "" ? {} : (JSON.parse(text) as HookCall["body"]);
    const call: HookCall = { action: String(body["action"] ?? ""), path, text, body, headers };
    this.calls.push(call);
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    response.on("close", () => (this.open -= 1));
    for (const wake of this.waiters.splice(0)) wake();
    const answer = await this.answer(call);
    if (typeof answer === "string") response.end(answer);
    else answer(response);
  }
}
