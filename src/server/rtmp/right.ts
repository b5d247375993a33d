// The right of one publishing to its name on the site, as its publisher asks for it and has it.
//
//   asking ─▶ had ─(another has it)─▶ lost        media that came behind a standstill of the process waits meanwhile
//       └───▶ standing by (the hub's standby.ts) ─▶ had
import { randomBytes } from "node:crypto";
import { asDolphinError, DolphinError } from "../../base/errors.js";
import type { Claim, Claimant, Claims, StreamName } from "../../ipc/locating.js";

export interface RightParts {
  readonly claims: Claims;
  readonly name: StreamName;
  /** As the claimant's: whoever publishes already does not wait. */
  readonly underWaySinceMs: number | null;
  /** It may go on to publish, or to stand by. */
  onGranted(): void;
  onRefused(reason: DolphinError): void;
  /** What was held back may go on. */
  onSure(): void;
}

/** Of one publishing. `close` gives it back. */
export class Right implements Claimant {
  readonly id = randomBytes(9).toString("base64url");
  private readonly parts: RightParts;
  private claim: Claim | null = null;
  private isAsking = false;
  private isClosed = false;
  /** Called when the one who had the stream has left. */
  whenOnAir: () => void = () => undefined;

  constructor(parts: RightParts) {
    this.parts = parts;
  }

  get underWaySinceMs(): number | null {
    return this.parts.underWaySinceMs;
  }

  get isStandby(): boolean {
    return this.claim?.isStandby === true;
  }

  /** Whether to begin now; else `onGranted` or `onRefused` follow. */
  ask(): boolean {
    if (this.claim !== null) return true;
    if (!this.isAsking) {
      this.isAsking = true;
      this.parts.claims.claim(this.parts.name, this).then(
        (claim) => this.granted(claim),
        (thrown: unknown) => this.refused(thrown),
      );
    }
    return this.isUnderWay;
  }

  /** Whether media that has just come may go on now. */
  mayPass(): boolean {
    return this.claim === null || this.claim.mayPass();
  }

  onAir(): void {
    this.whenOnAir();
  }

  onLost(reason: DolphinError): void {
    if (!this.isClosed) this.parts.onRefused(reason);
  }

  onSure(): void {
    if (!this.isClosed) this.parts.onSure();
  }

  close(): void {
    this.isClosed = true;
    this.claim?.release();
  }

  private get isUnderWay(): boolean {
    return this.underWaySinceMs !== null;
  }

  private granted(claim: Claim): void {
    this.isAsking = false;
    if (this.isClosed) {
      claim.release();
      return;
    }
    this.claim = claim;
    if (!this.isUnderWay) this.parts.onGranted();
    else if (claim.isStandby) this.onLost(new DolphinError("REGISTRY_LOST", "another box publishes the stream"));
  }

  private refused(thrown: unknown): void {
    this.isAsking = false;
    if (this.isClosed) return;
    const reason = asDolphinError(thrown);
    // Whoever publishes already and was moved here has lost the stream: to ask again, as for one that is busy, would leave him on the air.
    const isLost = this.isUnderWay && reason.code === "RTMP_BUSY";
    this.parts.onRefused(isLost ? new DolphinError("REGISTRY_LOST", reason.message, { cause: reason }) : reason);
  }
}
