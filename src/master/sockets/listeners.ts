// The public listening sockets. The master makes one per address and slot (a slot is the place of one child, whoever fills
// it) with SO_REUSEPORT and keeps it open: when a child dies its accept queue waits here for the replacement,
// and nobody is refused. A child gets a copy of its own for each start:
//
//   kept socket ──dup──► the primary's descriptor in `configure` ──child: listen({fd})──► cluster hands it over
//                        └ closed by the cluster module when the child leaves; by us when the child never came to listen
//
// A slot that will be empty for long is withdrawn, or the kernel would go on giving it connections that nobody takes.
// Sockets that a service manager gave are kept the same way, and only paused where others are closed: it goes on queueing
// in them while no process of ours runs. Without native sockets the addresses are only checked, and the cluster module listens and spreads.
//
//   socket-activation.ts   which address a manager's socket stands for ─▶ listeners.ts ─ listen, dup, close ─▶ native-socket.ts
//   port-owner.ts          who has a port that we do not get, for the sentence about it
import { lookup } from "node:dns/promises";
import { createServer, isIP } from "node:net";
import { DolphinError, errnoOf } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { isSameEndpoint } from "../../conf/meaning/endpoint.js";
import type { Listener } from "../../ipc/listener.js";
import type { NativeSockets } from "./native-socket.js";
import { portSentence } from "./port-sentence.js";

/** Connections that may wait to be accepted, per socket; the kernel caps it at net.core.somaxconn. */
const listenBacklog = 1024;

interface Place {
  readonly protocol: Listener["protocol"];
  /** As it was asked for. */
  readonly wanted: Endpoint;
  readonly endpoint: Endpoint;
  /** The kept socket, or null while it is withdrawn or where there are no native sockets. */
  kept: number | null;
  /** The service manager's socket that is kept here, perhaps at other places too; null: one of our own, made as needed. */
  readonly given: number | null;
}

/** A socket that is listening already. */
export interface GivenListener {
  readonly fd: number;
  readonly endpoint: Endpoint;
}

/** A socket of a master before this one, for one slot of an address. */
export interface InheritedListener extends GivenListener {
  readonly protocol: Listener["protocol"];
  /** As it was asked for. */
  readonly wanted: Endpoint;
}

interface Copy {
  readonly fd: number;
  readonly identity: bigint | null;
}

/** All listening sockets of the master. Close it once; the copies that children hold live on until they leave. */
export class Listeners {
  private readonly native: NativeSockets | null;
  private readonly places = new Map<string, Place[]>();
  private readonly copies = new Map<string, Copy[]>();
  private readonly given: readonly GivenListener[];
  private inherited: readonly InheritedListener[];
  private isClosed = false;

  /**
   * What a service manager gave is used for its addresses, and closed in the end; what a master before this one gave likewise, until
   * `settle`. Without native sockets there can be none of both.
   */
  constructor(native: NativeSockets | null, given: readonly GivenListener[] = [], inherited: readonly InheritedListener[] = []) {
    this.native = native;
    this.given = given;
    this.inherited = inherited;
  }

  /**
   * Takes an address for the slots and returns it with its numeric host, and its port where 0 was asked for.
   * Throws CHILD_LISTEN with the system's error as cause: EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND.
   */
  async add(protocol: Listener["protocol"], wanted: Endpoint, slots: readonly string[]): Promise<Endpoint> {
    const given = this.given.filter(({ endpoint }) => isSameEndpoint(endpoint, wanted));
    if (given.length > 0) {
      this.share(protocol, wanted, given, slots);
      return wanted;
    }
    const inherited = this.inherited.filter((one) => one.protocol === protocol && isSameEndpoint(one.wanted, wanted));
    // SO_REUSEPORT would share the port with another instance in silence: a plain listen finds out first.
    const endpoint = inherited[0]?.endpoint ?? (await probe(wanted));
    for (const [at, slot] of slots.entries()) {
      const kept = inherited[at]?.fd ?? this.native?.listen(endpoint, listenBacklog) ?? null;
      this.put(slot, { protocol, wanted, endpoint, kept, given: null });
    }
    this.inherited = this.inherited.filter((one) => !inherited.slice(0, slots.length).includes(one));
    return endpoint;
  }

  /** All addresses that are wanted have been taken: what a master before this one listened on besides is closed here. */
  settle(): void {
    for (const { fd } of this.inherited) this.native?.close(fd);
    this.inherited = [];
  }

  /** The sockets of these slots, for a master that takes the place of this one; both may listen on them. */
  handOn(slots: readonly string[]): (InheritedListener & { readonly isGiven: boolean })[] {
    const places = slots.flatMap((slot) => this.places.get(slot) ?? []);
    const handed = places.flatMap(({ protocol, wanted, endpoint, kept, given }) =>
      kept === null ? [] : [{ protocol, wanted, endpoint, fd: kept, isGiven: given !== null }],
    );
    return [...new Map(handed.map((one) => [one.fd, one])).values()];
  }

  /** After somebody else has listened on them: the kernel forgets nobody who waits, however that one ended. */
  listenAgain(): void {
    for (const { kept } of this.allPlaces()) if (kept !== null) this.native?.setBacklog(kept, listenBacklog);
  }

  /**
   * Takes an address for a slot that follows another, and returns it as `add` does. An address that both have is one socket for
   * both: what waits in its queue is accepted by whoever comes first. Throws CHILD_LISTEN for a new address that cannot be had.
   */
  async inherit(protocol: Listener["protocol"], wanted: Endpoint, slot: string, from: string | null): Promise<Endpoint> {
    const isSame = (place: Place): boolean => place.protocol === protocol && isSameEndpoint(place.wanted, wanted);
    const known = this.allPlaces().find(isSame);
    const endpoint = known?.endpoint ?? (await probe(wanted));
    const shared = (from === null ? [] : (this.places.get(from) ?? [])).filter(isSame);
    // A socket that was given from outside is shared: another one on its address may not be had.
    if (shared.length === 0 && known !== undefined && known.given !== null) shared.push(this.leastShared(isSame) ?? known);
    if (shared.length === 0) {
      shared.push({ protocol, wanted, endpoint, kept: this.native?.listen(endpoint, listenBacklog) ?? null, given: null });
    }
    for (const place of shared) this.put(slot, place);
    return endpoint;
  }

  /** The addresses of a slot, in the order in which they were taken. */
  addressesOf(slot: string): Pick<Listener, "protocol" | "endpoint">[] {
    return (this.places.get(slot) ?? []).map(({ protocol, endpoint }) => ({ protocol, endpoint }));
  }

  /** A slot will not be filled again: its sockets are closed, but for those that another slot has inherited. */
  forget(slot: string): void {
    const places = this.places.get(slot) ?? [];
    this.places.delete(slot);
    const left = new Set(this.allPlaces());
    for (const place of places) if (!left.has(place)) this.closeKept(place);
  }

  /** What the next child in the slot listens on; withdrawn sockets are made anew (throws CHILD_LISTEN). */
  give(slot: string): Listener[] {
    this.reclaim(slot);
    const { native } = this;
    const copies: Copy[] = [];
    this.copies.set(slot, copies);
    return (this.places.get(slot) ?? []).map((place) => {
      const { protocol, endpoint } = place;
      if (native === null || this.isClosed) return { protocol, endpoint, fd: null };
      place.kept ??= open(native, place);
      const fd = native.duplicate(place.kept);
      copies.push({ fd, identity: native.identity(fd) });
      return { protocol, endpoint, fd };
    });
  }

  /** To be called when the child of a slot listens: Node sets a backlog of its own on a descriptor that it is given. */
  restoreBacklog(slot: string): void {
    for (const { kept } of this.places.get(slot) ?? []) if (kept !== null) this.native?.setBacklog(kept, listenBacklog);
  }

  /** Closes what was given to a child of the slot that is gone, unless the cluster module took it over and closed it. */
  reclaim(slot: string): void {
    for (const { fd, identity } of this.copies.get(slot) ?? []) {
      // The number may be another file's by now; only the socket itself is ours to close.
      if (this.native !== null && identity !== null && this.native.identity(fd) === identity) this.native.close(fd);
    }
    this.copies.delete(slot);
  }

  /** Stops the kernel from giving connections to a slot that nobody serves. Those in its queue are reset. */
  withdraw(slot: string): void {
    this.reclaim(slot);
    for (const place of this.places.get(slot) ?? []) this.closeKept(place);
  }

  /** Stops accepting for good; children that still listen are asked by others. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.settle();
    for (const place of new Set(this.allPlaces())) {
      if (place.kept !== null && place.given === null) this.native?.close(place.kept);
    }
    for (const { fd } of this.given) {
      // One that was paused takes connections for whoever comes after us.
      if (!this.isKept(fd)) this.native?.setBacklog(fd, listenBacklog);
      this.native?.close(fd);
    }
    for (const place of this.allPlaces()) place.kept = null;
  }

  /** One that was given from outside stays open for whoever comes after us. */
  private closeKept(place: Place): void {
    const { kept, given } = place;
    place.kept = null;
    if (kept === null) return;
    if (given === null) this.native?.close(kept);
    else if (!this.isKept(given)) this.native?.pause(given);
  }

  /** With fewer sockets than slots some slots share one, and the kernel then spreads connections unevenly. */
  private share(protocol: Listener["protocol"], wanted: Endpoint, given: readonly GivenListener[], slots: readonly string[]): void {
    if (slots.length === 0) return;
    for (let turn = 0; turn < Math.max(given.length, slots.length); turn++) {
      const fd = given[turn % given.length]?.fd ?? null;
      this.put(slots[turn % slots.length] ?? "", { protocol, wanted, endpoint: wanted, kept: fd, given: fd });
    }
  }

  /** Of the places that fulfil the condition the one that the fewest slots have. */
  private leastShared(isWanted: (place: Place) => boolean): Place | undefined {
    const places = this.allPlaces().filter(isWanted);
    const countOf = (place: Place): number => places.filter((one) => one === place).length;
    return places.sort((one, other) => countOf(one) - countOf(other))[0];
  }

  private put(slot: string, place: Place): void {
    this.places.set(slot, [...(this.places.get(slot) ?? []), place]);
  }

  private allPlaces(): Place[] {
    return [...this.places.values()].flat();
  }

  private isKept(given: number): boolean {
    return this.allPlaces().some(({ kept }) => kept === given);
  }
}

function open(native: NativeSockets, { endpoint, given }: Place): number {
  if (given === null) return native.listen(endpoint, listenBacklog);
  native.setBacklog(given, listenBacklog);
  return given;
}

/** Listens and closes again, to learn whether an address can be had, and its numbers. */
async function probe(wanted: Endpoint): Promise<Endpoint> {
  try {
    const host = isIP(wanted.host) === 0 ? (await lookup(wanted.host)).address : wanted.host;
    try {
      return await listenOnce({ ...wanted, host });
    } catch (thrown) {
      const isWithoutIPv6 = ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(errnoOf(thrown) ?? "");
      if (host !== "::" || wanted.isV6Only === true || !isWithoutIPv6) throw thrown;
      return await listenOnce({ host: "0.0.0.0", port: wanted.port }); // a machine without IPv6
    }
  } catch (thrown) {
    throw new DolphinError("CHILD_LISTEN", portSentence(wanted, thrown), { cause: thrown });
  }
}

function listenOnce(endpoint: Endpoint): Promise<Endpoint> {
  const { host, port, isV6Only = false } = endpoint;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, ipv6Only: isV6Only, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      server.close(() => resolve({ ...endpoint, port: bound }));
    });
  });
}
