// Requests for the API and the console at the port of HTTP streaming, where they are asked for there: the admin answers them, and all that
// is done here is to pass them on with who asks.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerSetup } from "../../ipc/messages.js";
import { isForAdmin, isPlayerPage, passToAdmin } from "../../ipc/admin-door.js";

type Way = Pick<ServerSetup, "config" | "adminDoor">;

/** Whether a request is the admin's, before streams and files; then it is answered. `asker`: an address. */
export function passToOperators({ config, adminDoor }: Way, asker: string, request: IncomingMessage, response: ServerResponse): boolean {
  if (adminDoor === undefined || !isForAdmin(request.url ?? "/", config.api.atHttp)) return false;
  passToAdmin(adminDoor, asker, request, response);
  return true;
}

/** The same for the page of the player, where there is no file of that name. */
export function passPlayerPage({ config, adminDoor }: Way, asker: string, request: IncomingMessage, response: ServerResponse): boolean {
  if (adminDoor === undefined || !isPlayerPage(request.url ?? "/", config.api.atHttp)) return false;
  passToAdmin(adminDoor, asker, request, response);
  return true;
}

/** Where the console is, for those who ask the port of HTTP streaming what there is; null: nowhere. */
export function consolePort({ config }: Way): number | null {
  const { api, http } = config;
  return (api.atHttp === null ? api.listen[0] : http?.listen[0])?.port ?? null;
}
