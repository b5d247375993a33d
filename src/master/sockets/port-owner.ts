// Who listens on a port: the system's table of sockets names an inode, and the descriptors of every process that this user may
// look into say whose it is. Linux only, and for people only: nothing depends on the answer.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** `process 4711 (nginx)`; null where nobody listens, or the system does not tell this user. */
export function portOwner(port: number): string | null {
  const inodes = new Set(["tcp", "tcp6"].flatMap((table) => listeningInodes(read(`/proc/net/${table}`), port)));
  if (inodes.size === 0) return null;
  const pid = namesIn("/proc").find((name) => /^\d+$/.test(name) && hasSocket(name, inodes));
  return pid === undefined ? null : `process ${pid} (${read(`/proc/${pid}/comm`).trim()})`;
}

/** The inodes of listening sockets in `/proc/net/tcp` or `tcp6`: `sl local remote st queues timer retransmits uid timeout inode …`. */
export function listeningInodes(text: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) === true && fields[3] === "0A")
    .flatMap((fields) => fields[9] ?? []);
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
