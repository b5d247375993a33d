// What operators have said about recordings: of a stream that is to be recorded, or not, whatever `dvr_apply` says. An order holds until
// the opposite is said, over every process and restart; it is a state like those of outputs.
import type { StreamName } from "./media/names.js";
import type { StateFiles } from "./media/state-files.js";

/** How long the number of a stream is remembered of which there is nothing else. */
const rememberedMs = 30 * 24 * 3_600_000;

/** The orders of one box, in its folder of states. */
export class Orders {
  private readonly states: StateFiles;

  constructor(states: StateFiles) {
    this.states = states;
  }

  give({ vhost, app, stream }: StreamName, isRecorded: boolean): Promise<void> {
    return this.states.save(keyOf({ vhost, app, stream }), { kind: "order", vhost, app, stream, isRecorded });
  }

  /** Null: there is none. */
  async of(name: StreamName): Promise<boolean | null> {
    const order = await this.states.load(keyOf(name));
    return typeof order === "object" && order !== null && "isRecorded" in order ? order.isRecorded === true : null;
  }
}

/** Nothing is under way in a state, and nobody has published its stream for long: only its number would be remembered. */
export function isForgotten(state: unknown, ageMs: number): boolean {
  if (!isNamed(state)) return true;
  const { segments = [], file = null, finished = [] } = state as StateOfSomeKind;
  return segments.length === 0 && file === null && finished.length === 0 && ageMs > rememberedMs;
}

interface StateOfSomeKind {
  readonly segments?: readonly unknown[];
  readonly file?: unknown;
  readonly finished?: readonly unknown[];
}

export function isNamed(state: unknown): state is StreamName {
  return typeof state === "object" && state !== null && "vhost" in state && "app" in state && "stream" in state;
}

function keyOf({ vhost, app, stream }: StreamName): string {
  return `order ${vhost}/${app}/${stream}`;
}
