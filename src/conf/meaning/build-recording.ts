// From the blocks `hls` and `dvr` of a vhost to what is written to disk. Pure; build.ts makes the rest of a vhost.
import type { DvrBlock, HlsBlock, HlsKeys } from "./config.js";
import { type Block, blockIn, isGiven, valueOf } from "./tree.js";

/** A part of less would be more of heads than of media. */
const shortestPartMs = 100;

/** HLS; null where it is off. */
export function buildHls(vhost: Block<"vhost">): HlsBlock | null {
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
    keys,
  };
}

/** Recordings; null where they are off. */
export function buildDvr(vhost: Block<"vhost">): DvrBlock | null {
  const dvr = blockIn(vhost, "dvr");
  if (!valueOf(dvr, "enabled")) return null;
  return {
    apply: isGiven(dvr, "dvr_apply") ? valueOf(dvr, "dvr_apply") : ["all"],
    path: valueOf(dvr, "dvr_path"),
    plan: valueOf(dvr, "dvr_plan"),
    durationMs: valueOf(dvr, "dvr_duration"),
    waitsForKeyFrame: valueOf(dvr, "dvr_wait_keyframe"),
    timeJitter: valueOf(dvr, "time_jitter"),
  };
}
