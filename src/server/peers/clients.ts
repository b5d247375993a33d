// Who plays or publishes in this process, and whom a new configuration sends away. A name that a client asked for leads to
// a vhost; when it leads to another one now, or to none, the client must come back to find its place.
import type { DolphinError } from "../../base/errors.js";
import { defaultVhost } from "../../base/host-name.js";
import { mediaStreamId } from "../../codec/rtmp/message.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { ClientReport } from "../../ipc/lists.js";

/** Somebody who plays or publishes. */
export interface Client {
  readonly does: "play" | "publish";
  readonly protocol: "rtmp" | "flv" | "hls";
  /** The name of the vhost as it was asked for. */
  readonly asked: string;
  /** The vhost that served this name, as it was then. */
  readonly vhost: Vhost;
  /** Names the client in lists, hooks and acts: see {@link sessionIdOf}. */
  readonly id: string;
  /** Its place among those who have come to this process; it only grows. */
  readonly order: number;
  /** What lists tell of it; null for the box's own pulls and pushes, which are nobody's clients. */
  report(): ClientReport | null;
  /** Tells the client why it must leave, and closes the connection. */
  dismiss(reason: DolphinError): void;
  /** Leaves the client to another process; false where that cannot be, now or ever. */
  letGo(): boolean;
}

/**
 * The id of what a connection plays or publishes: the connection's own id in logs, and of what it has on another message stream than
 * its first, the stream's number besides. It stays the same wherever the connection is carried to.
 */
export function sessionIdOf(conn: string, streamId: number): string {
  return streamId === mediaStreamId ? conn : `${conn}.${streamId}`;
}

/** The vhost that serves this name, in capitals or not: its own, or the default one; null when there is none or it is disabled. */
export function vhostFor(name: string, vhosts: readonly Vhost[]): Vhost | null {
  const wanted = name.toLowerCase();
  const vhost = vhosts.find((one) => one.name.toLowerCase() === wanted) ?? vhosts.find((one) => one.name === defaultVhost);
  return vhost?.enabled === true ? vhost : null;
}

/** Why a client cannot stay where these are the vhosts; null: they do not concern it. */
export function whyLeave({ does, protocol, asked, vhost }: Client, vhosts: readonly Vhost[]): string | null {
  const now = vhostFor(asked, vhosts);
  if (now === null) return `no vhost serves the name ${asked} any more`;
  if (now.name !== vhost.name) return `the name ${asked} leads to the vhost ${now.name} now`;
  if (protocol === "flv" && !now.httpRemux.enabled) return `the vhost ${now.name} has no http_remux any more`;
  if (protocol === "hls" && now.hls?.hasSessions !== true) return `the vhost ${now.name} has no sessions of HLS any more`;
  if (does === "publish" && now.cluster.mode !== vhost.cluster.mode) return `the vhost ${now.name} is of mode ${now.cluster.mode} now`;
  return null;
}
