// Publishers of the box's other processes, who ask the registry through the master: a message for each of their questions, and for what
// becomes of their right. What a process had ends with it.
import { asDolphinError, messageOf, type DolphinError } from "../base/errors.js";
import type { Claim, Claims, StreamName } from "../ipc/locating.js";
import type { FromChild, ToChild } from "../ipc/messages.js";

interface Rechecking extends Claims {
  recheck(publishes: readonly string[]): void;
}

interface Had {
  readonly child: string;
  /** Null: it is asked for. */
  claim: Claim | null;
}

/** Those of one box. Nothing to close: the registry ends first. */
export class ChildrensClaims {
  private readonly registry: Rechecking;
  private readonly send: (child: string, message: ToChild) => void;
  private readonly had = new Map<string, Had>();

  constructor(registry: Rechecking, send: (child: string, message: ToChild) => void) {
    this.registry = registry;
    this.send = send;
  }

  heard(child: string, message: FromChild): void {
    if (message.type === "fence") void this.number(child, message.id, message.name);
    else if (message.type === "claim") void this.ask(child, message);
    else if (message.type === "unclaim") this.release(message.publish);
    else if (message.type === "doubt") this.registry.recheck(message.publishes);
  }

  gone(child: string): void {
    for (const [publish, had] of this.had) if (had.child === child) this.release(publish);
  }

  private async number(child: string, id: number, name: StreamName): Promise<void> {
    const busy = (thrown: unknown): { readonly fence: number; readonly busy: string } => ({ fence: 0, busy: messageOf(thrown) });
    const answer = await this.registry.fence(name).then((fence) => ({ fence, busy: null }), busy);
    this.send(child, { type: "fenced", id, ...answer });
  }

  private async ask(child: string, { publish, name, underWaySinceMs }: Claiming): Promise<void> {
    const had: Had = { child, claim: null };
    this.had.set(publish, had);
    const tell = (right: Right, reason: DolphinError | null = null): void => {
      const why = reason === null ? {} : { code: reason.code, reason: reason.message };
      this.send(child, { type: "right", publish, right, ...why });
    };
    const claimant = {
      id: publish,
      underWaySinceMs,
      onAir: () => tell("owner"),
      onLost: (reason: DolphinError) => tell("lost", reason),
      onSure: () => tell("sure"),
    };
    try {
      const claim = await this.registry.claim(name, claimant);
      had.claim = claim;
      if (this.had.get(publish) !== had) claim.release(); // it has left meanwhile
      else tell(claim.isStandby ? "standby" : "owner");
    } catch (thrown) {
      this.had.delete(publish);
      tell("refused", asDolphinError(thrown));
    }
  }

  private release(publish: string): void {
    this.had.get(publish)?.claim?.release();
    this.had.delete(publish);
  }
}

type Claiming = Extract<FromChild, { type: "claim" }>;
type Right = Extract<ToChild, { type: "right" }>["right"];
