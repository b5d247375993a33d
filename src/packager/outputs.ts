// What a stream is written into, by its vhost: HLS, recordings, both or neither; and what is said of each file.
import type { Log } from "../base/log.js";
import { isHidden } from "../codec/hidden-path.js";
import type { WatchedStream } from "../codec/rtmp/watch.js";
import type { HlsBlock } from "../conf/meaning/recording.js";
import type { Vhost } from "../conf/meaning/config.js";
import type { Hooks } from "../hooks/hooks.js";
import type { Identity } from "../ipc/identity.js";
import { DvrOutput } from "./dvr/dvr-output.js";
import type { FinishedRecording } from "./dvr/dvr-state.js";
import { HlsOutput, type FinishedSegment } from "./hls/hls-output.js";
import { fillStream, type StreamName } from "./media/names.js";
import type { Output } from "./media/output.js";
import type { StateFiles } from "./media/state-files.js";
import { Teller } from "./teller.js";

export type OutputKind = "hls" | "dvr";

export interface OutputsOptions {
  readonly name: StreamName;
  readonly vhost: Vhost;
  /** As `dvr_apply` or an operator says. */
  readonly isRecorded: boolean;
  /** Which of them are asked for. */
  readonly kinds: readonly OutputKind[];
  /** As in `DvrOptions`. */
  readonly minFreeBytes: number | null;
  readonly states: StateFiles;
  readonly hooks: Hooks;
  readonly identity: Identity;
  readonly log: Log;
  readonly vhostNow: () => Vhost;
  readonly by: () => WatchedStream;
}

/** Reads what is remembered of a stream. Throws PACK_NAME for one that nothing may be written of. */
export async function loadOutputs(options: OutputsOptions): Promise<Output[]> {
  const { name, vhost, isRecorded, kinds, minFreeBytes, states, hooks, identity, log } = options;
  const teller = (): Teller => new Teller(hooks, identity, options.vhostNow(), options.by());
  const outputs: Output[] = [];
  const { hls, dvr } = vhost;
  if (hls !== null && kinds.includes("hls") && isHiddenBy(hls, name)) {
    const told = "a name that begins with a dot is hidden, and is not served over HTTP: no HLS is written of it";
    log.warn({ event: "package.refused", code: "PACK_NAME" }, told);
  } else if (hls !== null && kinds.includes("hls")) {
    const onSegment = (segment: FinishedSegment): void => {
      const { path, sequence, durationMs, sizeBytes } = segment;
      log.debug({ event: "hls.segment", file: path, seq: sequence, durMs: durationMs, bytesOut: sizeBytes });
      teller().segment(segment);
    };
    outputs.push(await HlsOutput.load({ name, settings: hls, states, log, onSegment }));
  }
  if (dvr !== null && isRecorded && kinds.includes("dvr")) {
    const onFile = (file: FinishedRecording): void => {
      log.info({ event: "dvr.finished", file: file.path, durMs: file.durationMs, bytesOut: file.sizeBytes });
      teller().recording(file);
    };
    outputs.push(await DvrOutput.load({ name, settings: dvr, minFreeBytes, states, log, onFile }));
  }
  return outputs;
}

/** Whether a file of a stream's HLS would be hidden for its name, and not because the template says so. Recordings are found by lists. */
function isHiddenBy({ listFile, segmentFile, initFile }: HlsBlock, name: StreamName): boolean {
  return [listFile, segmentFile, initFile ?? ""].some((template) => isHidden(fillStream(template, name)) && !isHidden(template));
}
