// The seam between who publishes (an RTMP session) and where it goes: into a source of this process, or on to an origin.
import type { DolphinError } from "../base/errors.js";
import type { Message } from "../codec/rtmp/message.js";

/** Whoever publishes. Its calls are direct and must not throw. */
export interface Publisher {
  /** The publisher's address, for `dolphin status`. */
  readonly peer: string;
  /** It may send media. Called once. */
  onStarted(): void;
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
  close(): void;
}
