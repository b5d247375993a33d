// What the first bytes of an audio or video message tell: whether a player can start there, whether it configures the
// decoder, and the codec's name. Media is never decoded, and anything not understood is ordinary media.
// Source: Adobe FLV 10.1 sections E.4.2 and E.4.3; Enhanced RTMP v2, "ExVideoTagHeader" and "ExAudioTagHeader".

const avcSequenceHeader = 0;
const avcNalu = 1;
const avcSequenceEnd = 2;
const exSequenceStart = 0;
const exSequenceEnd = 2;
const exMetadata = 4;
const exMpeg2TsSequenceStart = 5;
const keyFrame = 1;
const commandFrame = 5;
const exAudioFormat = 9;

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

/** Whether a video message is a frame that decoding can start at. Headers and ends of a sequence are marked as key frames too: they are none here. */
export function isKeyFrame(video: Buffer): boolean {
  if (video.length < 2 || frameType(video) !== keyFrame || isVideoHeader(video)) return false;
  if (isEnhanced(video)) {
    const packet = video[0]! & 0x0f;
    return packet !== exSequenceEnd && packet !== exMetadata;
  }
  return !hasPacketType(video) || video[1] === avcNalu;
}

/** Whether a video message configures the decoder: AVC and HEVC configuration records, or an enhanced sequence start. */
export function isVideoHeader(video: Buffer): boolean {
  if (video.length < 2 || frameType(video) === commandFrame) return false;
  if (isEnhanced(video)) {
    const packet = video[0]! & 0x0f;
    return packet === exSequenceStart || packet === exMpeg2TsSequenceStart;
  }
  return hasPacketType(video) && video[1] === avcSequenceHeader;
}

/** Whether a video message says that a sequence is over, as the last one of a file does. */
export function isSequenceEnd(video: Buffer): boolean {
  if (video.length < 2 || frameType(video) === commandFrame) return false;
  return isEnhanced(video) ? (video[0]! & 0x0f) === exSequenceEnd : hasPacketType(video) && video[1] === avcSequenceEnd;
}

/** Whether an audio message configures the decoder: an AudioSpecificConfig, or an enhanced sequence start. */
export function isAudioHeader(audio: Buffer): boolean {
  if (audio.length < 2) return false;
  const format = audio[0]! >> 4;
  if (format === exAudioFormat) return (audio[0]! & 0x0f) === exSequenceStart;
  return format === 10 && audio[1] === 0;
}

/** The codec of a video message for people, for example `H.264`; `video` when the number is not known. */
export function videoCodec(video: Buffer): string {
  if (video.length === 0) return "";
  if (isEnhanced(video)) return fourCc(video, "video");
  return videoNames[video[0]! & 0x0f] ?? "video";
}

/** The codec of an audio message for people, for example `AAC`; `audio` when the number is not known. */
export function audioCodec(audio: Buffer): string {
  if (audio.length === 0) return "";
  const format = audio[0]! >> 4;
  if (format === exAudioFormat) return fourCc(audio, "audio");
  return audioNames[format] ?? "audio";
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

function fourCc(media: Buffer, otherwise: string): string {
  return fourCcNames[media.toString("latin1", 1, 5)] ?? otherwise;
}
