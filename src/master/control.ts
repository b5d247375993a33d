// The control socket: HTTP over a Unix socket that only this user can open. It answers `GET /status`; who asks is control-client.ts.
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { DolphinError, errnoOf, messageOf } from "../base/errors.js";
import { prepareControlFolder } from "./control-path.js";
import type { BoxStatus } from "./status.js";

/** A listening control socket. Close it once; its file is removed. */
export class Control {
  readonly path: string;
  private readonly http: Server;
  private isClosed = false;

  private constructor(path: string, http: Server) {
    this.path = path;
    this.http = http;
  }

  /** Throws CHILD_START when a running instance has the socket, or it cannot be made. */
  static async open(path: string, status: () => Promise<BoxStatus>): Promise<Control> {
    prepareControlFolder(path, process.env);
    if (await isAnswered(path)) {
      throw new DolphinError("CHILD_START", `another dolphin answers on ${path}: stop it first, or give this one another control_socket`);
    }
    rmSync(path, { force: true }); // left behind by an instance that was killed
    const http = createServer((request, response) => {
      const reply = (code: number, body: unknown): void => {
        response.writeHead(code, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
      };
      if (request.url !== "/status") reply(404, { error: "there is only /status" });
      else if (request.method !== "GET") reply(405, { error: "only GET is served" });
      else
        status().then(
          (box) => reply(200, box),
          (thrown: unknown) => reply(500, { error: messageOf(thrown) }),
        );
    });
    const control = new Control(path, http);
    await control.listen();
    return control;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.http.close(); // removes the file
    this.http.closeAllConnections();
  }

  private listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const mask = process.umask(0o177); // the file is never open to others, not even before chmod
      this.http.once("error", (error) => {
        process.umask(mask);
        reject(new DolphinError("CHILD_START", `cannot make the control socket ${this.path}: ${messageOf(error)}`, { cause: error }));
      });
      this.http.listen(this.path, () => {
        chmodSync(this.path, 0o600);
        resolve();
      });
      process.umask(mask);
    });
  }
}

/** Whether somebody accepts on a socket. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => done(true)); // a stopped instance accepts, if late, and is alive
    socket.once("connect", () => done(true));
    socket.once("error", (error) => done(!["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(errnoOf(error) ?? "")));
  });
}
