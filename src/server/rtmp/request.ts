// What `publish` and `play` have in common before anything begins: a name that is one, a vhost that serves it, and that lets in whoever
// is new. Own edges ask for somebody whom they have let in.
import { DolphinError } from "../../base/errors.js";
import type { AmfValue } from "../../codec/rtmp/amf0.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { ClientReport } from "../../ipc/lists.js";
import { checkAccess } from "../peers/access.js";
import { requestOf, type Asked } from "../peers/caller.js";
import { sessionIdOf, type Client } from "../peers/clients.js";
import { clientOf } from "../peers/peer.js";
import { namesOf } from "./connection.js";
import type { EntryOwner } from "./entry.js";
import { reportOf } from "./showing.js";

/** Whose message stream asks. */
interface Asking extends EntryOwner {
  letGo(): boolean;
}

export interface Wish {
  readonly does: Client["does"];
  /** As the command names it. */
  readonly name: AmfValue;
  /** The message stream that the command came on. */
  readonly streamId: number;
  /** Whether no process has let it in before. */
  readonly isNew: boolean;
  readonly stream: Refusing;
}

/** The message stream itself. */
interface Refusing {
  /** Tells the client why it must leave, and closes the connection. */
  refuse(does: Client["does"], reason: DolphinError): void;
}

/** Throws what keeps it from beginning. */
export function askedFor(owner: Asking, { does, name, streamId, isNew, stream }: Wish): Asked {
  const { hub, connection, caller } = owner;
  connection.doing = `asking to ${does}`;
  if (typeof name !== "string") throw new DolphinError("RTMP_COMMAND", `${does} names no stream`);
  const request = requestOf(caller, name);
  const vhost = hub.vhostOf(request);
  connection.concern(namesOf({ request, vhost }));
  if (isNew && caller.edgeName === null) checkAccess(vhost, { does, host: clientOf(connection.socket).host, page: caller.pageUrl });
  const id = sessionIdOf(connection.conn, streamId);
  return { name, request, vhost, client: new RtmpClient(owner, stream, { does, request, vhost, id, order: hub.nextOrder() }) };
}

/** Of one play or publish. There are thousands: what a client does is in functions of all. */
class RtmpClient implements Client {
  readonly protocol = "rtmp";
  readonly does: Client["does"];
  readonly request: StreamRequest;
  readonly vhost: Vhost;
  readonly id: string;
  readonly order: number;
  private readonly owner: Asking;
  private readonly stream: Refusing;

  constructor(owner: Asking, stream: Refusing, of: Pick<RtmpClient, "does" | "request" | "vhost" | "id" | "order">) {
    this.owner = owner;
    this.stream = stream;
    this.does = of.does;
    this.request = of.request;
    this.vhost = of.vhost;
    this.id = of.id;
    this.order = of.order;
  }

  get asked(): string {
    return this.request.vhost;
  }

  report(): ClientReport | null {
    return reportOf(this.owner, this);
  }

  dismiss(reason: DolphinError): void {
    this.stream.refuse(this.does, reason);
  }

  letGo(): boolean {
    return this.owner.letGo();
  }
}
