// A child's way to the registry, which is in the master, for those who publish to it: their questions, and what becomes of their right.
// Whether this process stood still it finds out itself.
import { DolphinError } from "../base/errors.js";
import { Pulse } from "../base/pulse.js";
import type { Claim, Claimant, Claims, StreamName } from "../ipc/locating.js";
import type { FromChild, ToChild } from "../ipc/messages.js";

/** The master answers within a second, and needs one itself. */
const answerWithinMs = 3_000;
/** A publisher does not wait longer for a number that is for his backend alone. */
const fenceWithinMs = 2_000;
/** How long what came behind a standstill waits for the answer. */
const suspicionMs = 1_500;

interface Publishing {
  readonly claimant: Claimant;
  settle: ((right: "owner" | "standby" | DolphinError) => void) | null;
  isStandby: boolean;
  isSuspect: boolean;
  isOver: boolean;
}

/** The rights of one child. It lives as long as its process. */
export class ChildClaims implements Claims {
  private readonly send: (message: FromChild) => void;
  private readonly all = new Map<string, Publishing>();
  /** A standstill of so long is asked about: others may have taken the box for dead. */
  standstillMs = 500;
  private pulse: Pulse | null = null;
  private readonly fences = new Map<number, (fence: number, busy: string | null) => void>();
  private lastId = 0;

  constructor(send: (message: FromChild) => void) {
    this.send = send;
  }

  async claim(name: StreamName, claimant: Claimant): Promise<Claim> {
    this.pulse ??= new Pulse(this.standstillMs, () => this.woke());
    const one: Publishing = { claimant, settle: null, isStandby: false, isSuspect: false, isOver: false };
    this.all.set(claimant.id, one);
    const right = await new Promise<"owner" | "standby" | DolphinError>((resolve) => {
      const timer = setTimeout(() => one.settle?.("owner"), answerWithinMs); // nobody's media waits for a master
      one.settle = (answer) => {
        one.settle = null; // the next message may come before who waits goes on
        one.isStandby = answer === "standby";
        clearTimeout(timer);
        resolve(answer);
      };
      this.send({ type: "claim", publish: claimant.id, name, underWaySinceMs: claimant.underWaySinceMs });
    });
    if (right instanceof DolphinError) {
      this.all.delete(claimant.id);
      throw right;
    }
    return this.claimOf(one);
  }

  fence(name: StreamName): Promise<number> {
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.fenced(id, 0, null), fenceWithinMs);
      this.fences.set(id, (fence, busy) => {
        clearTimeout(timer);
        if (busy === null) resolve(fence);
        else reject(new DolphinError("RTMP_BUSY", busy));
      });
      this.send({ type: "fence", id, name });
    });
  }

  /** The master's answer to that. */
  fenced(id: number, fence: number, busy: string | null): void {
    this.fences.get(id)?.(fence, busy);
    this.fences.delete(id);
  }

  heard({ publish, right, code, reason }: Extract<ToChild, { type: "right" }>): void {
    const one = this.all.get(publish);
    if (one === undefined) return;
    const why = new DolphinError(code ?? "REGISTRY_LOST", reason ?? "another box publishes the stream");
    if (one.settle !== null && right !== "sure") one.settle(right === "refused" || right === "lost" ? why : right);
    else if (right === "refused" || right === "lost") this.lost(one, why);
    else if (right === "standby") this.lost(one, why); // the answer comes late, to one who publishes meanwhile
    else if (right === "owner" && one.isStandby) {
      one.isStandby = false;
      one.claimant.onAir();
    } else if (right === "sure") this.sure(one);
  }

  private claimOf(one: Publishing): Claim {
    const check = (): void => this.pulse?.check();
    return {
      get isStandby() {
        return one.isStandby;
      },
      mayPass() {
        check();
        return !one.isSuspect && !one.isOver;
      },
      release: () => {
        if (!this.all.delete(one.claimant.id)) return;
        one.isOver = true;
        this.send({ type: "unclaim", publish: one.claimant.id });
      },
    };
  }

  private lost(one: Publishing, why: DolphinError): void {
    one.isOver = true;
    one.claimant.onLost(why);
  }

  private woke(): void {
    const publishing = [...this.all].filter(([, { isStandby, isOver }]) => !isStandby && !isOver);
    if (publishing.length === 0) return;
    for (const [, one] of publishing) one.isSuspect = true;
    this.send({ type: "doubt", publishes: publishing.map(([id]) => id) });
    setTimeout(() => publishing.forEach(([, one]) => this.sure(one)), suspicionMs);
  }

  private sure(one: Publishing): void {
    if (!one.isSuspect || one.isOver) return;
    one.isSuspect = false;
    one.claimant.onSure();
  }
}
