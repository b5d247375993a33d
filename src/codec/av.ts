// What the first bytes of an audio or video message tell: whether it describes the stream or is part of it, whether a player can
// start there, which track it is of, and the codec's name. Media is never decoded, and anything not understood is ordinary media.
// Source: Adobe FLV 10.1 sections E.4.2 and E.4.3; Enhanced RTMP v2, "ExVideoTagHeader" and "ExAudioTagHeader".
//
//   video  │1 frame type(3) packet type(4)│ [ModEx: size, data, packet type]… [layout(4) packet type(4)] [fourCC] [track [size]] body…
//   audio  │9(4) packet type(4)           │ the same
import { isCompleteChannels, isCompleteConfig, isCompleteMetadata } from "./av-config.js";

/** What a message is to a player. */
export const role = {
  /** Nothing that could be seen or heard: the end of a sequence, a command, too few bytes. */
  other: 0,
  frame: 1,
  /** A picture that decoding can start at. */
  keyFrame: 2,
  /** Describes what comes behind it: every newcomer needs it. */
  header: 3,
} as const;
export type Role = (typeof role)[keyof typeof role];

/** What a header describes, in the order in which newcomers get them; the metadata of the whole stream comes before all. */
export const headerKind = { audioConfig: 1, audioChannels: 2, videoConfig: 3, videoMetadata: 4 } as const;

/** What a header is good for. */
export interface Header {
  readonly kind: (typeof headerKind)[keyof typeof headerKind];
  /** The tracks that it describes; none where its bytes make no sense. */
  readonly tracks: readonly number[];
  /** Whether a decoder can begin with it. */
  readonly isComplete: boolean;
}

const avcSequenceHeader = 0;
const avcNalu = 1;
/** Behind the packet type of AVC, HEVC and AV1 in the old form stands a composition time. */
const avcHeadBytes = 5;
const aacHeadBytes = 2;
const keyFrame = 1;
const commandFrame = 5;
const aacFormat = 10;
const exAudioFormat = 9;
/** Packet types of enhanced messages: those of both, of video alone (3: frames without a composition time), and of audio alone. */
export const ex = { sequenceStart: 0, codedFrames: 1, sequenceEnd: 2, modEx: 7 } as const;
export const exVideo = { codedFramesX: 3, metadata: 4, mpeg2TsSequenceStart: 5, multitrack: 6 } as const;
export const exAudio = { channels: 4, multitrack: 5 } as const;
/** Multitrack layouts. */
const oneTrack = 0;
const manyTracksManyCodecs = 2;

const videoNames: Readonly<Record<number, string>> = { 2: "H.263", 4: "VP6", 7: "H.264", 12: "H.265", 13: "AV1" };
const audioNames: Readonly<Record<number, string>> = {
  0: "PCM",
  1: "ADPCM",
  2: "MP3",
  7: "PCMA",
  8: "PCMU",
  10: "AAC",
  11: "Speex",
  13: "Opus",
  14: "MP3",
};
const fourCcNames: Readonly<Record<string, string>> = {
  avc1: "H.264",
  hvc1: "H.265",
  vvc1: "H.266",
  av01: "AV1",
  vp08: "VP8",
  vp09: "VP9",
  mp4a: "AAC",
  Opus: "Opus",
  fLaC: "FLAC",
  ".mp3": "MP3",
  "ac-3": "AC-3",
  "ec-3": "E-AC-3",
};
/** The codecs of the old form that have a configuration, as the new one names them. */
const oldFourCcs: Readonly<Record<number, string>> = { 7: "avc1", 12: "hvc1", 13: "av01" };

/** What a video message is to a player. Headers and ends of a sequence are marked as key frames too: they are none here. */
export function videoRole(video: Buffer): Role {
  if (video.length < 2) return role.other;
  if (isEnhanced(video)) return exVideoRole(video);
  if (frameType(video) === commandFrame) return role.other;
  if (hasPacketType(video)) {
    if (video[1] === avcSequenceHeader) return role.header;
    if (video[1] !== avcNalu || video.length <= avcHeadBytes) return role.other;
  }
  return frameType(video) === keyFrame ? role.keyFrame : role.frame;
}

/** What an audio message is to a player. */
export function audioRole(audio: Buffer): Role {
  if (audio.length < 2) return role.other;
  const format = audio[0]! >> 4;
  if (format === exAudioFormat) return exAudioRole(audio);
  if (format !== aacFormat) return role.frame;
  if (audio[1] === avcSequenceHeader) return role.header;
  return audio.length > aacHeadBytes ? role.frame : role.other;
}

/** The track of a video message, or the first of several: 0 where there is but one. */
export function videoTrack(video: Buffer): number {
  return video.length > 1 && isEnhanced(video) ? trackOf(video, exVideo.multitrack) : 0;
}

/** What a video message describes whose role is that of a header. */
export function videoHeader(video: Buffer): Header {
  const kind = headerKind.videoConfig;
  if (!isEnhanced(video)) {
    const fourCc = oldFourCcs[video[0]! & 0x0f] ?? "";
    return { kind, tracks: [0], isComplete: isCompleteConfig(fourCc, video.subarray(avcHeadBytes)) };
  }
  const extended = readExtended(video, exVideo.multitrack);
  if (extended.packetType === exVideo.metadata) return exHeader(headerKind.videoMetadata, video, extended, isCompleteMetadata);
  const isForTs = extended.packetType === exVideo.mpeg2TsSequenceStart; // a descriptor, and no record of the codec
  return exHeader(kind, video, extended, (body, fourCc) => isCompleteConfig(isForTs ? "" : fourCc, body));
}

/** What an audio message describes whose role is that of a header. */
export function audioHeader(audio: Buffer): Header {
  const kind = headerKind.audioConfig;
  if (audio[0]! >> 4 !== exAudioFormat) {
    return { kind, tracks: [0], isComplete: isCompleteConfig("mp4a", audio.subarray(aacHeadBytes)) };
  }
  const extended = readExtended(audio, exAudio.multitrack);
  if (extended.packetType === exAudio.channels) return exHeader(headerKind.audioChannels, audio, extended, isCompleteChannels);
  return exHeader(kind, audio, extended, (body, fourCc) => isCompleteConfig(fourCc, body));
}

/** The configuration of a header's first track, by its codec's fourCC; null: it describes something else. */
export function configOf(media: Buffer, of: "video" | "audio"): { readonly fourCc: string; readonly config: Buffer } | null {
  const isVideo = of === "video";
  const isOld = isVideo ? !isEnhanced(media) : media[0]! >> 4 !== exAudioFormat;
  if (isOld && isVideo) return { fourCc: oldFourCcs[media[0]! & 0x0f] ?? "", config: media.subarray(avcHeadBytes) };
  if (isOld) return { fourCc: "mp4a", config: media.subarray(aacHeadBytes) };
  const extended = readExtended(media, isVideo ? exVideo.multitrack : exAudio.multitrack);
  const [first] = extended.packetType === ex.sequenceStart ? readTracks(media, extended) : [];
  return first === undefined ? null : { fourCc: first.fourCc, config: first.body };
}

/** The codec of a video message for people, for example `H.264`; `video` when the number is not known. */
export function videoCodec(video: Buffer): string {
  if (video.length === 0) return "";
  if (isEnhanced(video)) return fourCcName(video, exVideo.multitrack) ?? "video";
  return videoNames[video[0]! & 0x0f] ?? "video";
}

/** The codec of an audio message for people, for example `AAC`; `audio` when the number is not known. */
export function audioCodec(audio: Buffer): string {
  if (audio.length === 0) return "";
  const format = audio[0]! >> 4;
  if (format === exAudioFormat) return fourCcName(audio, exAudio.multitrack) ?? "audio";
  return audioNames[format] ?? "audio";
}

function exVideoRole(video: Buffer): Role {
  const packetType = innerPacketType(video, exVideo.multitrack);
  if (packetType === exVideo.metadata) return role.header; // of any frame type
  if (frameType(video) === commandFrame) return role.other;
  if (packetType === ex.sequenceStart || packetType === exVideo.mpeg2TsSequenceStart) return role.header;
  const isCoded = packetType === ex.codedFrames || packetType === exVideo.codedFramesX;
  if (isCoded && frameType(video) === keyFrame) return role.keyFrame;
  return packetType === ex.sequenceEnd || packetType === null ? role.other : role.frame;
}

function exAudioRole(audio: Buffer): Role {
  const packetType = innerPacketType(audio, exAudio.multitrack);
  if (packetType === ex.sequenceStart || packetType === exAudio.channels) return role.header;
  return packetType === ex.sequenceEnd || packetType === null ? role.other : role.frame;
}

/** What the message carries, behind whatever stands before it; null: it ends before that is told. */
function innerPacketType(media: Buffer, multitrack: number): number | null {
  const packetType = media[0]! & 0x0f;
  if (packetType !== multitrack && packetType !== ex.modEx) return packetType;
  const extended = readExtended(media, multitrack);
  return extended.at < media.length ? extended.packetType : null;
}

/** The head of an enhanced message. */
export interface Extended {
  readonly packetType: number;
  /** How its tracks are laid out; null: there is but one. */
  readonly layout: number | null;
  /** Where the fourCC is, or the first track of several codecs; behind the end where the head is cut off. */
  readonly at: number;
}

/** Reads the head of an enhanced message; `multitrack` is the packet type that stands for several tracks. */
export function readExtended(media: Buffer, multitrack: number): Extended {
  let packetType = media[0]! & 0x0f;
  let at = 1;
  while (packetType === ex.modEx && at < media.length) {
    let sizeBytes = media[at++]! + 1;
    if (sizeBytes === 256) {
      sizeBytes = ((media[at] ?? 0) << 8) + (media[at + 1] ?? 0) + 1;
      at += 2;
    }
    at += sizeBytes;
    packetType = (media[at++] ?? 0) & 0x0f;
  }
  if (packetType !== multitrack) return { packetType, layout: null, at };
  const next = media[at] ?? 0;
  return { packetType: next & 0x0f, layout: next >> 4, at: at + 1 };
}

/** What an enhanced message has of one track. */
export interface TrackBody {
  readonly id: number;
  readonly fourCc: string;
  readonly body: Buffer;
}

/** What the message has of each track; none where its lengths make no sense. */
export function readTracks(media: Buffer, { layout, at: from }: Extended): readonly TrackBody[] {
  let at = from;
  let fourCc = "";
  const takeFourCc = (): void => {
    fourCc = media.toString("latin1", at, at + 4);
    at += 4;
  };
  if (layout !== manyTracksManyCodecs) takeFourCc();
  if (layout === null) return at > media.length ? [] : [{ id: 0, fourCc, body: media.subarray(at) }];
  if (layout === oneTrack) return at >= media.length ? [] : [{ id: media[at]!, fourCc, body: media.subarray(at + 1) }];
  const tracks: TrackBody[] = [];
  while (at < media.length) {
    if (layout === manyTracksManyCodecs) takeFourCc();
    if (at + 4 > media.length) return [];
    const id = media[at]!;
    const body = at + 4;
    at = body + media.readUIntBE(at + 1, 3);
    if (at > media.length) return [];
    tracks.push({ id, fourCc, body: media.subarray(body, at) });
  }
  return tracks;
}

function trackOf(media: Buffer, multitrack: number): number {
  const packetType = media[0]! & 0x0f;
  if (packetType !== multitrack && packetType !== ex.modEx) return 0;
  const extended = readExtended(media, multitrack);
  if (extended.layout === null) return 0;
  return readTracks(media, extended).reduce((first, { id }) => Math.min(first, id), 255);
}

function exHeader(kind: Header["kind"], media: Buffer, extended: Extended, isComplete: (body: Buffer, fourCc: string) => boolean): Header {
  const tracks = readTracks(media, extended);
  return { kind, tracks: tracks.map(({ id }) => id), isComplete: tracks.every(({ body, fourCc }) => isComplete(body, fourCc)) };
}

function fourCcName(media: Buffer, multitrack: number): string | undefined {
  const { at } = readExtended(media, multitrack);
  return fourCcNames[media.toString("latin1", at, at + 4)];
}

function isEnhanced(video: Buffer): boolean {
  return (video[0]! & 0x80) !== 0;
}

function frameType(video: Buffer): number {
  return (video[0]! >> 4) & 7;
}

/** Whether the codec is one whose second byte tells headers from frames: AVC, HEVC and AV1 in the old form. */
function hasPacketType(video: Buffer): boolean {
  const codec = video[0]! & 0x0f;
  return codec === 7 || codec === 12 || codec === 13;
}
