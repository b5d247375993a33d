// Where streams and what is written of them are found over HTTP, as paths on the port of HTTP streaming: by the mounts and folders of the
// configuration. Pure.
import { relative, resolve, sep } from "node:path";
import type { Config, Vhost } from "../../conf/meaning/config.js";
import type { StreamRow } from "./shapes.js";

type Name = Pick<StreamRow, "vhost" | "app" | "stream">;

/** Of one stream; null: it is not served so. */
export function pathsOf(name: Name, config: Pick<Config, "vhosts" | "httpDir">): StreamRow["paths"] {
  const vhost = config.vhosts.find((one) => one.name === name.vhost);
  if (vhost === undefined) return { flv: null, hls: null };
  const { httpRemux, hls } = vhost;
  const mount = httpRemux.enabled ? httpRemux.mounts.find((one) => one.endsWith(".flv")) : undefined;
  return {
    flv: mount === undefined ? null : asked(filled(mountPath(mount, name.vhost), name).split("/"), name),
    hls: hls === null ? null : filePath(filled(`${hls.path.replace(/\/+$/, "")}/${hls.listFile}`, name), name, vhost, config.httpDir),
  };
}

/** Below the folder that answers for its place: the vhost's own, before the server's. */
function filePath(file: string, name: Name, { httpStatic }: Vhost, httpDir: string): string | null {
  const below = httpStatic === null ? null : `${mountPath(httpStatic.mount, name.vhost)}/`.replace(/\/+$/, "/");
  if (httpStatic !== null && below !== null) {
    const parts = partsBelow(httpStatic.dir.replaceAll("[vhost]", name.vhost), file);
    if (parts !== null) return asked([...below.split("/").filter((part) => part !== ""), ...parts], name);
  }
  const parts = partsBelow(httpDir, file);
  return parts === null || (below !== null && `/${parts.join("/")}`.startsWith(below)) ? null : asked(parts, name);
}

function partsBelow(folder: string, file: string): string[] | null {
  const path = relative(resolve(folder), resolve(file));
  return path === "" || path.startsWith("..") ? null : path.split(sep);
}

/** A mount without the host that stands before its first slash. */
function mountPath(mount: string, vhost: string): string {
  const text = mount.replaceAll("[vhost]", vhost);
  return text.includes("/") ? text.slice(text.indexOf("/")) : "";
}

/** Percent-encoded, with the vhost where its name does not follow from the host. */
function asked(parts: readonly string[], name: Name): string {
  const path = parts.filter((part) => part !== "").map(encodeURIComponent);
  const query = name.vhost === "__defaultVhost__" ? "" : `?vhost=${encodeURIComponent(name.vhost)}`;
  return `/${path.join("/")}${query}`;
}

function filled(template: string, { vhost, app, stream }: Name): string {
  const values: Readonly<Record<string, string>> = { "[vhost]": vhost, "[app]": app, "[stream]": stream };
  return template.replaceAll(/\[(?:vhost|app|stream)\]/g, (place) => values[place] ?? place);
}
