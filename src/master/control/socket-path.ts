// Where control sockets are: a folder that only this user can enter, one socket per running instance, named after the first
// address that it listens on.
import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";

/** The longest path that a Unix socket can have on Linux, sockaddr_un minus its final zero. */
export const maxPathBytes = 107;

/** Where the runtime folders of systemd's services are, `RuntimeDirectory=dolphin/…` in the units that `dolphin unit` prints. */
const servicesFolder = "/run/dolphin";

/**
 * The folder of the default sockets: the one that systemd made for this service, or `$XDG_RUNTIME_DIR/dolphin`, or one of this
 * user's own in the temporary folder.
 */
export function controlFolder(env: Readonly<Record<string, string | undefined>>): string {
  const [ofService] = (env["RUNTIME_DIRECTORY"] ?? "").split(":");
  if (ofService !== undefined && ofService !== "") return ofService;
  const runtime = env["XDG_RUNTIME_DIR"];
  if (runtime !== undefined && runtime !== "") return join(runtime, "dolphin");
  return join(tmpdir(), `dolphin-${process.getuid?.() ?? "user"}`);
}

/** The default control socket of an instance: `1935.sock`, or with its host where it does not listen on all addresses. */
export function controlPath(first: Endpoint, env: Readonly<Record<string, string | undefined>>): string {
  const isEverywhere = first.host === "0.0.0.0" || first.host === "::";
  const name = isEverywhere ? String(first.port) : `${first.host.replaceAll(":", "_")}-${first.port}`;
  return join(controlFolder(env), `${name}.sock`);
}

/** The sockets in the default folder and in those of services, of running instances and of dead ones. */
export function listControlSockets(env: Readonly<Record<string, string | undefined>>): string[] {
  const services = namesIn(servicesFolder).map((name) => join(servicesFolder, name));
  const folders = new Set([controlFolder(env), ...services]);
  return [...folders].flatMap((folder) => {
    const sockets = namesIn(folder).filter((name) => name.endsWith(".sock"));
    return sockets.map((name) => join(folder, name));
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // no folder, or one of another user: nothing that could be asked
  }
}

/** Makes the socket's folder, and trusts the default one only when it is ours alone. Throws CHILD_START. */
export function prepareControlFolder(path: string, env: Readonly<Record<string, string | undefined>>): void {
  if (Buffer.byteLength(path) > maxPathBytes)
    throw new DolphinError("CHILD_START", `the control socket's path is longer than ${maxPathBytes} bytes: ${path}`);
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw new DolphinError("CHILD_START", `cannot make the folder of the control socket ${path}: ${messageOf(thrown)}`, { cause: thrown });
  }
  if (folder !== controlFolder(env)) return;
  const found = lstatSync(folder);
  const isOurs = found.isDirectory() && (process.getuid === undefined || found.uid === process.getuid()) && (found.mode & 0o077) === 0;
  if (!isOurs)
    throw new DolphinError("CHILD_START", `${folder} must be a folder of this user with mode 0700: remove it, or set control_socket`);
}
