// What a stream is written into. Every output is told the same and goes on by itself where it stood, whichever process it was in.
import type { Packet } from "../../stream/packet.js";

export interface Output {
  /**
   * The stream is here, by a clock of this number, and the origin has kept these packets of it until now: what comes next follows them.
   * Called again when the origin was away; the packets may have been here before.
   */
  begin(clockId: number, kept: readonly Packet[]): void;
  push(packet: Packet): void;
  /** The publisher has left. */
  end(): void;
  /** Whether nothing is under way, and nothing is waited for. */
  readonly isIdle: boolean;
  /** Nothing more comes to this process. `isOver`: nor to any that takes its place. Resolves when what there was is with the system. */
  close(isOver: boolean): Promise<void>;
}
