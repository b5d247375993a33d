// Synthetic media for the tests: messages with the right headers and a body that can be recognised again, for codecs that
// the ffmpeg at hand cannot publish. No decoder ever sees them, because the server has none.
import type { Media } from "./rtmp-client.js";

export type VideoKind = "avc" | "hevc-legacy" | "hvc1" | "av01";
export type AudioKind = "aac" | "mp3";

const gopFrames = 25;

/** 320x180 baseline, a real one of x264's. */
const avcConfig = Buffer.from("0142c00cffe100176742c00cda05067e7c04400000030040000 00c83c50aa801000468ce0fc8".replace(" ", ""), "hex");
const hevcConfig = Buffer.from(`01016000000090000000000 03ff000fcfdf8f800000f00`.replace(" ", ""), "hex");
const av1Config = Buffer.from("81000c000a0b00000024cf7f0dbffc3008", "hex");

function videoHeader(kind: VideoKind, timestamp = 0): Media {
  const payload = {
    avc: () => Buffer.concat([Buffer.of(0x17, 0, 0, 0, 0), avcConfig]),
    "hevc-legacy": () => Buffer.concat([Buffer.of(0x1c, 0, 0, 0, 0), hevcConfig]),
    hvc1: () => Buffer.concat([Buffer.of(0x90), Buffer.from("hvc1"), hevcConfig]),
    av01: () => Buffer.concat([Buffer.of(0x90), Buffer.from("av01"), av1Config]),
  }[kind]();
  return { type: 9, timestamp, payload };
}

/** A picture; `isKey` every second by default. Composition time 0. */
export function videoFrame(kind: VideoKind, index: number, timestamp: number, sizeBytes = 700, isKey = index % gopFrames === 0): Media {
  const nal = Buffer.alloc(sizeBytes, (index % 200) + 16);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(nal.length);
  nal.writeUInt32BE(index, 1);
  nal[0] = kind === "avc" ? (isKey ? 0x65 : 0x41) : isKey ? 0x26 : 0x02;
  const legacy = (codec: number): Buffer => Buffer.of((isKey ? 0x10 : 0x20) | codec, 1, 0, 0, 0);
  const head = {
    avc: () => legacy(7),
    "hevc-legacy": () => legacy(12),
    // CodedFrames (1) has a composition time for hvc1; AV1 has none.
    hvc1: () => Buffer.concat([Buffer.of(isKey ? 0x91 : 0xa1), Buffer.from("hvc1"), Buffer.of(0, 0, 0)]),
    av01: () => Buffer.concat([Buffer.of(isKey ? 0x91 : 0xa1), Buffer.from("av01")]),
  }[kind]();
  return { type: 9, timestamp, payload: Buffer.concat([head, length, nal]) };
}

/** The AAC sequence header; MP3 has none. */
function audioHeader(timestamp = 0): Media {
  return { type: 8, timestamp, payload: Buffer.of(0xaf, 0, 0x12, 0x10) };
}

function audioFrame(kind: AudioKind, index: number, timestamp: number, sizeBytes = 90): Media {
  const body = Buffer.alloc(sizeBytes, (index % 200) + 32);
  body.writeUInt32BE(index);
  return { type: 8, timestamp, payload: Buffer.concat([kind === "aac" ? Buffer.of(0xaf, 1) : Buffer.of(0x2f), body]) };
}

/** What a camera sends in one step of 40 ms: a picture and two pieces of sound. */
export function step(video: VideoKind | "none", audio: AudioKind | "none", index: number, fromMs = 0): Media[] {
  const at = fromMs + index * 40;
  const sound = audio === "none" ? [] : [audioFrame(audio, index * 2, at), audioFrame(audio, index * 2 + 1, at + 20)];
  return video === "none" ? sound : [videoFrame(video, index, at), ...sound];
}

/** The numbers of the pictures among these messages, as `videoFrame` of H.264 wrote them. */
export function pictures(messages: readonly Media[]): number[] {
  return messages.filter(({ type, payload }) => type === 9 && payload[1] === 1).map(({ payload }) => payload.readUInt32BE(10));
}

/** What comes before the first step. */
export function headers(video: VideoKind | "none", audio: AudioKind | "none", timestamp = 0): Media[] {
  return [...(video === "none" ? [] : [videoHeader(video, timestamp)]), ...(audio === "aac" ? [audioHeader(timestamp)] : [])];
}
