// `dolphin hls-backup` with stand-ins for srs: two nodes, whatever dies, show the same numbers, the same segments and the same bytes.
import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BackupProcess, StandIn, StrictReader, token, transportStream, type NodeOptions } from "../helpers/backup-pair.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { eventually } from "../helpers/wait.js";

const path = "live/livestream.m3u8";

interface Show {
  readonly a: BackupProcess;
  readonly b: BackupProcess;
  readonly servers: readonly [StandIn, StandIn];
  readonly reader: StrictReader;
  /** Servers that write nothing meanwhile. */
  readonly silent: Set<StandIn>;
  readonly other: (node: BackupProcess) => BackupProcess;
  readonly serverOf: (node: BackupProcess) => StandIn;
  readonly lead: () => Promise<BackupProcess>;
}

/** Two nodes and servers that write a segment each third of a second, and a strict reader at both. */
async function show(t: TestContext, options: NodeOptions = {}): Promise<Show> {
  let timer: NodeJS.Timeout | undefined;
  t.after(() => clearInterval(timer));
  const [a, b] = await BackupProcess.pair(t, options);
  await Promise.all([a.start(), b.start()]);
  const servers = [new StandIn(a), new StandIn(b)] as const;
  const silent = new Set<StandIn>();
  timer = setInterval(() => servers.forEach((server) => void (silent.has(server) ? null : server.segment(0.3))), 300);
  const reader = new StrictReader(t, [a, b], path);
  const other = (node: BackupProcess): BackupProcess => (node === a ? b : a);
  const serverOf = (node: BackupProcess): StandIn => servers[node === a ? 0 : 1];
  const lead = async (): Promise<BackupProcess> => ((await a.statusOf(path).catch(() => b.statusOf(path)))?.lead === "a" ? a : b);
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  return { a, b, servers, silent, reader, other, serverOf, lead };
}

test("hls-backup: both nodes show the same list; a server that dies is followed by the other one, behind one break, and not back", async (t) => {
  const { a, b, silent, reader, other, serverOf, lead } = await show(t);
  await eventually(async () => (await a.list(path))?.text === (await b.list(path))?.text, { what: "the same list at both" });
  const first = await lead();
  silent.add(serverOf(first));
  await eventually(async () => (await lead()) === other(first), { what: "another lead" });
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  serverOf(first).republish();
  silent.delete(serverOf(first));
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  assert.equal(await lead(), other(first));
  const { entries, text } = (await a.list(path))!;
  assert.equal(entries.filter(({ isDiscontinuous }) => isDiscontinuous).length, 1, text);
  // What its server says itself is quicker than its silence.
  const second = other(first);
  await serverOf(second).unpublish();
  silent.add(serverOf(second));
  await eventually(async () => (await lead()) === first, { what: "the first one again", timeoutMs: 1500 });
  await Promise.all([reader.more(a, 2), reader.more(b, 2)]);
  await reader.close();
  for (const node of [a, b]) {
    assert.deepEqual(
      node.lines.filter(({ level }) => level === "error" || level === "warn"),
      [],
    );
    await node.stop();
  }
});

test("hls-backup: a node that is killed is missed at no other, and comes back with the same numbers, lead or not", async (t) => {
  const { a, b, reader, other, lead } = await show(t);
  for (const who of ["lead", "follower"]) {
    const victim = who === "lead" ? await lead() : other(await lead());
    const rest = other(victim);
    await victim.stop("SIGKILL");
    await reader.more(rest, 4);
    await victim.start();
    await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
    assert.equal(await lead(), rest);
  }
  // Both at once: numbers go on growing.
  const told = (await a.statusOf(path))!.told;
  await Promise.all([a.stop("SIGKILL"), b.stop("SIGKILL")]);
  await Promise.all([a.start(), b.start()]);
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  assert.ok((await a.statusOf(path))!.told > told);
  await reader.close();
});

test("hls-backup: a lead that is restarted within the lease is followed by nobody, and leads on", async (t) => {
  const { a, b, reader, lead } = await show(t, { lease: 8 });
  const first = await lead();
  await first.stop();
  await first.start();
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  assert.equal(await lead(), first);
  await reader.close();
});

test("hls-backup: a node that stands still for long wakes up as a follower", async (t) => {
  const { a, b, reader, other, lead } = await show(t);
  const victim = await lead();
  process.kill(victim.pid, "SIGSTOP");
  await eventually(async () => (await other(victim).statusOf(path))?.lead === other(victim).name, { what: "another lead" });
  await reader.more(other(victim), 3);
  process.kill(victim.pid, "SIGCONT");
  await victim.waitFor("peer.joining");
  await Promise.all([reader.more(a, 3), reader.more(b, 3)]);
  assert.equal(await lead(), other(victim));
  await reader.close();
});

test("hls-backup: with a disk that takes nothing viewers of both nodes miss nothing, and it is told once", async (t) => {
  const { a, b, reader } = await show(t, { args: ["--disk", "1"], limit: "ulimit -f 0" });
  await Promise.all([reader.more(a, 5), reader.more(b, 5)]);
  await reader.close();
  for (const node of [a, b]) {
    assert.equal(node.lines.filter(({ code }) => code === "BACKUP_WRITE").length, 1);
    await node.stop();
  }
});

test("hls-backup: what is no segment, and whoever is no peer, gets nothing and disturbs nobody", async (t) => {
  const { a, b, reader } = await show(t);
  const server = new StandIn(a, "other");
  const outside = temporaryFolder(t);
  writeFileSync(join(outside, "secret.ts"), transportStream(1));
  const hostile = { action: "on_hls", client_id: "c", service_id: "s", duration: 1, seq_no: 0, m3u8_url: "live/other.m3u8", cwd: "/" };
  const call = async (body: string): Promise<number> => (await fetch(a.callerUrl("hooks"), { method: "POST", body })).status;
  symlinkSync("/etc/passwd", join(a.root, "passwd.ts"));
  symlinkSync(join(outside, "secret.ts"), join(a.root, "secret.ts"));
  writeFileSync(join(a.root, "text.ts"), "no stream");
  for (const file of [
    join(outside, "secret.ts"),
    `${a.root}/passwd.ts`,
    `${a.root}/secret.ts`,
    `${a.root}/text.ts`,
    "/dev/zero",
    a.root,
    `${a.root}/none.ts`,
  ])
    assert.equal(await call(JSON.stringify({ ...hostile, file })), 200, file);
  await eventually(() => a.lines.filter(({ event }) => event === "segment.refused").length === 7, { what: "seven refusals" });
  assert.equal(await call("{"), 400);
  assert.equal(await call("x".repeat(70_000)), 413);
  assert.equal((await fetch(a.url("live/other.m3u8"))).status, 404);
  // The peer's port: without the token, with a wrong one, with what is no report.
  const peer = `http://127.0.0.1:${a.ports.peer}`;
  const asPeer = (body: string, shown = token): Promise<Response> =>
    fetch(`${peer}/sync`, { method: "POST", body, headers: { Authorization: `Bearer ${shown}` } });
  assert.equal((await asPeer("{}", "")).status, 401);
  assert.equal((await asPeer("{}", `${token}x`)).status, 401);
  assert.equal((await asPeer("{}")).status, 400);
  assert.equal((await asPeer("x".repeat(2 << 20))).status, 413);
  const report = { node: "b", boot: "00", count: 1, session: "", streams: [], isWhole: true };
  assert.equal((await asPeer(JSON.stringify({ ...report, node: "a" }))).status, 409);
  for (const id of ["..%2f..%2fetc%2fpasswd", "none", `a_1_1_${"0".repeat(16)}`])
    assert.equal((await fetch(`${peer}/segments/${id}`, { headers: { Authorization: `Bearer ${token}` } })).status, 404);
  assert.equal((await fetch(a.url("live/%2e%2e/x.ts"))).status, 404);
  assert.equal((await fetch(a.url(path), { method: "POST" })).status, 405);
  for (const port of [a.ports.peer, a.ports.viewers, a.ports.hooks]) connect(port, "127.0.0.1").end("\u0016\u0003\u0001 no HTTP\r\n\r\n");
  assert.equal(await server.segment(), 200);
  await eventually(async () => (await b.list("live/other.m3u8")) !== null, { what: "the other stream at the peer" });
  await Promise.all([reader.more(a, 2), reader.more(b, 2)]);
  await reader.close();
  // Probes and metrics.
  assert.equal(await (await fetch(a.callerUrl("live"))).text(), "live\n");
  assert.equal((await fetch(a.callerUrl("ready"))).status, 200);
  assert.match(await (await fetch(a.callerUrl("metrics"))).text(), /^dolphin_backup_peer_linked 1$/m);
  await Promise.all([a.stop(), b.stop()]);
});

test("hls-backup: flags that cannot be are told all at once, and a folder that cannot be used ends the start", async (t) => {
  const folder = temporaryFolder(t);
  const usual = ["hls-backup", "--hls", folder, "--peer", "http://127.0.0.1:1"];
  const wrong = await runToItsEnd(t, [...usual, "--node", "A/b", "--lease", "0", "--listen", "x"], {
    env: { DOLPHIN_BACKUP_TOKEN: "short" },
  });
  assert.equal(wrong.code, 64);
  for (const word of ["--node", "--lease", "--listen", "16 characters"]) assert.match(wrong.stderr, new RegExp(word));
  writeFileSync(join(folder, "taken"), "");
  const unusable = await runToItsEnd(t, [...usual, "--state", join(folder, "taken/x")], { env: { DOLPHIN_BACKUP_TOKEN: token } });
  assert.equal(unusable.code, 73);
  assert.match(unusable.output, /BACKUP_WRITE/);
});
