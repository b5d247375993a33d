// Two nodes of `dolphin hls-backup` with what they need: each beside a server that is ours or a stand-in for srs, and readers who hold
// what they are shown to the rules of a list.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { projectRoot, start, type Child } from "./child.js";
import type { Cleanup, LogLine } from "./dolphin.js";
import { temporaryFolder } from "./launch.js";
import { parseList, type ReadList } from "./packages.js";
import { freePort } from "./ports.js";
import { eventually } from "./wait.js";

export const token = "a-token-of-two-nodes";

export interface NodeOptions {
  readonly lease?: number;
  /** Arguments in place of the usual ones, or beside them. */
  readonly args?: readonly string[];
  /** What goes before the command: a limit of the shell. */
  readonly limit?: string;
}

/** After which a node is taken for dead. */
const patienceMs = 1000;

/** One node. */
export class BackupProcess {
  readonly name: string;
  readonly folder: string;
  /** Where the server beside it writes. */
  readonly root: string;
  readonly ports: { readonly viewers: number; readonly peer: number; readonly hooks: number };
  peerPort = 0;
  private readonly options: NodeOptions;
  private child: Child | null = null;
  readonly lines: LogLine[] = [];

  private constructor(name: string, folder: string, ports: BackupProcess["ports"], options: NodeOptions) {
    this.name = name;
    this.folder = folder;
    this.root = join(folder, "html");
    this.ports = ports;
    this.options = options;
    mkdirSync(this.root, { recursive: true });
  }

  /** Two nodes that are each other's peer, not started yet. */
  static async pair(t: Cleanup, options: NodeOptions = {}): Promise<[BackupProcess, BackupProcess]> {
    const made: BackupProcess[] = [];
    // Before their folders go: what is done after a test is done in the order in which it was asked for.
    t.after(async () => void (await Promise.all(made.map((node) => node.stop("SIGKILL")))));
    const make = async (name: string): Promise<BackupProcess> => {
      const ports = { viewers: await freePort(), peer: await freePort(), hooks: await freePort() };
      const node = new BackupProcess(name, temporaryFolder(t), ports, options);
      made.push(node);
      return node;
    };
    const [a, b] = [await make("a"), await make("b")];
    a.peerPort = b.ports.peer;
    b.peerPort = a.ports.peer;
    return [a, b];
  }

  /** Starts it and waits until it serves. */
  async start(): Promise<void> {
    const { viewers, peer, hooks } = this.ports;
    const at = (port: number): string => `127.0.0.1:${port}`;
    const words = ["--peer", `http://${at(this.peerPort)}`, "--hls", this.root, "--node", this.name, "--state", join(this.folder, "state")];
    const addresses = ["--listen", at(viewers), "--peer-listen", at(peer), "--hooks", at(hooks)];
    const command = [join(projectRoot, "bin/dolphin.js"), "hls-backup", ...words, ...addresses, "--lease", String(this.options.lease ?? 1)];
    const { limit, args = [] } = this.options;
    const all = limit === undefined ? [process.execPath] : ["/bin/sh", "-c", `${limit}; exec "$@"`, "sh", process.execPath];
    const [program = "", ...rest] = [...all, ...command, ...args];
    const from = this.lines.length;
    this.child = start(program, rest, { cwd: this.folder, env: { DOLPHIN_BACKUP_TOKEN: token }, onLine: (line) => this.read(line) });
    await this.waitFor("backup.ready", from);
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.child === null) return;
    const ending = await this.child.stop(signal, 5000);
    if (signal === "SIGTERM") assert.deepEqual(ending, { code: 0, signal: null }, this.child.output());
    this.child = null;
  }

  waitFor(event: string, from = 0): Promise<LogLine> {
    return eventually(() => this.lines.slice(from).find((line) => line.event === event), { what: `${event} of node ${this.name}` });
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.ports.viewers}/${path}`;
  }

  callerUrl(path: string): string {
    return `http://127.0.0.1:${this.ports.hooks}/${path}`;
  }

  /** What it tells of a stream; null: it has none. */
  async statusOf(path: string): Promise<StreamStatus | null> {
    const { streams } = (await (await fetch(this.callerUrl("status"))).json()) as { readonly streams: readonly StreamStatus[] };
    return streams.find((one) => one.path === path) ?? null;
  }

  async list(path: string): Promise<ReadList | null> {
    const response = await fetch(this.url(path), { signal: AbortSignal.timeout(patienceMs) });
    return response.status === 200 ? parseList(await response.text()) : null;
  }

  private read(line: string): void {
    try {
      this.lines.push(JSON.parse(line) as LogLine);
    } catch {
      // what a shell says
    }
  }
}

interface StreamStatus {
  readonly path: string;
  readonly lead: string;
  readonly term: number;
  readonly told: number;
  readonly isLive: boolean;
}

/** Stands in for an srs: writes segments into a node's folder and calls it, with the bodies of SRS 7. */
export class StandIn {
  readonly node: BackupProcess;
  readonly stream: string;
  client = 1;
  private sequence = 0;

  constructor(node: BackupProcess, stream = "livestream") {
    this.node = node;
    this.stream = stream;
  }

  /** Another publish: numbers begin anew, as SRS's do. */
  republish(): void {
    this.client += 1;
    this.sequence = 0;
  }

  /** Writes the next segment and tells of it; gives the status of the answer, or null where nobody answers. */
  async segment(seconds = 1, bytes = transportStream(this.sequence)): Promise<number | null> {
    const file = `live/${this.stream}-${this.client}-${this.sequence}.ts`;
    mkdirSync(join(this.node.root, "live"), { recursive: true });
    writeFileSync(join(this.node.root, file), bytes);
    const status = await this.hook("on_hls", {
      duration: seconds,
      cwd: dirname(this.node.root),
      file: `./html/${file}`,
      url: file,
      seq_no: this.sequence,
    });
    this.sequence += 1;
    return status;
  }

  unpublish(): Promise<number | null> {
    return this.hook("on_unpublish", {});
  }

  private async hook(action: string, more: object): Promise<number | null> {
    const { stream, client } = this;
    const about = {
      server_id: "vid-hk",
      service_id: "2k48z3a8",
      client_id: `c${client}`,
      ip: "127.0.0.1",
      vhost: "__defaultVhost__",
      app: "live",
      stream,
    };
    const list = { m3u8: `./html/live/${stream}.m3u8`, m3u8_url: `live/${stream}.m3u8` };
    const body = JSON.stringify({ action, ...about, ...list, ...more });
    const asked = fetch(this.node.callerUrl("hooks"), { method: "POST", body, headers: { "Content-Type": "application/json" } });
    return asked.then(
      ({ status }) => status,
      () => null,
    );
  }
}

/** A transport stream of tables and random bytes, other ones for each number. */
export function transportStream(seed: number, packets = 40): Buffer {
  const out = Buffer.alloc(188 * packets, 0xff);
  for (let at = 0; at < out.length; at += 188) out.set([0x47, 0x1f, 0xff, 0x10], at);
  out.set(Buffer.from("474000100000b00d0001c100000001f0012ab104b2", "hex"), 0);
  out.set(Buffer.from("475001100002b0120001c10000e100f0001be100f00015bd4d56", "hex"), 188);
  out.writeUInt32BE(seed, 188 * 2 + 8);
  return out;
}

/** Follows a stream at several nodes, and fails as soon as one shows what no list may. */
export class StrictReader {
  /** By URL below a node: whoever asks for it has to get these bytes. */
  private readonly sums = new Map<string, string>();
  private readonly nodes: readonly BackupProcess[];
  private readonly path: string;
  private readonly seen: Map<string, Map<number, string>>;
  private readonly first = new Map<string, number>();
  private isOver = false;
  private readonly reading: Promise<void>[];
  private broken: Error | null = null;

  constructor(t: Cleanup, nodes: readonly BackupProcess[], path: string) {
    t.after(() => void (this.isOver = true));
    this.nodes = nodes;
    this.path = path;
    this.seen = new Map(nodes.map(({ name }) => [name, new Map()]));
    this.reading = nodes.map((node) => this.follow(node));
  }

  /** How many numbers a node has shown. */
  count(node: BackupProcess): number {
    return this.seen.get(node.name)!.size;
  }

  /** Waits until a node has shown so many more; fails if anything was wrong until then. */
  async more(node: BackupProcess, segments: number, timeoutMs = 30_000): Promise<void> {
    const from = this.count(node);
    const isThere = (): boolean => {
      if (this.broken !== null) return true;
      return this.count(node) >= from + segments;
    };
    await eventually(isThere, { timeoutMs, what: `${segments} more segments at node ${node.name}` });
    if (this.broken !== null) throw this.broken;
  }

  /** Ends it; fails if anything was wrong, or the two nodes gave one number to two segments. */
  async close(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.reading);
    if (this.broken !== null) throw this.broken;
    const [one, other] = this.nodes.map(({ name }) => this.seen.get(name)!);
    for (const [number, uri] of one ?? []) {
      const same = other?.get(number);
      if (same !== undefined) assert.equal(same, uri, `number ${number}`);
    }
  }

  private async follow(node: BackupProcess): Promise<void> {
    while (!this.isOver && this.broken === null) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      const list = await node.list(this.path).catch(() => null); // dead, or not there yet
      try {
        if (list !== null) await this.check(node, list);
      } catch (thrown) {
        this.broken = thrown instanceof Error ? thrown : new Error(String(thrown));
      }
    }
  }

  private async check(node: BackupProcess, list: ReadList): Promise<void> {
    const seen = this.seen.get(node.name)!;
    assert.ok(list.sequence >= (this.first.get(node.name) ?? 0), `${node.name}: the list went back:\n${list.text}`);
    this.first.set(node.name, list.sequence);
    const young = new Map<number, string>();
    for (const [index, { uri, seconds }] of list.entries.entries()) {
      assert.ok(Math.round(seconds) <= list.targetSeconds, list.text);
      const number = list.sequence + index;
      const before = seen.get(number);
      if (before === undefined) young.set(number, uri);
      else assert.equal(uri, before, `${node.name}: number ${number} has changed`);
    }
    // All at once: a node that stands still must not keep the reader from what leaves the list of the other one meanwhile.
    await Promise.all([...young.values()].flatMap((uri) => this.nodes.map((at) => this.fetch(at, uri, at === node))));
    for (const [number, uri] of young) seen.set(number, uri);
  }

  /** The bytes of a segment are the same wherever they are had; who shows it has to have it. */
  private async fetch(node: BackupProcess, uri: string, isShown: boolean): Promise<void> {
    const path = `${dirname(this.path)}/${uri}`;
    const response = await fetch(node.url(path), { signal: AbortSignal.timeout(patienceMs) }).catch(() => null);
    if (response === null) return; // the node is dead
    if (!isShown && response.status === 404) return void (await response.arrayBuffer());
    assert.equal(response.status, 200, `${node.name}: ${path}`);
    const body = await response.arrayBuffer().catch(() => null);
    if (body === null) return;
    const sum = createHash("sha256").update(new Uint8Array(body)).digest("hex");
    assert.equal(sum, this.sums.get(path) ?? sum, `${path} has other bytes at ${node.name}`);
    this.sums.set(path, sum);
  }
}
