// A program of its own: one proxy process in front of one server, for as long as nobody ends it. Its pairs mark how far they
// have got, as those of a proxy that has a master do; there is nobody to keep copies of them.
//   relay-runner PORT SERVER_PORT auto|plain
import { createServer } from "node:net";
import { createLog } from "../src/base/log.js";
import type { Carrier } from "../src/ipc/carried.js";
import { loadMarks } from "../src/ipc/marks.js";
import { Backends } from "../src/proxy/balance/backends.js";
import { createPump } from "../src/proxy/pump/create-pump.js";
import { acceptOptions, TcpProxy } from "../src/proxy/balance/tcp-proxy.js";

const [port, serverPort, kind] = process.argv.slice(2);
const log = createLog({ role: "proxy", child: null, level: "warn", format: "json", file: null });
const backends = new Backends({ policy: "least" });
backends.update([
  {
    name: "server-1",
    rtmp: { host: "127.0.0.1", port: Number(serverPort) },
    http: null,
    isUp: true,
    isDraining: false,
    upSinceMs: 0,
    weight: 1,
    maxConnections: null,
    connections: 0,
    bytesPerSecond: 0,
  },
]);
const pump = await createPump(log, kind === "plain" ? "plain" : "auto", await makeCarrier());
const options = { service: "rtmp", preface: null, trusted: null, idleMs: 60_000, totalMs: null } as const;
const proxy = new TcpProxy(options, backends, pump, log);
const listener = createServer(acceptOptions, (socket) => proxy.accept(socket));
listener.listen({ host: "127.0.0.1", port: Number(port), backlog: 1024 }, () => process.stdout.write(`${pump.kind} pump\n`));
process.once("SIGTERM", () => process.exit(0));

async function makeCarrier(): Promise<Carrier | null> {
  const made = (await loadMarks())?.create();
  if (made === undefined) return null;
  const { marks, fd } = made;
  return {
    marksFd: fd,
    carry(_descriptors, _session, from) {
      const at = marks.take(from);
      if (at === null) return null;
      const over = (): void => marks.giveBack(at);
      return { words: marks.words, at, isOver: false, isKept: false, over, letGo: over };
    },
  };
}
