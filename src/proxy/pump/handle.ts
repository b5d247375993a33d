// What node keeps behind its sockets and listeners. Where bytes go past node, a socket of node's would only be made to be taken
// apart again, and this is what it is made of.
import type { Server, Socket } from "node:net";
import { peerAddress, type SocketAddress } from "../../codec/ip-address.js";

/** An open connection, as far as pumps need it. */
export interface SocketHandle {
  readonly fd: number;
  reading?: boolean;
  readStop(): number;
  setNoDelay(isOn: boolean): number;
  /** Both fill `into`; 0, or an error's number. */
  getpeername(into: HandleAddress): number;
  getsockname(into: HandleAddress): number;
  close(): void;
}

/** As node's handles tell an address. */
interface HandleAddress {
  address?: string;
  port?: number;
}

interface ListenerHandle {
  onconnection(error: number, client: SocketHandle | undefined): void;
}

/** The handle that node keeps behind an open socket. */
export function handleOf(socket: Socket): SocketHandle | null {
  return (socket as unknown as { readonly _handle: SocketHandle | null })._handle;
}

/** Who has opened a connection that was just accepted; null: the peer has gone already. */
export function peerOf(client: SocketHandle): SocketAddress | null {
  const { address, port } = told((into) => client.getpeername(into));
  return peerAddress({ remoteAddress: address, remotePort: port });
}

/** The address that the client of a connection connected to. */
export function localOf(client: SocketHandle): SocketAddress {
  const { address = "", port = 0 } = told((into) => client.getsockname(into));
  return { host: address, port };
}

/** Lets a socket go without closing its handle, which is the caller's from now on. */
export function detachHandle(socket: Socket): SocketHandle | null {
  const holder = socket as unknown as { _handle: SocketHandle | null };
  const handle = holder._handle;
  holder._handle = null;
  socket.destroy(); // without a handle nothing is closed, and the listener stops counting it
  return handle;
}

/**
 * Offers what a server that listens accepts to `take` first; a connection that it does not take, with false, becomes a socket as
 * usual. Where node has no such handle behind the server, all do.
 */
export function offerHandles(server: Server, take: (client: SocketHandle) => boolean): void {
  const handle = (server as unknown as { readonly _handle: Partial<ListenerHandle> | null })._handle;
  const asUsual = handle?.onconnection;
  if (handle === null || asUsual === undefined) return;
  handle.onconnection = function (error, client) {
    if (error !== 0 || client === undefined || !take(client)) asUsual.call(this as ListenerHandle, error, client);
  };
}

function told(ask: (into: HandleAddress) => number): HandleAddress {
  const into: HandleAddress = {};
  ask(into); // what cannot be told is not there
  return into;
}
