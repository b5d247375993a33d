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
  /** All that have it, for several servers of a box may pull it: it is over when none has. */
  servers: Set<Endpoint>;
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

/** A stream of which nothing more is known than its name. */
export function newPackage({ vhost, app, stream }: StreamName): Package {
  const nothing = { origin: null, claim: null, outputs: [], intake: null, isLive: false, isEnding: false, isTold: false, takenBytes: 0 };
  return { name: { vhost, app, stream }, by: [vhost, app, stream, "", "", "", ""], servers: new Set(), ...nothing };
}

/** By which a packager knows a stream. */
export function keyOf({ vhost, app, stream }: StreamName): string {
  return `${vhost}/${app}/${stream}`;
}
