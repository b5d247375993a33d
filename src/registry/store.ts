// The one connection of a box to its Redis, by ioredis, which is there only where there is a registry. Nothing waits in it: a command
// that cannot be sent now fails now, one that is not answered in time fails then, and none is sent again behind anybody's back: those
// who ask know what to do meanwhile. It connects anew by itself, also when it finds that it talks to a primary that is none any more.
import { readFileSync } from "node:fs";
import { DolphinError, messageOf } from "../base/errors.js";
import type { RegistryBlock } from "../conf/meaning/config.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";
import { scripts, type Call } from "./scripts.js";

/** What the registry asks of its store; tests have others. */
export interface Store {
  run(call: Call): Promise<unknown>;
  get(key: string): Promise<string | null>;
  /** Gives the connection up, if one stands, and makes another: it does not answer. */
  renew(): void;
  close(): void;
}

export interface StoreEvents {
  /** A connection stands. */
  onConnected(): void;
  /** It is gone, or could not be made, or something about it is wrong: a sentence. Told again at each try. */
  onLost(reason: string): void;
}

type Scripted = (...args: readonly (string | number)[]) => Promise<unknown>;

/** What is used of ioredis. Said here, because where it did not install its types are missing too. */
interface Client extends Readonly<Record<keyof typeof scripts, Scripted>> {
  get(key: string): Promise<string | null>;
  on(event: string, run: (thrown?: unknown) => void): void;
  readonly options: object;
  disconnect(reconnects?: boolean): void;
  connect(): Promise<void>;
}

interface Ioredis {
  readonly Redis: new (options: object) => Client;
  readonly Cluster: new (servers: readonly object[], options: object) => Client;
}

/** No literal, so that the compiler does not look for the package either. */
const packageName: string = "ioredis";

const firstPauseMs = 50;
const longestPauseMs = 1_000;

/** The registry's servers, for people: without what lets one in. */
export function addressOf({ servers: { kind, servers, master, db, isTls } }: RegistryBlock): string {
  const scheme = `redis${isTls ? "s" : ""}${kind === "single" ? "" : `+${kind}`}`;
  return `${scheme}://${servers.map(formatEndpoint).join(",")}${master === "" ? "" : `/${master}`}${db === 0 ? "" : `/${db}`}`;
}

/** Begins to connect; that it may take long, or for ever, is nobody's concern here. Throws CONF_FILE and REGISTRY_CLIENT. */
export async function openStore(settings: RegistryBlock, events: StoreEvents): Promise<Store> {
  const { Redis, Cluster } = await load();
  const { kind, servers, master, db } = settings.servers;
  const common = commonOptions(settings);
  const nodes = servers.map(({ host, port }) => ({ host, port }));
  const client: { made: Client | null } = { made: null };
  const tries = new Tries();
  const pauseMs = (): number => {
    if (client.made !== null) freshen(client.made, settings);
    return tries.pauseMs();
  };
  if (kind === "cluster") {
    const how = { ...clusterOptions(settings), clusterRetryStrategy: pauseMs };
    client.made = new Cluster(nodes, { ...how, redisOptions: common, scripts: definitions(), lazyConnect: true });
  } else {
    const where = kind === "sentinel" ? { ...sentinelOptions(settings, pauseMs), sentinels: nodes, name: master } : { ...nodes[0] };
    const options = { ...common, ...where, db, retryStrategy: pauseMs, enableOfflineQueue: false };
    client.made = new Redis({ ...options, scripts: definitions(), lazyConnect: true });
  }
  return new RedisStore(client.made, tries, events);
}

async function load(): Promise<Ioredis> {
  try {
    return (await import(packageName)) as Ioredis;
  } catch (cause) {
    throw new DolphinError("REGISTRY_CLIENT", "a registry needs the package ioredis, which is not installed: npm install ioredis@6.0.0", {
      cause,
    });
  }
}

function commonOptions(settings: RegistryBlock): object {
  const { timeoutMs, servers } = settings;
  return {
    protocol: 2,
    ...(servers.username === null ? {} : { username: servers.username }),
    ...secretsOf(settings),
    commandTimeout: timeoutMs,
    connectTimeout: Math.max(1_000, timeoutMs),
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false, // needs a command more; a server that still loads says so to each
    disableClientInfo: true,
    keepAlive: 10_000,
    reconnectOnError: (error: Error) => /^(READONLY|NOAUTH|WRONGPASS)/.test(error.message),
  };
}

function clusterOptions({ timeoutMs }: RegistryBlock): object {
  return {
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRedirections: 3,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    slotsRefreshTimeout: Math.max(1_000, timeoutMs),
    slotsRefreshInterval: 10_000,
  };
}

function sentinelOptions(settings: RegistryBlock, pauseMs: () => number): object {
  const { sentinel, servers, timeoutMs } = settings;
  return {
    role: "master",
    ...(sentinel.username === null ? {} : { sentinelUsername: sentinel.username }),
    ...(servers.isTls ? { enableTLSForSentinelMode: true } : {}),
    sentinelRetryStrategy: pauseMs,
    sentinelReconnectStrategy: pauseMs,
    sentinelCommandTimeout: Math.max(1_000, timeoutMs),
    failoverDetector: false,
  };
}

/** What is read of files, and may be other at the next connection. Throws CONF_FILE. */
function secretsOf(settings: RegistryBlock): object {
  const { passwordFile, servers, sentinel } = settings;
  const password = passwordFile === null ? servers.password : secretIn("registry_password_file", passwordFile);
  const tls = servers.isTls ? tlsOptions(settings) : null;
  const common = { ...(password === null ? {} : { password }), ...(tls === null ? {} : { tls }) };
  if (servers.kind !== "sentinel") return common;
  const own = sentinel.passwordFile;
  const sentinelPassword = own === null ? sentinel.password : secretIn("registry_sentinel_password_file", own);
  return { ...common, ...(sentinelPassword === null ? {} : { sentinelPassword }), ...(tls === null ? {} : { sentinelTLS: tls }) };
}

/** Secrets may have been changed in their files: those that can be read go with the next connection. */
function freshen({ options }: Client, settings: RegistryBlock): void {
  try {
    const ofEach = (options as { redisOptions?: object }).redisOptions ?? options; // of a Redis Cluster
    Object.assign(ofEach, secretsOf(settings));
  } catch {
    // they are being written just now: it goes on with those that it has
  }
}

function tlsOptions({ tls: { ca, cert, key, serverName } }: RegistryBlock): object {
  return {
    ...(ca === null ? {} : { ca: fileOf("registry_tls_ca", ca) }),
    ...(cert === null ? {} : { cert: fileOf("registry_tls_cert", cert) }),
    ...(key === null ? {} : { key: fileOf("registry_tls_key", key) }),
    ...(serverName === null ? {} : { servername: serverName }),
  };
}

function secretIn(directive: string, path: string): string {
  return fileOf(directive, path).replace(/\r?\n$/, "");
}

function fileOf(directive: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw new DolphinError("CONF_FILE", `${directive}: ${path} cannot be read: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** Pauses before connections, longer each time until one of them was of use: a server that lets nobody in is not knocked at without end. */
class Tries {
  private count = 0;

  pauseMs(): number {
    this.count = Math.min(this.count + 1, 10);
    return Math.round(Math.min(firstPauseMs * 2 ** this.count, longestPauseMs) * (0.5 + Math.random() / 2));
  }

  answered(): void {
    this.count = 0;
  }
}

/** How many keys there are is said with each call. */
function definitions(): Record<string, { lua: string }> {
  return Object.fromEntries(Object.entries(scripts).map(([name, lua]) => [name, { lua }]));
}

class RedisStore implements Store {
  private readonly client: Client;
  private isConnected = false;
  private readonly tries: Tries;
  private isClosed = false;

  constructor(client: Client, tries: Tries, events: StoreEvents) {
    this.client = client;
    this.tries = tries;
    const closed = "the connection was closed";
    let reason = closed;
    const failed = (why: string): void => {
      reason = why;
      if (!this.isClosed) events.onLost(why); // of sentinels nothing but this is heard
    };
    client.on("sentinelError", (thrown) => failed(messageOf(thrown)));
    client.on("error", (thrown) => failed(messageOf((thrown as { lastNodeError?: unknown } | undefined)?.lastNodeError ?? thrown)));
    client.on("ready", () => {
      reason = closed;
      if (!this.isClosed) events.onConnected();
    });
    client.on("connect", () => (this.isConnected = true));
    client.on("close", () => {
      this.isConnected = false;
      if (!this.isClosed) events.onLost(reason);
    });
    client.connect().catch(() => undefined); // told by its events, and tried again
  }

  async run({ script, keys, args }: Call): Promise<unknown> {
    const answer = await this.client[script](keys.length, ...keys, ...args);
    this.tries.answered();
    return answer;
  }

  get(key: string): Promise<string | null> {
    return this.client.get(key);
  }

  renew(): void {
    if (this.isConnected && !this.isClosed) this.client.disconnect(true); // in the middle of asking a Sentinel it would end for good
  }

  close(): void {
    this.isClosed = true;
    this.client.disconnect();
  }
}
