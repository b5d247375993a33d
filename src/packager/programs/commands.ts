// From the blocks `ingest`, `transcode` and `exec` to the words of programs, in the order in which SRS puts them. Each word is one
// argument: nothing that a stream is called can become another one, and no shell ever sees it. Pure.
import { defaultVhost } from "../../base/host-name.js";
import { resolveStream } from "../../codec/rtmp/url.js";
import type { WatchedStream } from "../../codec/rtmp/watch.js";
import type { EngineBlock, IngestBlock, TranscodeBlock } from "../../conf/meaning/programs.js";
import type { Config, Endpoint, Vhost } from "../../conf/meaning/config.js";
import { loopback } from "../../conf/meaning/endpoint.js";
import { fillStream, fillTime, type StreamName } from "../media/names.js";

/** A program to run. */
export interface Command {
  readonly kind: "ingest" | "transcode" | "exec";
  /** The engine's, the ingest's with its engine's, or the number of an exec. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly input: string;
  /** Where it publishes; empty: that is its own affair. */
  readonly output: string;
  /** Files that its output is added to in place of the log. */
  readonly stdout: string | null;
  readonly stderr: string | null;
}

/** What commands are made of beside the blocks. */
export interface Place {
  /** Where this box is reached from this machine. */
  readonly rtmp: Endpoint;
  readonly logLevel: string;
}

/** Where programs of this machine find the box. */
export function placeOf({ listen, dolphin }: Config): Place {
  const { host = loopback, port = 1935 } = listen[0] ?? {};
  const isAny = host === "0.0.0.0" || host === "::" || host === "";
  return { rtmp: { host: isAny ? loopback : host, port }, logLevel: dolphin.ffmpegLogLevel };
}

/** What brings streams into a vhost. One engine makes one command, and an ingest without any is none. */
export function ingestCommands(vhost: Vhost, place: Place): Command[] {
  return vhost.ingests.flatMap((ingest) => ingest.engines.map((engine) => ingestCommand(vhost, ingest, engine, place)));
}

function ingestCommand(vhost: Vhost, { name, ffmpeg, input, engines }: IngestBlock, engine: EngineBlock, place: Place): Command {
  const filled = fillTime(engine.output.replaceAll("[vhost]", vhost.name).replaceAll("[port]", String(place.rtmp.port)), Date.now());
  const output = withoutDefault(filled);
  const isCopy = !engine.isOn || engine.video.codec === "" || engine.audio.codec === "";
  const pace = input.type === "file" ? ["-re"] : [];
  const codecs = isCopy ? ["-vcodec", "copy", "-acodec", "copy"] : codecWords(engine);
  const before = isCopy ? [] : engine.perFile;
  const argv = [ffmpeg, ...quiet(place), ...before, ...pace, "-i", input.url, ...codecs, "-f", "flv", "-y", output];
  return {
    kind: "ingest",
    name: engines.length > 1 ? `${name} ${engine.name}` : name,
    argv,
    input: input.url,
    output,
    stdout: null,
    stderr: null,
  };
}

/** What is made of a stream: by the blocks for all streams, for its app, and for itself. */
export function transcodeCommands(vhost: Vhost, [, app, stream, , , params]: WatchedStream, place: Place): Command[] {
  const name = { vhost: vhost.name, app, stream };
  return transcodesOf(vhost, name).flatMap(({ ffmpeg, engines }) =>
    engines.map((engine) => {
      const input = `rtmp://${hostOf(place.rtmp)}/${app}/${stream}?vhost=${vhost.name}`;
      const output = fillOutput(engine, name, params, place);
      const format = engine.inputFormat === "off" || engine.inputFormat === "" ? [] : ["-f", engine.inputFormat];
      const argv = [
        ffmpeg,
        ...quiet(place),
        ...engine.perFile,
        ...format,
        "-i",
        input,
        ...codecWords(engine),
        ...outputWords(engine, output),
      ];
      return { kind: "transcode", name: engine.name, argv, input, output, stdout: null, stderr: null };
    }),
  );
}

/** Of several blocks of one scope the first counts. */
function transcodesOf({ transcodes }: Vhost, { app, stream }: StreamName): TranscodeBlock[] {
  return ["", app, `${app}/${stream}`].flatMap((scope) => transcodes.find((one) => one.scope === scope) ?? []);
}

function fillOutput(engine: EngineBlock, name: StreamName, params: string, { rtmp }: Place): string {
  const text = engine.output
    .replaceAll("[port]", String(rtmp.port))
    .replaceAll("[engine]", engine.name)
    .replaceAll("[param]", params.replace(/^\?/, ""));
  return fillTime(fillStream(text, name), Date.now());
}

/** Programs that run while a stream is published. */
export function execCommands(vhost: Vhost, [, app, stream, , , , tcUrl]: WatchedStream, place: Place): Command[] {
  const input = `rtmp://${hostOf(place.rtmp)}/${app}/${stream}?vhost=${vhost.name}`;
  const nowMs = Date.now();
  const fill = (word: string): string =>
    fillTime(
      fillStream(word, { vhost: vhost.name, app, stream })
        .replaceAll("[port]", String(place.rtmp.port))
        .replaceAll("[tcUrl]", tcUrl)
        .replaceAll(/\[(?:swfUrl|pageUrl)\]/g, "") // an encoder has no page
        .replaceAll("[url]", input),
      nowMs,
    );
  return vhost.exec.flatMap((words, index): Command[] => {
    const filled = words.map(fill);
    // The name of a stream is a stranger's: it may be a word, and no option.
    if (filled.some((word, at) => word.startsWith("-") && !words[at]!.startsWith("-"))) return [];
    return [{ kind: "exec", name: String(index + 1), input, output: "", ...redirected(filled) }];
  });
}

/** Takes `>file`, `1> file`, `2>file` and `2>&1` out of a command, where they stand as words of their own. */
function redirected(words: readonly string[]): Pick<Command, "argv" | "stdout" | "stderr"> {
  const argv: string[] = [];
  let stdout: string | null = null;
  let stderr: string | null = null;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const [, number = "", told = ""] = /^([12]?)>{1,2}(.*)$/.exec(word) ?? [];
    if (!/^[12]?>/.test(word)) {
      argv.push(word);
      continue;
    }
    const file = told === "" ? (words[++at] ?? "") : told;
    const target: string | null = file === "&1" ? stdout : file === "" ? null : file;
    if (number === "2") stderr = target;
    else stdout = target;
  }
  return { argv, stdout, stderr };
}

/** Words for pictures and sound. What is copied or left out takes no others. */
function codecWords({ filters, video, audio }: EngineBlock): string[] {
  const words: string[] = [];
  const add = (option: string, value: string | number): void => {
    if (value !== "" && value !== 0) words.push(option, String(value));
  };
  const isEncoded = video.codec !== "copy" && video.codec !== "vn" && video.codec !== "";
  if (isEncoded) words.push(...filters);
  if (video.codec === "vn") words.push("-vn");
  else words.push("-vcodec", video.codec === "" ? "copy" : video.codec);
  if (isEncoded) {
    add("-b:v", video.kbps * 1000);
    add("-r", video.framesPerSecond);
    if (video.width > 0 && video.height > 0)
      words.push("-s", `${video.width}x${video.height}`, "-aspect", `${video.width}:${video.height}`);
    add("-threads", video.threads);
    add("-profile:v", video.profile);
    add("-preset", video.preset);
    words.push(...video.params);
  }
  if (audio.codec === "an") words.push("-an");
  else words.push("-acodec", audio.codec === "" ? "copy" : audio.codec);
  if (audio.codec === "an" || audio.codec === "") return words;
  if (audio.codec !== "copy") {
    add("-b:a", audio.kbps * 1000);
    add("-ar", audio.sampleRate);
    add("-ac", audio.channels);
    words.push(...audio.params);
  } else if (audio.params.includes("-bsf:a")) words.push(...audio.params); // of a copy a filter of bits can be wanted
  return words;
}

function outputWords({ outputFormat }: EngineBlock, output: string): string[] {
  return [...(outputFormat === "off" || outputFormat === "" ? [] : ["-f", outputFormat]), "-y", output];
}

/** Its progress is for terminals. */
function quiet({ logLevel }: Place): string[] {
  return ["-hide_banner", "-nostats", "-loglevel", logLevel];
}

function hostOf({ host, port }: Endpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** As SRS has it: the default vhost needs no name. */
function withoutDefault(url: string): string {
  return url.replace(new RegExp(`([?&])vhost=${defaultVhost}(&|(?=/)|$)`), (_, before: string, after: string) =>
    after === "&" ? before : "",
  );
}

/**
 * Whether a stream is what an engine makes of another one that is live: then nothing is made of it, or it would go round for ever. Of two
 * that would be made of each other the one of the vhost that is first in the file counts as the publisher's.
 */
export function isMade(vhosts: readonly Vhost[], name: StreamName, place: Place, isLive: (name: StreamName) => boolean): boolean {
  return sourcesOf(vhosts, name, place).some((source) => {
    if (!isLive(source)) return false;
    const isMutual = sourcesOf(vhosts, source, place).some((one) => isSame(one, name));
    return !isMutual || indexOf(vhosts, source) < indexOf(vhosts, name);
  });
}

function indexOf(vhosts: readonly Vhost[], { vhost }: StreamName): number {
  return vhosts.findIndex(({ name }) => name === vhost);
}

function isSame(one: StreamName, other: StreamName): boolean {
  return one.vhost === other.vhost && one.app === other.app && one.stream === other.stream;
}

const [appMark, streamMark] = ["mark-of-app", "mark-of-stream"];

/** The streams of which an engine would make this one. */
function sourcesOf(vhosts: readonly Vhost[], name: StreamName, place: Place): StreamName[] {
  return vhosts
    .filter(({ enabled }) => enabled)
    .flatMap((vhost) =>
      vhost.transcodes.flatMap(({ scope, engines }) =>
        engines.flatMap((engine) => {
          const source = sourceOf(vhosts, vhost, engine, name, place);
          if (source === null || isSame(source, name)) return [];
          return ["", source.app, `${source.app}/${source.stream}`].includes(scope) ? [source] : [];
        }),
      ),
    );
}

function sourceOf(vhosts: readonly Vhost[], vhost: Vhost, engine: EngineBlock, name: StreamName, place: Place): StreamName | null {
  const url = fillOutput(engine, { vhost: vhost.name, app: appMark, stream: streamMark }, "", place);
  const [, host = "", port = ""] = /^rtmp:\/\/([^/:]+)(?::(\d+))?\//.exec(url) ?? [];
  const isHere = ["127.0.0.1", "localhost", place.rtmp.host].includes(host) && Number(port === "" ? 1935 : port) === place.rtmp.port;
  if (!isHere) return null;
  let made: StreamName;
  try {
    const slash = url.lastIndexOf("/");
    made = resolveStream(url.slice(0, slash), "", url.slice(slash + 1));
  } catch {
    return null; // it is no address of a stream
  }
  const madeVhost = vhosts.some((one) => one.name === made.vhost) ? made.vhost : defaultVhost;
  if (madeVhost !== name.vhost) return null;
  const app = found(made.app, name.app, appMark);
  const stream = found(made.stream, name.stream, streamMark);
  if (app === null || stream === null) return null;
  return { vhost: vhost.name, app: app === "" ? name.app : app, stream: stream === "" ? name.stream : stream };
}

/** What stands for the mark in a text of this pattern; empty: there is no mark; null: it is no such text. */
function found(pattern: string, text: string, mark: string): string | null {
  const at = pattern.indexOf(mark);
  if (at < 0) return pattern === text ? "" : null;
  const [before, behind] = [pattern.slice(0, at), pattern.slice(at + mark.length)];
  const isFit = text.length > before.length + behind.length && text.startsWith(before) && text.endsWith(behind);
  return isFit ? text.slice(before.length, text.length - behind.length) : null;
}
