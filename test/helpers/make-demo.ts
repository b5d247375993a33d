// Makes conf/demo.flv, the clip of `dolphin publish --demo`: ffmpeg's own test picture with a clock and a tone with a pip a second, so
// that nobody but this project has rights in it. `make build && node dist/test/helpers/make-demo.js` writes it anew.
//
// It loops without a seam: 16 s are 400 pictures of 40 ms and 750 frames of AAC at 48 kHz, to the sample. The encoder's first frames
// fade in, so the sound is cut from its second round, which is like every later one.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audioRole, role, videoRole } from "../../src/codec/av.js";
import { flvHeader, tagOverhead, writeTag } from "../../src/codec/flv.js";
import { FlvReader, type FlvTag } from "../../src/codec/flv-reader.js";
import { ecmaArray, encodeAmf } from "../../src/codec/rtmp/amf0.js";
import { projectRoot, run } from "./child.js";
import { findFfmpeg } from "./ffmpeg.js";

const seconds = 16;
const framesPerSecond = 25;
const soundFrames = (seconds * 48_000) / 1024;

const picture = `testsrc2=size=640x360:rate=${framesPerSecond}:duration=${seconds}`;
const pip = "0.25*sin(2*PI*880*t)*lt(mod(t\\,1)\\,0.1)*sin(PI*mod(t\\,1)/0.1)";
const sound = `aevalsrc=exprs=0.08*sin(2*PI*220*t)+${pip}:sample_rate=48000:duration=${2 * seconds + 1}`;

const x264 = "-c:v libx264 -preset veryslow -tune animation -profile:v main -pix_fmt yuv420p -bf 0 -crf 32 -threads 1";
const keyFrames = `-g ${2 * framesPerSecond} -keyint_min ${2 * framesPerSecond} -sc_threshold 0`;

const tags = [
  ...(await encode(`-f lavfi -i ${picture} ${x264} ${keyFrames}`)),
  ...(await encode(`-f lavfi -i ${sound} -ac 1 -c:a aac -b:a 40k`)),
];
const pictures = tags.filter(({ type }) => type === 9);
const sounds = tags.filter(({ type }) => type === 8);
const videoHeader = pictures.filter(({ payload }) => videoRole(payload) === role.header);
const audioHeader = sounds.filter(({ payload }) => audioRole(payload) === role.header);
const video = pictures.filter(({ payload }) => videoRole(payload) === role.frame || videoRole(payload) === role.keyFrame);
const audio = sounds.filter(({ payload }) => audioRole(payload) === role.frame);
const description = { title: "dolphin demo", width: 640, height: 360, framerate: framesPerSecond, videocodecid: 7, audiocodecid: 10 };
const metadata = { type: 18, timestamp: 0, payload: encodeAmf("onMetaData", ecmaArray({ duration: seconds, ...description })) };

const media = [
  ...video.map(({ payload }, at) => ({ type: 9, timestamp: (at * 1000) / framesPerSecond, payload })),
  // One more frame is the encoder's delay.
  ...audio
    .slice(soundFrames + 1, 2 * soundFrames + 1)
    .map(({ payload }, at) => ({ type: 8, timestamp: Math.floor((at * 1024) / 48), payload })),
].sort((one, other) => one.timestamp - other.timestamp);
if (media.length !== seconds * framesPerSecond + soundFrames) throw new Error(`${media.length} frames`);

const path = join(projectRoot, "conf/demo.flv");
writeFileSync(path, Buffer.concat([flvHeader(true, true), ...[metadata, ...videoHeader, ...audioHeader, ...media].map(tagBytes)]));

async function encode(args: string): Promise<FlvTag[]> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-demo-"));
  try {
    const file = join(folder, "part.flv");
    await run(findFfmpeg(), ["-hide_banner", "-loglevel", "error", "-y", ...args.split(" "), "-f", "flv", file], 120_000);
    const found: FlvTag[] = [];
    new FlvReader((tag) => found.push(tag)).push(readFileSync(file));
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tagBytes({ type, timestamp, payload }: FlvTag): Buffer {
  const out = Buffer.alloc(payload.length + tagOverhead);
  writeTag(out, 0, type, timestamp, payload);
  return out;
}
