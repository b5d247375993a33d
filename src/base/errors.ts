// The one error class and the list of its codes. Codes name an area and a cause; operators find each of them,
// with its remedy, in docs/errors.md, and a test holds the two lists equal. Layers below `server` throw;
// whoever owns a session, a child or a command line catches once, logs the code as `code`, and closes.

/** Every code that an error, a closed connection or a refused start can carry. */
export const errorCodes = [
  "API_REFUSED",
  "API_SERVER_SILENT",
  "CONF_ARGUMENTS",
  "CONF_DUPLICATE",
  "CONF_FILE",
  "CONF_NOT_SERVED",
  "CONF_PLACE",
  "CONF_RELOAD",
  "CONF_RENAMED",
  "CONF_SYNTAX",
  "CONF_UNGUARDED",
  "CONF_UNKNOWN",
  "CONF_VALUE",
  "RTMP_AGGREGATE",
  "RTMP_AMF",
  "RTMP_BUSY",
  "RTMP_CHUNK_HEADER",
  "RTMP_CHUNK_SIZE",
  "RTMP_CHUNK_STREAMS",
  "RTMP_COMMAND",
  "RTMP_DENIED",
  "RTMP_DRAINED",
  "RTMP_FLOOD",
  "RTMP_FULL",
  "RTMP_HANDSHAKE",
  "RTMP_IDLE",
  "RTMP_KICKED",
  "RTMP_MEMORY",
  "RTMP_MESSAGE_SIZE",
  "RTMP_NAME",
  "RTMP_RELOAD",
  "RTMP_SLOW",
  "RTMP_STATE",
  "RTMP_STREAMS",
  "RTMP_TIMEOUT",
  "RTMP_VHOST",
  "FLV_FILE",
  "FLV_NOT_FOUND",
  "FLV_REQUEST",
  "FLV_SLOW",
  "HLS_SESSION",
  "HOOK_FAILED",
  "HOOK_JOURNAL",
  "HOOK_REFUSED",
  "REGISTRY_AWAY",
  "REGISTRY_CLIENT",
  "REGISTRY_LOST",
  "REGISTRY_NAME",
  "REGISTRY_REFUSED",
  "RELAY_CLOSED",
  "RELAY_CONNECT",
  "RELAY_HOPS",
  "RELAY_LOOP",
  "RELAY_REDIRECT",
  "RELAY_REFUSED",
  "RELAY_SILENT",
  "RELAY_TIMEOUT",
  "PACK_FULL",
  "PACK_LOOP",
  "PACK_NAME",
  "PACK_PROGRAM",
  "PACK_SLOW",
  "PACK_WRITE",
  "BACKUP_PEER",
  "BACKUP_SEGMENT",
  "BACKUP_WRITE",
  "PROXY_ANSWER",
  "PROXY_CONNECT",
  "PROXY_HEADER",
  "PROXY_IDLE",
  "PROXY_LIMIT",
  "PROXY_NO_SERVER",
  "PROXY_PUMP",
  "IPC_MESSAGE",
  "LOG_ROTATE",
  "LOG_WRITE",
  "CHILD_EXITED",
  "CHILD_GAVE_UP",
  "CHILD_HUNG",
  "CHILD_LISTEN",
  "CHILD_START",
  "INTERNAL",
] as const;

/** One of {@link errorCodes}. */
export type ErrorCode = (typeof errorCodes)[number];

/** An expected failure: a code for machines, a sentence for people, and the cause where there is one. */
export class DolphinError extends Error {
  override readonly name = "DolphinError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * What ends in a boundary: an expected failure as it is, anything else as INTERNAL with its cause. A mistake of ours in one
 * connection must cost that connection, not the process with everybody else's.
 */
export function asDolphinError(thrown: unknown): DolphinError {
  return thrown instanceof DolphinError ? thrown : new DolphinError("INTERNAL", messageOf(thrown), { cause: thrown });
}

/** The sentence of anything that was thrown, for a log line or a terminal. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The system's error code (`ECONNREFUSED` …) of anything that was thrown, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
