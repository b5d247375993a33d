// The seam between who publishes (an RTMP session) and where it goes: into a source of this process, or on to an origin.
import type { DolphinError } from "../../base/errors.js";
import type { Clock } from "../../codec/rtmp/clock.js";
import { mergeMs, patientMs } from "./merged-read.js";
import type { Message } from "../../codec/rtmp/message.js";
import type { Held } from "../../codec/rtmp/slabs.js";
import type { SavedSource } from "../../stream/source.js";

/** An encoder that reconnects at once may be faster than the news of its old connection's end: a busy stream is asked again. */
export const busyRetryMs = patientMs + mergeMs;
/** So often: on a machine that is late with everything, that news is, too. */
export const busyRetries = 3;

/** Whoever publishes. Its calls are direct and must not throw. */
export interface Publisher {
  /** The publisher's address, for `dolphin status`. */
  readonly peer: string;
  /** Its id among the clients; empty for an own edge. */
  readonly clientId: string;
  readonly tcUrl: string;
  /** The URLs that the stream is forwarded to, as the site's backend says; null: as the configuration does. */
  readonly forwards: readonly string[] | null;
  /** As `Source.publish` takes it. */
  readonly clockId: number | null;
  /** It may send media. Called once. `clock` is that of the stream; null: the stream is elsewhere. */
  onStarted(clock: Clock | null): void;
  /** The publication is over, and not by the publisher's wish. */
  onEnded(reason: DolphinError): void;
  /** Stop reading from the publisher, and go on: the way onward is full. */
  pause(): void;
  resume(): void;
}

/** Where media goes. `close` ends it from the publisher's side; `onEnded` is not called then. */
export interface Publication {
  /** Takes an audio, video or data message; the payload belongs to the publication from now on. */
  push(message: Message): void;
  /** What another process needs to go on with the stream; null where it cannot. Nothing changes by it. */
  save(): SavedSource | null;
  /** Whether somebody gets what comes; nobody is late where nobody does. */
  isWatched(): boolean;
  /** As a `Holder` of the payloads that it was given (codec/rtmp/slabs.ts). */
  hold(held: Held): boolean;
  close(): void;
}
