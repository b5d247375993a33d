// Where the origin of the box has died, publishers send the next one their last moments again, with the same times
// (server/relay/replay.ts). Who packages the stream has had most of that, and leaves it out.
import { messageType } from "../../codec/rtmp/message.js";
import { at, type Packet } from "../../stream/packet.js";

/** What lies further back than this is no repeat. */
const longestRepeatMs = 60_000;

/** The last packet of a track. */
interface Latest {
  isKnown: boolean;
  isRepeating: boolean;
  timestamp: number;
  bytes: number;
}

/** What has come of one stream, by one clock. Nothing to close. */
export class Repeats {
  private readonly audio: Latest = { isKnown: false, isRepeating: false, timestamp: 0, bytes: 0 };
  private readonly video: Latest = { ...this.audio };

  /** What comes next goes by another clock. */
  forget(): void {
    for (const latest of [this.audio, this.video]) Object.assign(latest, { isKnown: false, isRepeating: false });
  }

  /** Another origin has the stream, by the same clock: what comes next may have come before. These are kept there, and are taken in. */
  begin(kept: readonly Packet[]): void {
    for (const latest of [this.audio, this.video]) latest.isRepeating = latest.isKnown;
    for (const packet of kept) this.take(packet);
  }

  /** What there is new in a packet; null: nothing. */
  take(packet: Packet): Packet | null {
    const { type, timestamp, payload, isHeader } = packet;
    if (type === messageType.data) return packet;
    const latest = type === messageType.audio ? this.audio : this.video;
    if (latest.isRepeating) {
      if (isHeader) return at(packet, latest.timestamp); // it may be another one
      const aheadMs = (timestamp - latest.timestamp) | 0;
      const isRepeat = aheadMs <= 0 && aheadMs >= -longestRepeatMs;
      if (!isRepeat || (aheadMs === 0 && payload.length === latest.bytes)) latest.isRepeating = false;
      if (isRepeat) return null;
    }
    if (isHeader) return packet;
    latest.isKnown = true;
    latest.timestamp = timestamp;
    latest.bytes = payload.length;
    return packet;
  }
}
