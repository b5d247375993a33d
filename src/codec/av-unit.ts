// What an audio or video message carries, without FLV's wrapping: a configuration or a frame of one track, as a file writer needs it.
// Whether a message is a header or a key frame says av.ts; what is in a configuration, av-track.ts. Messages of codecs that have no
// fourCC here come to nothing. Source: as av.ts.
import { audioRole, ex, exAudio, exVideo, readExtended, readTracks, role, videoRole, type TrackBody } from "./av.js";

/** A configuration or a frame. `body` is a view of the message. */
export interface Unit {
  /** `avc1`, `hvc1`, `av01`, `mp4a`, `.mp3`, `Opus` … */
  readonly fourCc: string;
  readonly track: number;
  readonly isConfig: boolean;
  readonly isKeyFrame: boolean;
  /** What is to be added to the message's time for the time of display (ms, signed); 0 of audio. */
  readonly compositionMs: number;
  readonly body: Buffer;
}

const oldVideo: Readonly<Record<number, string>> = { 7: "avc1", 12: "hvc1", 13: "av01" };
const avcHeadBytes = 5;
/** Codecs whose frames of packet type 1 begin with a composition time. */
const composed = new Set(["avc1", "hvc1", "vvc1"]);

/** The unit of a video message; null: it carries none, or of a codec that is not known. */
export function videoUnit(video: Buffer): Unit | null {
  const is = videoRole(video);
  if (is === role.other) return null;
  const isConfig = is === role.header;
  const isKeyFrame = is === role.keyFrame;
  if ((video[0]! & 0x80) === 0) {
    const fourCc = oldVideo[video[0]! & 0x0f];
    if (fourCc === undefined || video.length < avcHeadBytes) return null;
    return { fourCc, track: 0, isConfig, isKeyFrame, compositionMs: signed24(video, 2), body: video.subarray(avcHeadBytes) };
  }
  const extended = readExtended(video, exVideo.multitrack);
  if (extended.packetType === exVideo.metadata || extended.packetType === exVideo.mpeg2TsSequenceStart) return null;
  const one = firstOf(readTracks(video, extended));
  if (one === null) return null;
  const { id: track, fourCc, body } = one;
  const hasTime = extended.packetType === ex.codedFrames && composed.has(fourCc);
  if (hasTime && body.length < 3) return null;
  const compositionMs = hasTime ? signed24(body, 0) : 0;
  return { fourCc, track, isConfig, isKeyFrame, compositionMs, body: hasTime ? body.subarray(3) : body };
}

/** The unit of an audio message; null as above. */
export function audioUnit(audio: Buffer): Unit | null {
  const is = audioRole(audio);
  if (is === role.other) return null;
  const isConfig = is === role.header;
  const format = audio[0]! >> 4;
  if (format === 10) return soundUnit("mp4a", 0, isConfig, audio.subarray(2));
  if (format === 2 || format === 14) return soundUnit(".mp3", 0, isConfig, audio.subarray(1));
  if (format !== 9) return null;
  const extended = readExtended(audio, exAudio.multitrack);
  if (extended.packetType === exAudio.channels) return null;
  const one = firstOf(readTracks(audio, extended));
  return one === null ? null : soundUnit(one.fourCc, one.id, isConfig, one.body);
}

/** Written out, as above: this is done for every frame of a stream. */
function soundUnit(fourCc: string, track: number, isConfig: boolean, body: Buffer): Unit {
  return { fourCc, track, isConfig, isKeyFrame: false, compositionMs: 0, body };
}

function firstOf(tracks: readonly TrackBody[]): TrackBody | null {
  return tracks.reduce<TrackBody | null>((first, track) => (first === null || track.id < first.id ? track : first), null);
}

function signed24(bytes: Buffer, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8)) >> 8;
}
