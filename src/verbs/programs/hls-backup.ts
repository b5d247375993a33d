// dolphin hls-backup: beside each of two servers, so that the HLS of one goes on from the other.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { messageOf } from "../../base/errors.js";
import { exitCodes } from "../../base/exit-codes.js";
import { printable } from "../../base/printable.js";
import { complain, type AddVerb } from "../verb.js";

interface BackupFlags {
  readonly peer: string;
  readonly hls: string;
  readonly tokenFile?: string;
  readonly node?: string;
  readonly listen: string;
  readonly peerListen: string;
  readonly hooks: string;
  readonly state: string;
  readonly window: string;
  readonly lease: string;
  readonly disk: string;
  readonly memory: string;
}

const tokenVariable = "DOLPHIN_BACKUP_TOKEN";
const fewestTokenChars = 16;

export const addHlsBackup: AddVerb = (program, end) => {
  program
    .command("hls-backup")
    .description("serve the HLS of two servers as one: a node beside each, the same list and bytes at both (docs/hls-backup.md)")
    .requiredOption("--peer <url>", "the other node, where it listens for its peer: http://HOST:8089")
    .requiredOption("--hls <folder>", "the hls_path of the server beside this node")
    .option("--token-file <file>", `the word that both nodes share, of 16 characters or more; else $${tokenVariable}`)
    .option("--node <name>", "the name of this node, of small letters and digits; not the peer's (default: that of the machine)")
    .option("--listen <address>", "for viewers", "8088")
    .option("--peer-listen <address>", "for the peer", "8089")
    .option("--hooks <address>", "for the server's hooks, probes and metrics", "127.0.0.1:8085")
    .option("--state <folder>", "what is remembered, and the segments", "../objs/hls-backup")
    .option("--window <seconds>", "the length of the list", "60")
    .option("--lease <seconds>", "how long the peer may be silent before this node goes on without it", "3")
    .option("--disk <MiB>", "what segments may take of the disk", "10240")
    .option("--memory <MiB>", "what segments may take of memory", "256")
    .action(async (flags: BackupFlags) => end(await hlsBackup(flags)));
};

async function hlsBackup(flags: BackupFlags): Promise<number> {
  const wrong: string[] = [];
  const node =
    flags.node ??
    hostname()
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, "")
      .slice(0, 32);
  if (!/^[a-z0-9]{1,32}$/.test(node)) wrong.push(`--node ${node} is no name of a node: 1 to 32 small letters and digits`);
  const peer = URL.canParse(flags.peer) ? new URL(flags.peer) : null;
  if (peer === null || !/^https?:$/.test(peer.protocol)) wrong.push(`--peer ${flags.peer} is no URL of http or https: http://HOST:8089`);
  const token = tokenOf(flags.tokenFile, wrong);
  const address = (flag: string, text: string): { host: string; port: number } => {
    const [, host = "", port = ""] = /^(?:(.*):)?(\d{1,5})$/.exec(text) ?? [];
    if (port === "" || Number(port) > 65_535 || Number(port) === 0) wrong.push(`${flag} ${text} is no address: PORT or HOST:PORT`);
    return { host: host === "" ? "0.0.0.0" : host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
  };
  const number = (flag: string, text: string, [least, most]: readonly [number, number]): number => {
    const value = Number(text);
    if (!(value >= least && value <= most)) wrong.push(`${flag} ${text} is not between ${least} and ${most}`);
    return value;
  };
  const settings = {
    node,
    peer: peer ?? new URL("http://none"),
    token,
    root: resolve(flags.hls),
    folder: resolve(flags.state),
    listen: address("--listen", flags.listen),
    peerListen: address("--peer-listen", flags.peerListen),
    hooks: address("--hooks", flags.hooks),
    windowMs: number("--window", flags.window, [3, 900]) * 1000,
    leaseMs: number("--lease", flags.lease, [1, 60]) * 1000,
    diskBytes: number("--disk", flags.disk, [1, 1 << 24]) * 2 ** 20,
    memoryBytes: number("--memory", flags.memory, [1, 1 << 16]) * 2 ** 20,
  };
  for (const sentence of wrong) complain(printable(sentence));
  if (wrong.length > 0) return exitCodes.usage;
  // Loaded only here, so that the other verbs do not wait for it.
  const { runBackup } = await import("../../roles/backup.js");
  return runBackup(settings);
}

function tokenOf(file: string | undefined, wrong: string[]): string {
  let token = process.env[tokenVariable] ?? "";
  try {
    if (file !== undefined) token = readFileSync(file, "utf8");
  } catch (thrown) {
    wrong.push(`the file of --token-file cannot be read: ${messageOf(thrown)}`);
    return "";
  }
  token = token.trim();
  if (!/^[\x21-\x7e]*$/.test(token)) wrong.push("the token has characters that no header can carry: letters and digits are safe");
  else if (token.length < fewestTokenChars)
    wrong.push(`the two nodes need a token of ${fewestTokenChars} characters or more: --token-file FILE, or $${tokenVariable}`);
  return token;
}
