// How a publisher's stream goes on at another foreign origin, which has had nothing of it: the headers first, then sound as it comes,
// and pictures from a key frame on. What the first origin had not passed on is lost with it.
import { messageType, type Message } from "../../codec/rtmp/message.js";
import { MainTrack } from "../../stream/main-track.js";
import { isHeader, SentHeaders } from "./headers.js";
import type { Sink } from "./outlet.js";

/** How long pictures wait for a key frame: an encoder may make none, and refresh its pictures piece by piece. */
export const keyFrameWaitMs = 10_000;

/** What stands before the connections of one push. `begin` gives it each new one. */
export class Reprise implements Sink {
  private readonly headers = new SentHeaders();
  private readonly mainTrack = new MainTrack();
  private sink: Sink | null = null;
  /** Whether some upstream has had something. */
  private hasSent = false;
  /** Whether the present one lacks the headers. */
  private lacksHeaders = false;
  /** Until when pictures wait for a key frame (ms); 0: they do not. */
  private waitsUntilMs = 0;

  get backlogBytes(): number {
    return this.sink?.backlogBytes ?? 0;
  }

  /** Goes on with an upstream that has accepted. */
  begin(sink: Sink): void {
    this.sink = sink;
    this.lacksHeaders = this.hasSent;
    this.waitsUntilMs = this.hasSent ? Date.now() + keyFrameWaitMs : 0;
  }

  write(messages: readonly Message[]): void {
    const timeOf = (type: number): number => (messages.find((message) => message.type === type) ?? messages[0])?.timestamp ?? 0;
    const before = this.lacksHeaders ? this.headers.at(timeOf) : [];
    for (const message of messages) this.headers.note(message);
    this.hasSent = true;
    this.lacksHeaders = false;
    const rest = this.waitsUntilMs === 0 ? messages : messages.filter((message) => this.mayPass(message));
    if (before.length + rest.length > 0) this.sink?.write([...before, ...rest]);
  }

  private mayPass(message: Message): boolean {
    if (this.waitsUntilMs === 0 || message.type !== messageType.video || isHeader(message)) return true;
    if (!this.mainTrack.starts(message.payload) && Date.now() < this.waitsUntilMs) return false;
    this.waitsUntilMs = 0;
    return true;
  }
}
