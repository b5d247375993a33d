// A publisher who stands by while another box publishes his stream: he is read, and what he sends goes nowhere, but for the headers, which
// are kept. When the other has left he goes on air with his next key frame, and for viewers one picture follows the other's.
import { messageType, type Message } from "../../codec/rtmp/message.js";
import { MainTrack } from "../../stream/main-track.js";
import type { Publication } from "../peers/publication.js";
import { isHeader, SentHeaders } from "../relay/headers.js";

/** One who stands by, until `goOnAir`. Nothing to close. */
export class Standby implements Publication {
  private readonly headers = new SentHeaders();
  private readonly mainTrack = new MainTrack();
  private readonly goOnAir: () => Publication | null;
  private isDue = false;
  private hasVideo = false;

  /** `goOnAir` begins to publish, and is called once; null: that was refused, which has been told. */
  constructor(goOnAir: () => Publication | null) {
    this.goOnAir = goOnAir;
  }

  /** The other has left. */
  due(): void {
    this.isDue = true;
  }

  push(message: Message): void {
    this.headers.note(message);
    this.hasVideo ||= message.type === messageType.video;
    if (!this.starts(message) || !this.isDue) return;
    const publication = this.goOnAir();
    if (publication === null) return;
    for (const header of this.headers.at(() => message.timestamp)) publication.push(header);
    publication.push(message);
  }

  save(): null {
    return null;
  }

  isWatched(): boolean {
    return false;
  }

  hold(): boolean {
    return false;
  }

  close(): void {
    // nothing of it is anywhere
  }

  /** Whether viewers can go on with it; where there are no pictures, with any sound. */
  private starts(message: Message): boolean {
    if (message.type === messageType.video) return this.mainTrack.starts(message.payload);
    return message.type === messageType.audio && !this.hasVideo && !isHeader(message);
  }
}
