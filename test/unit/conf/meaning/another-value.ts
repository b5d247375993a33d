// Files that say one thing that is not the default: for tests that go through the whole table.
import { findRow } from "../../../../src/conf/directives/table.js";
import type { DirectiveRow } from "../../../../src/conf/directives/row.js";

/** A value that the row takes and that is not its default. */
export function anotherValue({ name, type, default: byDefault }: DirectiveRow): string {
  if (name === "server_weight") return "3 2";
  if (name === "resolver") return "10.0.0.2:53";
  if (name === "trusted_proxies") return "10.0.0.0/8";
  if (name === "allow" || name === "deny") return "play 10.0.0.0/8";
  if (name === "registry") return "redis://one";
  switch (type.kind) {
    case "onOff":
      return byDefault === "on" ? "off" : "on";
    case "number":
    case "numberOr":
      return String(Number(byDefault) === type.min ? type.min + 1 : type.min);
    case "word":
      return type.words.find((word) => word !== byDefault) ?? "";
    case "listen":
      return "127.0.0.1:7 [::1]:8";
    case "servers":
      return "one two:7";
    case "texts":
      return "one two";
    case "text":
    case "block":
      break;
  }
  return "one";
}

/** A file with a vhost and this directive in its place, in blocks that are on; without a value the same blocks alone. */
export function fileWith({ place, name }: DirectiveRow, value: string | null): string {
  const blocks = place === "root" ? [] : place.split(".");
  const beside = place === "http_api.auth" && name === "token" ? "type bearer;" : ""; // the other type has none
  const ofRegistry = name.startsWith("registry_") ? "registry redis://r;" : ""; // without one there is nothing to set
  const ofParts = /^hls_(?:fmp4_file|init_file|part)$/.test(name) ? "hls_low_latency on;" : ""; // transport streams have none
  const companions = `${beside}${ofRegistry}${ofParts}`;
  const own = value === null ? companions : `${companions} ${name} ${value};`;
  const inside = blocks.reduceRight((text, block, depth) => {
    const at = blocks.slice(0, depth + 1).join(".");
    const isOwnSwitch = at === place && name === "enabled";
    const enabled = findRow(at, "enabled") === undefined || isOwnSwitch ? "" : "enabled on;";
    return `${block}${block === "vhost" ? " a" : ""} { ${enabled} ${text} }`;
  }, own);
  const listen = name === "listen" && place === "root" && value !== null ? "" : "listen 127.0.0.1:1935;";
  return `${listen} ${blocks[0] === "vhost" ? "" : "vhost a { }"} ${inside}`;
}
