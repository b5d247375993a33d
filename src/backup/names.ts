// The names of what is served: the path of a list, which is a stream's name on both nodes, and the ids of segments. They come from
// servers and from the peer, so what is not a plain name is none. Pure.

/** The longest path of a list. */
export const maxListPathChars = 512;
const maxNodeChars = 32;

const id = /^[a-z0-9]{1,32}_[a-z0-9]{1,12}_\d{1,12}_[0-9a-f]{16}$/;

/** What distinguishes two nodes: it stands in ids, and decides where nothing else does. */
export function isNodeName(text: string): boolean {
  return text.length <= maxNodeChars && /^[a-z0-9]+$/.test(text);
}

export function isSegmentId(text: string): boolean {
  return id.test(text);
}

/** `sha256` ends it: whoever has the bytes can tell that they are these. */
export function segmentId(node: string, atMs: number, sequence: number, sha256: string): string {
  return `${node}_${Math.floor(atMs).toString(36)}_${sequence}_${sha256.slice(0, 16)}`;
}

/** Whether this is the path of a list, without a slash before it: `live/livestream.m3u8`. */
export function isListPath(path: string): boolean {
  if (path.length > maxListPathChars || !path.endsWith(".m3u8") || /[\p{Cc}\\?#]/u.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** The name of a segment beside the list of that path, as it stands in the list. */
export function segmentUri(listPath: string, segment: string): string {
  const file = listPath.slice(listPath.lastIndexOf("/") + 1, -".m3u8".length);
  return encodeURIComponent(segmentPath(file, segment));
}

/** The path of a segment, beside the list that is called so, whose ending it has not. */
function segmentPath(list: string, segment: string): string {
  return `${list}-${segment}.ts`;
}

export type Asked =
  | { readonly kind: "list"; readonly path: string }
  | { readonly kind: "segment"; readonly path: string; readonly id: string };

/** What a request asks for, `path` being that of the list in both cases; null: nothing that is served. */
export function readTarget(target: string): Asked | null {
  let path: string;
  try {
    path = decodeURIComponent(/^\/([^?#]*)/.exec(target)?.[1] ?? "");
  } catch {
    return null;
  }
  if (isListPath(path)) return { kind: "list", path };
  const found = /^(.*)-([^-]+)\.ts$/.exec(path);
  const [, list = "", segment = ""] = found ?? [];
  return isSegmentId(segment) && isListPath(`${list}.m3u8`) ? { kind: "segment", path: `${list}.m3u8`, id: segment } : null;
}
