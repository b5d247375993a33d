// From the blocks `hls`, `dvr`, `ingest`, `transcode` and `exec` of a vhost to what packagers write and run. A block that lacks what ffmpeg
// needs is left out, and rules.ts tells of it. Pure; build.ts makes the rest of a vhost.
import type { DvrBlock, HlsBlock, HlsKeys } from "../meaning/recording.js";
import type { EngineBlock, IngestBlock, TranscodeBlock } from "../meaning/programs.js";
import type { Directive } from "../grammar/parser.js";
import { type Block, blockIn, find, findAll, isGiven, valueOf } from "../meaning/tree.js";

/** A part of less would be more of heads than of media. */
const shortestPartMs = 100;

/** HLS; null where it is off. `isUtc`: as `utc_time` says. */
export function buildHls(vhost: Block<"vhost">, isUtc: boolean): HlsBlock | null {
  const hls = blockIn(vhost, "hls");
  if (!valueOf(hls, "enabled")) return null;
  const path = valueOf(hls, "hls_path");
  const isFmp4 = valueOf(hls, "hls_use_fmp4") || valueOf(hls, "hls_low_latency");
  const keys: HlsKeys = {
    areOn: valueOf(hls, "hls_keys"),
    segmentsPerKey: Math.max(1, valueOf(hls, "hls_fragments_per_key")),
    file: valueOf(hls, "hls_key_file"),
    path: isGiven(hls, "hls_key_file_path") ? valueOf(hls, "hls_key_file_path") : path,
    url: isGiven(hls, "hls_key_url") ? valueOf(hls, "hls_key_url") : null,
  };
  return {
    path,
    listFile: valueOf(hls, "hls_m3u8_file"),
    segmentFile: isFmp4 ? valueOf(hls, "hls_fmp4_file") : valueOf(hls, "hls_ts_file"),
    initFile: isFmp4 ? valueOf(hls, "hls_init_file") : null,
    partMs: valueOf(hls, "hls_low_latency")
      ? Math.min(Math.max(shortestPartMs, valueOf(hls, "hls_part")), valueOf(hls, "hls_fragment"))
      : null,
    followsClock: valueOf(hls, "hls_ts_floor"),
    entryPrefix: valueOf(hls, "hls_entry_prefix") ?? "",
    fragmentMs: valueOf(hls, "hls_fragment"),
    tdRatio: valueOf(hls, "hls_td_ratio"),
    aofRatio: valueOf(hls, "hls_aof_ratio"),
    windowMs: valueOf(hls, "hls_window"),
    onError: valueOf(hls, "hls_on_error"),
    waitsForKeyFrame: valueOf(hls, "hls_wait_keyframe"),
    takesTimes: valueOf(hls, "hls_dts_directly"),
    cleansUp: valueOf(hls, "hls_cleanup"),
    disposeMs: valueOf(hls, "hls_dispose"),
    notifyBytes: valueOf(hls, "hls_nb_notify"),
    hasSessions: valueOf(hls, "hls_ctx"),
    segmentsHaveSession: valueOf(hls, "hls_ts_ctx"),
    isUtc,
    keys,
  };
}

/** Recordings; null where they are off. */
export function buildDvr(vhost: Block<"vhost">, isUtc: boolean): DvrBlock | null {
  const dvr = blockIn(vhost, "dvr");
  if (!valueOf(dvr, "enabled")) return null;
  return {
    apply: isGiven(dvr, "dvr_apply") ? valueOf(dvr, "dvr_apply") : ["all"],
    path: valueOf(dvr, "dvr_path"),
    plan: valueOf(dvr, "dvr_plan"),
    durationMs: valueOf(dvr, "dvr_duration"),
    waitsForKeyFrame: valueOf(dvr, "dvr_wait_keyframe"),
    timeJitter: valueOf(dvr, "time_jitter"),
    isUtc,
  };
}

/** Those that are on and tell what is read and by what. */
export function buildIngests(vhost: Block<"vhost">): IngestBlock[] {
  return findAll(vhost, "ingest").flatMap((at) => {
    const block: Block<"vhost.ingest"> = { place: "vhost.ingest", directives: at.children ?? [] };
    const input = blockIn(block, "input");
    const [ffmpeg, type, url] = [valueOf(block, "ffmpeg"), valueOf(input, "type"), valueOf(input, "url")];
    const engines = findAll(block, "engine").map(engineOf);
    if (!valueOf(block, "enabled") || ffmpeg === null || type === null || url === null) return [];
    return [{ name: at.args[0] ?? "", ffmpeg, input: { type, url }, engines: engines.filter(({ output }) => output !== "") }];
  });
}

/** Those that are on, with the engines that are on. */
export function buildTranscodes(vhost: Block<"vhost">): TranscodeBlock[] {
  return findAll(vhost, "transcode").flatMap((at) => {
    const block: Block<"vhost.transcode"> = { place: "vhost.transcode", directives: at.children ?? [] };
    const ffmpeg = valueOf(block, "ffmpeg");
    const engines = findAll(block, "engine")
      .map(engineOf)
      .filter(({ isOn, output }) => isOn && output !== "");
    if (!valueOf(block, "enabled") || ffmpeg === null || engines.length === 0) return [];
    return [{ scope: at.args[0] ?? "", ffmpeg, engines }];
  });
}

/** The words of each program. */
export function buildExec(vhost: Block<"vhost">): (readonly string[])[] {
  const exec = blockIn(vhost, "exec");
  if (!valueOf(exec, "enabled")) return [];
  return findAll(exec, "publish").flatMap(({ args }) => (args.length === 0 ? [] : [args]));
}

/** Engines of both kinds of block mean the same. */
function engineOf(at: Directive): EngineBlock {
  const block: Block<"vhost.transcode.engine"> = { place: "vhost.transcode.engine", directives: at.children ?? [] };
  const words = (name: "perfile" | "vfilter" | "vparams" | "aparams"): string[] =>
    (find(block, name)?.children ?? []).flatMap(({ name: option, args }) => [`-${option}`].concat(args.slice(0, 1)));
  const even = (size: number | null): number => (size ?? 0) - ((size ?? 0) % 2);
  return {
    name: at.args[0] ?? "",
    isOn: valueOf(block, "enabled"),
    perFile: words("perfile"),
    filters: words("vfilter"),
    inputFormat: valueOf(block, "iformat"),
    video: {
      codec: valueOf(block, "vcodec") ?? "",
      kbps: valueOf(block, "vbitrate") ?? 0,
      framesPerSecond: valueOf(block, "vfps") ?? 0,
      width: even(valueOf(block, "vwidth")),
      height: even(valueOf(block, "vheight")),
      threads: valueOf(block, "vthreads") ?? 0,
      profile: valueOf(block, "vprofile") ?? "",
      preset: valueOf(block, "vpreset") ?? "",
      params: words("vparams"),
    },
    audio: {
      codec: valueOf(block, "acodec") ?? "",
      kbps: valueOf(block, "abitrate") ?? 0,
      sampleRate: valueOf(block, "asample_rate") ?? 0,
      channels: valueOf(block, "achannels") ?? 0,
      params: words("aparams"),
    },
    outputFormat: valueOf(block, "oformat"),
    output: valueOf(block, "output") ?? "",
  };
}
