// Everything about this machine that would keep a box from starting, found without starting it and without leaving anything: the
// files and folders it writes, an instance that runs already, its ports, its limits. What stands behind the proxies of plan b
// is looked at by box/plan-b/server-check.ts. Nothing here throws: a finding is one sentence with its remedy.
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { errnoOf, messageOf } from "../base/errors.js";
import { isProgram } from "../base/programs/find.js";
import type { Config } from "../conf/meaning/config.js";
import { loopback } from "../conf/meaning/endpoint.js";
import { loadDescriptorLinks } from "../ipc/descriptor-link.js";
import { fetchStatus } from "./control/client.js";
import { controlPath, maxPathBytes } from "./control/socket-path.js";
import { countCores } from "./host/cores.js";
import { loadFileLocks } from "./host/file-lock.js";
import { Listeners } from "./sockets/listeners.js";
import { checkOpenFiles, fewFilesWarning, readMaxOpenFiles } from "./processes/open-files.js";
import { alreadyRuns, findHolder } from "./host/pid-file.js";
import { checkPlan } from "./backends/plan.js";

export interface Finding {
  /** An error would stop the start. */
  readonly severity: "error" | "warning";
  readonly sentence: string;
}

/** All findings about a start with this configuration, in the present folder, which is its `work_dir`. */
export async function preflight(config: Config): Promise<Finding[]> {
  const socket = controlSocketOf(config);
  return [
    ...findImpossible(config),
    ...findUnwritable(config, socket),
    ...(await findInstance(config, socket)),
    ...(await findPorts(config)),
    ...(await findUncarried(config)),
    ...findPrograms(config),
  ];
}

/** What is asked for and cannot be, whatever else runs here: directives that exclude each other, limits of this process. */
export function findImpossible(config: Config): Finding[] {
  const maxOpenFiles = readMaxOpenFiles();
  const warning = fewFilesWarning(config, maxOpenFiles);
  return [
    ...findThrown(() => checkPlan(config)),
    ...findLongPath(controlSocketOf(config)),
    ...findThrown(() => checkCertificate(config)),
    ...findThrown(() => checkOpenFiles(config, { cores: countCores(), maxOpenFiles })),
    ...(warning === null ? [] : [{ severity: "warning", sentence: warning } as const]),
  ];
}

function checkCertificate({ api: { tls } }: Config): void {
  if (tls === null) return;
  try {
    createSecureContext({ key: readFileSync(tls.key), cert: readFileSync(tls.cert) });
  } catch (thrown) {
    throw new Error(`https of http_api: ${messageOf(thrown)}; its key is ${tls.key}, its cert ${tls.cert}`, { cause: thrown });
  }
}

/** What a check that throws has to say. */
function findThrown(check: () => void): Finding[] {
  try {
    check();
    return [];
  } catch (thrown) {
    return [refusal(messageOf(thrown))];
  }
}

export function refusal(sentence: string): Finding {
  return { severity: "error", sentence };
}

function findUnwritable({ log, pidFile }: Config, socket: string): Finding[] {
  const files: [what: string, path: string | null, remedy: string][] = [
    ["the log", log.file, "srs_log_file"],
    ["the pid file", pidFile, "pid"],
    ["the control socket", socket, "control_socket"],
  ];
  return files.flatMap(([what, path, directive]) => {
    const problem = path === null ? null : unwritable(resolve(path));
    return problem === null ? [] : [refusal(`${what} ${path ?? ""} cannot be written: ${problem}; correct that, or ${directive}`)];
  });
}

function findLongPath(socket: string): Finding[] {
  if (Buffer.byteLength(socket) <= maxPathBytes) return [];
  return [refusal(`the control socket's path is longer than ${maxPathBytes} bytes: ${socket}; write a shorter control_socket`)];
}

/** Why a file cannot be written or made, with its folders; null: it can. */
function unwritable(path: string): string | null {
  const isThere = existsSync(path);
  const existing = isThere ? path : nearestExisting(dirname(path));
  try {
    if (isThere && statSync(path).isDirectory()) return `${path} is a folder`;
    if (!isThere && !statSync(existing).isDirectory()) return `${existing} is not a folder`;
    accessSync(existing, isThere ? constants.W_OK : constants.W_OK | constants.X_OK);
    return null;
  } catch (thrown) {
    const errno = errnoOf(thrown) ?? "";
    return ["EACCES", "EPERM"].includes(errno) ? `this user may not write ${existing} (${errno})` : messageOf(thrown);
  }
}

function nearestExisting(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestExisting(dirname(folder));
}

async function findInstance({ pidFile }: Config, socket: string): Promise<Finding[]> {
  const found: Finding[] = [];
  const holder = pidFile === null ? null : findHolder(pidFile, await loadFileLocks());
  if (pidFile !== null && holder !== null) found.push(refusal(alreadyRuns(pidFile, holder.pid)));
  const box = await fetchStatus(socket).catch(() => null); // nobody answers, as it should be
  if (box !== null) {
    found.push(
      refusal(`another dolphin, process ${box.pid}, answers on ${socket}: stop it first, or give this one another control_socket`),
    );
  }
  return found;
}

/** What is promised of connections and takes calls of the system that Node has no words for. */
async function findUncarried({ dolphin }: Config): Promise<Finding[]> {
  if (!dolphin.carriesSessions || (await loadDescriptorLinks()) !== null) return [];
  const sentence =
    "connections will end with the process that serves them: to carry them over takes Linux (x64, arm64) and the package koffi";
  return [{ severity: "warning", sentence: `${sentence}; install it, or write carry_sessions off` }];
}

/** ffmpeg and the like are the user's own; a box serves without them. */
function findPrograms({ vhosts }: Config): Finding[] {
  const found: Finding[] = [];
  const look = (what: string, program: string): void => {
    if (program.includes("[") || isProgram(program)) return; // some names are known only with a stream
    const sentence = `${what} runs ${program}, which is no program here: install it, or write its path`;
    found.push({ severity: "warning", sentence });
  };
  for (const { name, ingests, transcodes, exec } of vhosts.filter(({ enabled }) => enabled)) {
    for (const ingest of ingests) look(`ingest ${ingest.name} of the vhost ${name}`, ingest.ffmpeg);
    for (const { scope, ffmpeg } of transcodes) look(`transcode ${scope === "" ? "" : `${scope} `}of the vhost ${name}`, ffmpeg);
    for (const [program = ""] of exec) look(`exec of the vhost ${name}`, program);
  }
  return found;
}

async function findPorts({ listen, http, api, exporter, dolphin }: Config): Promise<Finding[]> {
  const { plan, balance } = dolphin;
  const behind = plan === "b" ? [...(balance.serverPorts?.rtmp ?? []), ...(balance.serverPorts?.http ?? [])] : [];
  const admins = api.mayLack ? [] : [...api.listen, ...(api.tls?.listen ?? []), ...exporter.listen];
  const wanted = [...listen, ...(http?.listen ?? []), ...admins, ...behind.map((port) => ({ host: loopback, port }))];
  // Without slots nothing is kept open.
  const listeners = new Listeners(null);
  const found: Finding[] = [];
  for (const endpoint of wanted) {
    try {
      await listeners.add("rtmp", endpoint, []);
    } catch (thrown) {
      found.push(refusal(messageOf(thrown)));
    }
  }
  listeners.close();
  return found;
}

function controlSocketOf({ dolphin, listen }: Config): string {
  const [first = { host: loopback, port: 0 }] = listen;
  return dolphin.controlSocket ?? controlPath(first, process.env);
}
