// From a choice to a connected server: picks, connects with a deadline, and takes the next server when one refuses or is
// slow, before the client notices. Each server is asked once, and the last one may take as long as the client has patience.
import { connect, type Socket } from "node:net";
import { DolphinError, errnoOf } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { BackendState } from "../../ipc/balance.js";
import type { Backends } from "./backends.js";
import { Patience, patienceMs } from "./patience.js";

/** How long one server may take to accept while there is another. */
const connectTimeoutMs = 1000;

export interface ConnectOptions {
  /** Which of a server's ports. */
  readonly service: "rtmp" | "http";
  readonly key: string | null;
  readonly timeoutMs?: number;
}

/** A server that accepted. Its connection is `opened` in the backends: the caller calls `closed` once. */
export interface Connected {
  readonly backend: BackendState;
  /** Paused, with half-close and without Nagle's delay: ready for `Pump.join`. */
  readonly socket: Socket;
  /** The names of all that were asked, the last one accepted. */
  readonly tried: readonly string[];
}

/** The error carries whom it asked: `tried`. */
export class ConnectError extends DolphinError {
  readonly tried: readonly string[];

  constructor(code: "PROXY_CONNECT" | "PROXY_NO_SERVER", message: string, tried: readonly string[], cause?: unknown) {
    super(code, message, { cause });
    this.tried = tried;
  }
}

/** Connects to a server. Throws a {@link ConnectError}: PROXY_NO_SERVER when none may be asked, PROXY_CONNECT when all failed. */
export async function connectBackend(backends: Backends, options: ConnectOptions): Promise<Connected> {
  const { service, key, timeoutMs = connectTimeoutMs } = options;
  const patience = new Patience(timeoutMs, patienceMs);
  const tried = new Set<string>();
  const failures: unknown[] = [];
  for (;;) {
    const backend = backends.pick({ key }, tried);
    if (backend === null) break;
    tried.add(backend.name);
    const endpoint = backend[service];
    if (endpoint === null) continue; // it does not serve this at all
    backends.opened(backend.name);
    try {
      return { backend, socket: await connected(endpoint, patience, () => backends.canPick(tried)), tried: [...tried] };
    } catch (thrown) {
      backends.closed(backend.name, 0, 0);
      failures.push(thrown);
    }
  }
  if (failures.length === 0) throw new ConnectError("PROXY_NO_SERVER", "no server can take the connection", [...tried]);
  const last = failures.at(-1);
  const message = `no server took the connection: ${failures.length} asked, the last: ${errnoOf(last) ?? "no answer in time"}`;
  throw new ConnectError("PROXY_CONNECT", message, [...tried], last);
}

function connected({ host, port }: Endpoint, patience: Patience, hasOther: () => boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    socket.pause(); // else node begins to read at once
    patience.begin({
      hasOther,
      late: (waitedMs) => void socket.destroy(new Error(`${formatEndpoint({ host, port })} did not answer within ${waitedMs} ms`)),
    });
    socket.once("error", (error) => {
      patience.clear();
      reject(error);
    });
    socket.once("connect", () => {
      patience.clear();
      socket.removeAllListeners("error");
      socket.on("error", () => undefined); // between here and the pump; the pump finds it broken
      resolve(socket);
    });
  });
}
