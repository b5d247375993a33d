// Old spellings → today's, before anything is checked, so that the rest of src/conf knows one spelling only. These are the
// rewrites that SRS itself makes; each use is a warning that shows the new spelling.
import type { Directive, Parsed } from "./parser.js";
import { type Problem, warningAt } from "./problem.js";

interface Rewrite {
  /** Path of the old spelling. */
  readonly old: string;
  /** Path of today's; null: there is none, and the directive goes. */
  readonly now: string | null;
  /** Only when written without braces: with braces the same name is today's block. The block is switched on. */
  readonly isValueForm?: boolean;
  /** It goes without a word, because it is how the server always behaves. */
  readonly isSilent?: boolean;
}

/** The rows are paths from the root; two names after the first block mean a block in it and a directive in that. */
export const rewrites: readonly Rewrite[] = [
  { old: "http_stream", now: "http_server" },
  { old: "vhost.http", now: "vhost.http_static" },
  { old: "vhost.http_remux.hstrs", now: null, isSilent: true },
  { old: "vhost.refer", now: "vhost.refer.all", isValueForm: true },
  { old: "vhost.refer_play", now: "vhost.refer.play", isValueForm: true },
  { old: "vhost.refer_publish", now: "vhost.refer.publish", isValueForm: true },
  { old: "vhost.forward", now: "vhost.forward.destination", isValueForm: true },
  { old: "vhost.mr.enabled", now: "vhost.publish.mr" },
  { old: "vhost.mr.latency", now: "vhost.publish.mr_latency" },
  { old: "vhost.publish_1stpkt_timeout", now: "vhost.publish.firstpkt_timeout" },
  { old: "vhost.publish_normal_timeout", now: "vhost.publish.normal_timeout" },
  { old: "vhost.time_jitter", now: "vhost.play.time_jitter" },
  { old: "vhost.mix_correct", now: "vhost.play.mix_correct" },
  { old: "vhost.atc", now: "vhost.play.atc" },
  { old: "vhost.atc_auto", now: "vhost.play.atc_auto" },
  { old: "vhost.mw_latency", now: "vhost.play.mw_latency" },
  { old: "vhost.gop_cache", now: "vhost.play.gop_cache" },
  { old: "vhost.gop_cache_max_frames", now: "vhost.play.gop_cache_max_frames" },
  { old: "vhost.queue_length", now: "vhost.play.queue_length" },
  { old: "vhost.send_min_interval", now: "vhost.play.send_min_interval" },
  { old: "vhost.reduce_sequence_header", now: "vhost.play.reduce_sequence_header" },
  { old: "vhost.mode", now: "vhost.cluster.mode" },
  { old: "vhost.origin", now: "vhost.cluster.origin" },
  { old: "vhost.token_traverse", now: "vhost.cluster.token_traverse" },
  { old: "vhost.vhost", now: "vhost.cluster.vhost" },
  { old: "vhost.debug_srs_upnode", now: "vhost.cluster.debug_srs_upnode" },
  { old: "vhost.nack", now: "vhost.rtc.nack" },
  { old: "vhost.twcc", now: "vhost.rtc.twcc" },
  { old: "stream_caster.host", now: "stream_caster.sip.candidate" },
  { old: "stream_caster.tcp_enable", now: null },
  { old: "stream_caster.rtp_port_min", now: null },
  { old: "stream_caster.rtp_port_max", now: null },
  { old: "stream_caster.wait_keyframe", now: null },
  { old: "stream_caster.rtp_idle_timeout", now: null },
  { old: "stream_caster.audio_enable", now: null },
  { old: "stream_caster.auto_create_channel", now: null },
];

/** The blocks of the root that have old spellings inside. */
const outerBlocks: ReadonlySet<string> = new Set(
  rewrites.flatMap(({ old }) => (old.includes(".") ? [old.slice(0, old.indexOf("."))] : [])),
);

const rewriteByOld = new Map(rewrites.map((row) => [row.old, row]));

/** Gives the tree in today's spelling, and a warning for each old one. The tree that is passed in is not changed. */
export function rewrite(directives: readonly Directive[]): Parsed {
  const problems: Problem[] = [];
  const rewritten = directives.map((directive) => {
    const row = rewriteByOld.get(directive.name);
    if (row !== undefined && row.now !== null) {
      problems.push(renamed(directive, row.now));
      return { ...directive, name: row.now };
    }
    if (!outerBlocks.has(directive.name) || directive.children === null) return directive;
    return { ...directive, children: rewriteInside(directive.name, directive.children, problems) };
  });
  return { directives: rewritten, problems };
}

/** What has no spelling of today goes, `http` gets its new name, and everything else moves into the block that its row names. */
function rewriteInside(outer: string, children: readonly Directive[], problems: Problem[]): Directive[] {
  const kept: Directive[] = [];
  const moves: { directive: Directive; row: Rewrite; path: string }[] = [];
  const sortOut = (directive: Directive, path: string): Directive | null => {
    const row = rewriteByOld.get(path);
    if (row === undefined || (row.isValueForm === true && directive.children !== null)) return directive;
    if (row.now !== null) {
      problems.push(renamed(directive, row.now));
      moves.push({ directive, row, path: row.now });
    } else if (row.isSilent !== true) problems.push(warningAt(directive, "CONF_RENAMED", `${directive.name} has no meaning any more`));
    return null;
  };
  for (const child of children) {
    const path = `${outer}.${child.name}`;
    const inner = child.children?.filter((directive) => sortOut(directive, `${path}.${directive.name}`) !== null) ?? null;
    // The block `mr` exists in the old spelling only.
    if (path === "vhost.mr") continue;
    const left = sortOut(child, path);
    if (left !== null) kept.push(inner === null ? left : { ...left, children: inner });
  }
  for (const { directive, row, path } of moves) {
    const [, target = "", name] = path.split(".");
    if (name === undefined) kept.push({ ...directive, name: target });
    else moveInto(kept, target, { ...directive, name }, row.isValueForm === true);
  }
  return kept;
}

/** Appends to the first block of the name, which is made when there is none. What stands there already comes first and wins. */
function moveInto(list: Directive[], target: string, directive: Directive, isSwitchedOn: boolean): void {
  const index = list.findIndex((entry) => entry.name === target);
  const found = list[index] ?? { ...directive, name: target, args: [], children: [] };
  const children = [...(found.children ?? [])];
  if (isSwitchedOn && !children.some((child) => child.name === "enabled")) {
    children.push({ ...directive, name: "enabled", args: ["on"], children: null });
  }
  children.push(directive);
  list.splice(index < 0 ? list.length : index, 1, { ...found, children });
}

function renamed(directive: Directive, now: string): Problem {
  const [first = now, block, name] = now.split(".");
  const spelling = block === undefined ? first : name === undefined ? block : `${block} { ${name} …; }`;
  return warningAt(directive, "CONF_RENAMED", `${directive.name} is an old spelling of ${spelling}`);
}
