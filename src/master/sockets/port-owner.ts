// Who listens on an address: the system's table of sockets names an inode, and the descriptors of every process that this user may
// look into say whose it is. Linux only, and for people only: nothing depends on the answer.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { addressText, canonicalAddress } from "../../codec/ip-address.js";
import type { Endpoint } from "../../conf/meaning/config.js";

export interface PortOwner {
  readonly pid: number;
  /** Of its program. */
  readonly name: string;
}

/** This process where it is one of them; null where nobody listens, or the system does not tell this user. */
export function portOwner(endpoint: Endpoint): PortOwner | null {
  const tables = endpoint.isV6Only === true ? ["tcp6"] : ["tcp", "tcp6"];
  const inodes = new Set(tables.flatMap((table) => listeningInodes(read(`/proc/net/${table}`), endpoint)));
  if (inodes.size === 0) return null;
  const processes = [String(process.pid), ...namesIn("/proc").filter((name) => /^\d+$/.test(name))];
  const pid = processes.find((name) => hasSocket(name, inodes));
  return pid === undefined ? null : { pid: Number(pid), name: read(`/proc/${pid}/comm`).trim() };
}

/**
 * The inodes of sockets that listen where one on `endpoint` would, in `/proc/net/tcp` or `tcp6`: `sl local remote st queues timer
 * retransmits uid timeout inode …`. A name may be any address.
 */
export function listeningInodes(text: string, { host, port }: Endpoint): string[] {
  const wanted = canonicalAddress(host);
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => {
      const [address = "", portHex = ""] = local.split(":");
      if (state !== "0A" || Number.parseInt(portHex, 16) !== port) return false;
      const known = addressOf(address);
      return known === wanted || isWildcard(known) || isWildcard(wanted) || !/[\d:]$/.test(wanted);
    })
    .flatMap((fields) => fields[9] ?? []);
}

/** The table writes an address as words of 32 bits in the order of the machine, which is the lowest byte first. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  return addressText(bytes.length % 4 === 0 ? bytes.swap32() : bytes);
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function hasSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  return namesIn(`/proc/${pid}/fd`).some((fd) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false; // closed while we looked
    }
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // another user's process, or one that has ended
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
