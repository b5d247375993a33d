// The exit codes of every process, after sysexits.h, so that a service manager can tell what is worth another try.
import { DolphinError, errnoOf } from "./errors.js";

export const exitCodes = {
  ok: 0,
  usage: 64,
  /** The file to publish cannot be played. */
  noInput: 66,
  /**
   * `dolphin status` found nobody to ask, `dolphin publish` no server that takes the stream; also of bin/dolphin.js, when it is not
   * built or not installed whole.
   */
  unavailable: 69,
  internal: 70,
  cannotFork: 71,
  /** The pid file or the control socket cannot be made, or belongs to another that runs. */
  cannotCreate: 73,
  /** Nothing could be kept alive; trying again later may help. */
  gaveUp: 75,
  noPermission: 77,
  config: 78,
  /** The number of EADDRINUSE. */
  addressInUse: 98,
  /** The number of EADDRNOTAVAIL: an address or a name that is not there, and may be there later. */
  addressNotThere: 99,
  /** What SRS answers to a wrong flag and to `-t` with a wrong file: its error 1023, of which the system keeps 8 bits. */
  srsConfig: 255,
} as const;

/** The exit code of a start that failed with this error. */
export function exitCodeOf(thrown: unknown): number {
  if (!(thrown instanceof DolphinError)) return exitCodes.internal;
  if (thrown.code.startsWith("CONF_")) return exitCodes.config;
  if (thrown.code === "CHILD_START") return exitCodes.cannotCreate;
  if (thrown.code !== "CHILD_LISTEN") return exitCodes.internal;
  switch (errnoOf(thrown.cause)) {
    case "EADDRINUSE":
      return exitCodes.addressInUse;
    case "EACCES":
    case "EPERM":
      return exitCodes.noPermission;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return exitCodes.addressNotThere; // a DHCP lease, a VIP or a resolver that comes later than we do
    case "EAFNOSUPPORT":
    case undefined:
      return exitCodes.config;
    default:
      return exitCodes.gaveUp; // the system lacks something, such as memory
  }
}
