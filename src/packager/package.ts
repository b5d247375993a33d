// What a packager knows of one stream.
import type { WatchedStream } from "../codec/rtmp/watch.js";
import type { Endpoint } from "../conf/meaning/config.js";
import type { StreamName } from "./media/names.js";
import type { Output } from "./media/output.js";
import type { Claim } from "./origin/claims.js";
import type { Intake } from "./origin/intake.js";

/** A stream that is known here, whoever packages it. */
export interface Package {
  readonly name: StreamName;
  /** Who publishes it, or has. */
  by: WatchedStream;
  origin: Endpoint | null;
  /** Null: another packager has it, or none yet. */
  claim: Claim | null;
  outputs: Output[];
  intake: Intake | null;
  isLive: boolean;
  /** Its server has said that it has ended, and the last packets may still be on their way. */
  isEnding: boolean;
  /** Whether its server has told of it since that was found again. */
  isTold: boolean;
  takenBytes: number;
}
