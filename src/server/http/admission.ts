// Whether a viewer over HTTP may come in, as the site's backend says: asked when his request was read and before anything is answered.
import { DolphinError } from "../../base/errors.js";
import type { Admission, Asking } from "../../hooks/hooks.js";
import type { Due } from "../../ipc/dues.js";
import type { Vhost } from "../../conf/meaning/config.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Hub } from "../streams/hub.js";

export interface HttpVisitor {
  readonly conn: string;
  readonly ip: string;
  readonly page: string;
  readonly vhost: Vhost;
  readonly stream: StreamRequest;
}

/** Asks. What is due when he leaves, or why he may not come in, is told later where anybody is asked, unless he leaves before. */
export function admitHttp(hub: Hub, visitor: HttpVisitor, answered: (answer: Due | DolphinError | null) => void): Asking | Admission {
  const { conn, ip, page: pageUrl, vhost, stream } = visitor;
  const { app, stream: name, params } = stream;
  const tcUrl = `rtmp://${vhost.name}/${app}`; // as SRS tells it
  return hub.hooks.admit({
    visitor: { conn, id: conn, ip, vhost: vhost.name, app, stream: name, params, tcUrl, pageUrl },
    wants: "play",
    vhost,
    connection: null,
    clients: () => hub.playersOf(`${vhost.name}/${app}/${name}`),
    onConnected: () => undefined,
    onAnswer: (answer) => answered(answer instanceof DolphinError ? answer : answer.due),
  });
}

/** Whoever was let in does not begin after all. */
export function endUnbegun(hub: Hub, due: Due | DolphinError | null): void {
  if (due !== null && !(due instanceof DolphinError)) hub.hooks.end(due);
}
