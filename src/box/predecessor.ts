// The other side of an upgrade: a master that was started to take the place of a running one. It starts like every other, on the
// sockets that it is given, without what only one process can have; and when its processes serve, everything comes over.
import { DolphinError } from "../base/errors.js";
import { loadDescriptorLinks, type DescriptorLink } from "../ipc/descriptor-link.js";
import {
  linkFd,
  successionFormat,
  successionVariable,
  type FromSuccessor,
  type MirroredOrigin,
  type Succession,
  type ToSuccessor,
} from "../ipc/succession.js";
import type { Sitting } from "../ipc/dues.js";
import type { Identity } from "../ipc/identity.js";
import type { InheritedListener } from "../master/sockets/listeners.js";
import type { InheritedSocket } from "../master/host/systemd-environment.js";

/** Who takes over what comes. */
export interface Heritage {
  /** Resolves when the streams flow. */
  readonly mirror: (origin: MirroredOrigin) => Promise<void>;
  /** Connections have come on the link. */
  readonly receive: (link: DescriptorLink) => void;
  /** Sessions without a connection go on. */
  readonly inherit: (sittings: readonly Sitting[]) => void;
}

/** The master before this one. */
export class Predecessor {
  private readonly succession: Succession;

  private constructor(succession: Succession) {
    this.succession = succession;
  }

  /** Finds out whether this process is to take another's place, and takes that out of the environment. */
  static find(env: Record<string, string | undefined>): Predecessor | null {
    const text = env[successionVariable];
    delete env[successionVariable];
    if (text === undefined || process.send === undefined) return null;
    return new Predecessor(JSON.parse(text) as Succession);
  }

  /** Calls back with the sessions without a connection that it has: their viewers may come here as soon as anything listens. */
  onSittings(take: (sittings: readonly Sitting[]) => void): void {
    process.on("message", (message: ToSuccessor) => {
      if (message.type === "sittings") take(message.sittings);
    });
  }

  get identity(): Identity {
    return this.succession.identity;
  }

  /** The sockets that a service manager gave to it. */
  get given(): InheritedSocket[] {
    return this.succession.sockets.flatMap(({ givenName }, at) => (givenName === null ? [] : [{ fd: linkFd + 1 + at, name: givenName }]));
  }

  /** Its own. */
  get listeners(): InheritedListener[] {
    return this.succession.sockets.flatMap(({ protocol, wanted, endpoint, givenName }, at) =>
      givenName === null ? [{ protocol, wanted, endpoint, fd: linkFd + 1 + at }] : [],
    );
  }

  /** Throws CHILD_START when it speaks another language than this one. */
  check(): void {
    const { format, version } = this.succession;
    if (format === successionFormat) return;
    throw new DolphinError(
      "CHILD_START",
      `this version cannot take over from dolphin ${version} while it runs: stop that one and start this one`,
    );
  }

  /**
   * Tells that everything serves here, takes over, and resolves when pid file, control socket and service manager are this
   * process's. A predecessor that dies on the way has handed over what it could; one that dies before has changed its mind.
   */
  async takeOver({ mirror, receive, inherit }: Heritage): Promise<void> {
    const links = await loadDescriptorLinks();
    const link = links?.open(linkFd);
    let hasBegun = false;
    await new Promise<void>((resolve, reject) => {
      process.on("message", (message: ToSuccessor) => {
        if (message.type === "mirror") {
          hasBegun = true;
          // What could not be followed goes on with the next key frame: nobody waits for it in vain.
          const mirrored = (): void => this.say({ type: "mirrored" });
          mirror(message.origin).then(mirrored, mirrored);
        }
        if (message.type === "parcels" && link !== undefined) receive(link);
        if (message.type === "over") {
          inherit(message.sittings ?? []);
          resolve();
        }
      });
      process.once("disconnect", () => (hasBegun ? resolve() : reject(goneBefore())));
      if (process.connected) this.say({ type: "ready" });
      else reject(goneBefore());
    });
    if (link !== undefined) receive(link);
    link?.close();
  }

  /** Everything is this process's now. */
  taken(): void {
    this.say({ type: "taken" });
  }

  /** It goes on itself. */
  refused(sentence: string): void {
    this.say({ type: "refused", sentence });
  }

  /** Resolves when it has been told everything. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (!process.connected) resolve();
      else process.send?.({ type: "refused", sentence: "it ended" } satisfies FromSuccessor, undefined, undefined, () => resolve());
    });
  }

  private say(message: FromSuccessor): void {
    if (process.connected) process.send?.(message);
  }
}

function goneBefore(): DolphinError {
  return new DolphinError("CHILD_START", "the process before this one is gone");
}
