// Connects to a server of this machine within one call. Over the loopback the kernel has shaken hands, or has been refused, when
// `connect` returns, so there is nothing to wait for: no socket of node's, no watch, no turn of the event loop.
import { constants } from "node:os";
import { addressBytes } from "../../codec/ip-address.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { NONBLOCK_CLOEXEC, type SpliceCalls } from "./splice-calls.js";

// sys/socket.h, netinet/in.h, netinet/tcp.h; the same on x64 and arm64.
const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const { EINPROGRESS } = constants.errno;

const on = Int32Array.of(1);
/** Those of servers that have been connected to. */
const addresses = new WeakMap<Endpoint, Buffer>();

/**
 * The descriptor of a connection to which `preface` was written, without Nagle's delay: the caller's. Null: the server refuses, or
 * does not answer at once, as one whose queue is full, or is not at an IPv4 address of the loopback: nothing answers at once over a
 * network, and each try would be a packet for nothing.
 */
export function dial(calls: SpliceCalls, server: Endpoint, preface: Buffer | null): number | null {
  const address = addressOf(server);
  if (address === null) return null;
  const fd = calls.socket(AF_INET, SOCK_STREAM | NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return null;
  if (isConnected(calls, fd, address) && calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, on.byteLength) === 0) {
    if (preface === null || calls.write(fd, preface, preface.length) === preface.length) return fd;
  }
  calls.close(fd);
  return null;
}

/** The first call begins, and the second one tells whether that was all. */
function isConnected(calls: SpliceCalls, fd: number, address: Buffer): boolean {
  if (calls.connect(fd, address, address.length) === 0) return true;
  return calls.errno() === EINPROGRESS && calls.connect(fd, address, address.length) === 0;
}

/** `struct sockaddr_in` {family, port, address, nothing}; null: it is none of 127.0.0.0/8. */
function addressOf(server: Endpoint): Buffer | null {
  const known = addresses.get(server);
  if (known !== undefined) return known;
  const host = addressBytes(server.host);
  if (host?.length !== 4 || host[0] !== 127) return null;
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(server.port, 2);
  host.copy(address, 4);
  addresses.set(server, address);
  return address;
}
