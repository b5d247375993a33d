// Which pictures somebody can start at where a stream has several video tracks (Enhanced RTMP's multitrack): the key frames of the
// first one, which players show, and not those of another. The first is the lowest that has shown a key frame; it is called 0 nearly always.
import { role, videoRole, videoTrack } from "../codec/av.js";

/** Behind every track that there may be. */
const noTrack = 256;

/** The first video track of one publisher. */
export class MainTrack {
  private track = noTrack;

  /** Whether a video message is a key frame of the first track. To be asked of every key frame, in order. */
  starts(video: Buffer): boolean {
    if (videoRole(video) !== role.keyFrame) return false;
    const track = videoTrack(video);
    if (track > this.track) return false;
    this.track = track;
    return true;
  }
}
