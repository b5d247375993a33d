// The registry's engine: redis-server, redis-sentinel and redis-cli of Debian, unpacked into .cache/peers without installing anything, or
// taken from REDIS_PATH (a folder). Each server is one process on a free port of loopback that keeps nothing on disk.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { start, type Child } from "./child.js";
import { peersFolder, unpackDebianPackages } from "./debian.js";
import { freePort } from "./ports.js";
import { eventually } from "./wait.js";

export interface RedisProgram {
  /** The folder of the programs. */
  readonly folder: string;
  readonly env: Record<string, string>;
}

export interface Redis {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  /** What one command answers. */
  ask(...words: readonly string[]): Promise<string>;
  log(): string;
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
  /** The same server on the same port, after `stop`: it has forgotten everything. */
  again(): Promise<Redis>;
}

/** The programs, or a sentence that says why there are none. */
export async function findRedis(): Promise<RedisProgram | string> {
  const named = process.env["REDIS_PATH"];
  if (named !== undefined && named !== "") return usable({ folder: named, env: {} });
  if (existsSync("/usr/bin/redis-server") && existsSync("/usr/bin/redis-sentinel")) return usable({ folder: "/usr/bin", env: {} });
  const folder = join(peersFolder, "usr/bin");
  const library = join(peersFolder, "usr/lib");
  try {
    if (!existsSync(join(folder, "redis-server")) || !hasLibrary(library))
      await unpackDebianPackages(["redis-server", "redis-sentinel", "redis-tools", "liblzf1", "libjemalloc2", "libatomic1"]);
  } catch (thrown) {
    return `redis is not to be had: ${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)}`;
  }
  const machine = readdirSync(library).find((name) => name.endsWith("-linux-gnu")) ?? "";
  return usable({ folder, env: { LD_LIBRARY_PATH: join(library, machine) } });
}

function hasLibrary(library: string): boolean {
  return existsSync(library) && readdirSync(library, { recursive: true, encoding: "utf8" }).some((path) => path.includes("liblzf.so"));
}

/** What a file of tests has of Redis. */
export interface RedisOfFile {
  /** Why there is none; false: there is. */
  readonly skip: string | false;
  /** One for all tests of the file; it is ended behind them. */
  readonly redis: Redis;
  /** One of a test's own, with these lines in its configuration; whoever starts it ends it. */
  readonly another: (lines?: readonly string[]) => Promise<Redis>;
}

/** Call it once, at the head of a file. */
export async function redisOfFile(): Promise<RedisOfFile> {
  const program = await findRedis();
  const another = (lines: readonly string[] = []): Promise<Redis> => {
    if (typeof program === "string") throw new Error(program);
    return startRedis(program, lines);
  };
  const redis = typeof program === "string" ? null : await another();
  after(() => redis?.stop());
  return { skip: typeof program === "string" ? program : false, redis: redis!, another };
}

/** Starts one; `lines` are of its configuration. */
export async function startRedis(
  program: RedisProgram,
  lines: readonly string[] = [],
  options: {
    port?: number;
    kind?: "server" | "sentinel";
    password?: string;
    /** It speaks TLS alone, so that nobody here asks it whether it is there. */ isSilent?: boolean;
  } = {},
): Promise<Redis> {
  const { kind = "server" } = options;
  const port = options.port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), "dolphin-redis-"));
  const common = [`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, "daemonize no", `logfile ${join(folder, "log")}`];
  const own = kind === "server" ? ['save ""', "appendonly no", "repl-diskless-sync-delay 0", "maxmemory-policy noeviction"] : [];
  const file = join(folder, "redis.conf");
  writeFileSync(file, `${[...common, ...own, ...lines].join("\n")}\n`);
  const child: Child = start(join(program.folder, `redis-${kind}`), [file], { env: program.env });
  const log = (): string => `${child.output()}\n${existsSync(join(folder, "log")) ? readFileSync(join(folder, "log"), "utf8") : ""}`;
  const stop = async (): Promise<void> => {
    if (child.ending === null) process.kill(child.pid, "SIGCONT");
    await child.stop("SIGKILL", 2000); // nothing of it is kept, and TERM would wait for replicas
    rmSync(folder, { recursive: true, force: true });
  };
  const ask = (...words: readonly string[]): Promise<string> => askRedis(port, words, options.password);
  try {
    await eventually(
      async () => child.ending === null && (options.isSilent === true || /PONG|NOAUTH|NOPERM/.test(await ask("PING").catch(() => ""))),
      {
        timeoutMs: 5000,
        what: "redis to answer",
      },
    );
  } catch (thrown) {
    const said = log().trim();
    await stop();
    throw new Error(`redis does not start: ${said}`, { cause: thrown });
  }
  const again = (): Promise<Redis> => startRedis(program, lines, { ...options, port });
  return {
    port,
    pid: child.pid,
    url: `redis://127.0.0.1:${port}`,
    ask,
    log,
    kill: (signal) => void process.kill(child.pid, signal),
    stop,
    again,
  };
}

/** Makes servers with `cluster-enabled yes` one cluster without replicas. */
export async function joinCluster(program: RedisProgram, servers: readonly Redis[]): Promise<void> {
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  const cli = start(join(program.folder, "redis-cli"), ["--cluster", "create", ...addresses, "--cluster-yes"], { env: program.env });
  const { code } = await cli.ended;
  if (code !== 0) throw new Error(`no cluster: ${cli.output()}`);
  await eventually(
    async () => (await Promise.all(servers.map((one) => one.ask("CLUSTER", "INFO")))).every((text) => text.includes("cluster_state:ok")),
    {
      timeoutMs: 10_000,
      what: "the cluster to be whole",
    },
  );
}

/** Moves slots with what is in them from one server of a cluster to another, by their ids there. */
export async function reshard(
  program: RedisProgram,
  by: Redis,
  { from, to, slots }: { readonly from: string; readonly to: string; readonly slots: number },
): Promise<void> {
  const how = ["--cluster-from", from, "--cluster-to", to, "--cluster-slots", String(slots), "--cluster-yes"];
  const cli = start(join(program.folder, "redis-cli"), ["--cluster", "reshard", `127.0.0.1:${by.port}`, ...how], { env: program.env });
  const { code } = await cli.ended;
  if (code !== 0) throw new Error(`no slots moved: ${cli.output().slice(-1000)}`);
}

/** One command over a connection of its own; rejects when there is none, and gives the bytes of the answer as text. */
async function askRedis(port: number, words: readonly string[], password?: string): Promise<string> {
  const encode = (list: readonly string[]): string =>
    `*${list.length}\r\n${list.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
  const socket = connect({ port, host: "127.0.0.1" });
  socket.setTimeout(2000, () => socket.destroy(new Error("redis does not answer")));
  try {
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    if (password !== undefined) socket.write(encode(["AUTH", password]));
    socket.end(encode(words)); // a sentinel knows no QUIT
    let text = "";
    for await (const bytes of socket) text += String(bytes);
    return text;
  } finally {
    socket.destroy();
  }
}

async function usable(program: RedisProgram): Promise<RedisProgram | string> {
  const child = start(join(program.folder, "redis-server"), ["--version"], { env: program.env });
  const { code } = await child.ended;
  return code === 0 ? program : `redis-server does not run: ${child.output().slice(0, 300)}`;
}
