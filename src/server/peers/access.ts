// Whom a vhost lets in, before anything else is decided: `security` goes by the client's address, `refer` by the page that it comes
// from. Those who are in stay when the rules change, and go on in other processes without being asked again. Pure.
import { DolphinError } from "../../base/errors.js";
import { trustedNetworks, type TrustedNetworks } from "../../conf/meaning/networks.js";
import type { AccessRule, Vhost } from "../../conf/meaning/config.js";

/** Who wants in, as far as rules ask. */
export interface Asker {
  readonly does: "play" | "publish";
  /** The client's address, behind proxies that are trusted. */
  readonly host: string;
  /** The URL of the page that it plays or publishes in; empty: it names none. */
  readonly page: string;
}

/** Throws RTMP_DENIED, with the rule, for whom the vhost does not let in. */
export function checkAccess(vhost: Vhost, asker: Asker): void {
  const why = whySecurity(vhost, asker) ?? whyRefer(vhost, asker);
  if (why !== null) throw new DolphinError("RTMP_DENIED", why);
}

/** What matches a deny is out. Where there is any allow, whatever it is about, one must match; without any rule nobody is let in. */
function whySecurity({ name, security }: Vhost, { does, host }: Asker): string | null {
  if (security === null) return null;
  const { deny, allow } = security;
  const matches = (rule: AccessRule): boolean => rule.does === does && isIn(rule, host);
  const denied = deny.find(matches);
  if (denied !== undefined) return `security of the vhost ${name} denies it: deny ${does} ${denied.network}`;
  if (allow.length > 0 && !allow.some(matches)) return `security of the vhost ${name} has no allow for it: ${does} from ${host}`;
  return allow.length + deny.length === 0 ? `security of the vhost ${name} is on and has no rule, which lets nobody in` : null;
}

function whyRefer({ name, refer }: Vhost, { does, page }: Asker): string | null {
  if (refer === null) return null;
  for (const [what, domains] of [["all", refer.all] as const, [does, refer[does]] as const]) {
    if (domains.length === 0 || domains.some((domain) => isOf(domain, hostOf(page)))) continue;
    const from = page === "" ? "it names no page" : `it comes from ${page.slice(0, 200)}`;
    return `refer of the vhost ${name} has no domain in ${what} for it: ${from}`;
  }
  return null;
}

/** Networks by their rules, which are those of a configuration and live as long. */
const networks = new WeakMap<AccessRule, TrustedNetworks>();

function isIn(rule: AccessRule, host: string): boolean {
  if (rule.network === "all") return true;
  const known = networks.get(rule) ?? trustedNetworks([rule.network]);
  networks.set(rule, known);
  return known.has(host);
}

/** Of `http://a.example.com:8080/page?x` the name; a page that names no scheme is taken as SRS takes it. */
function hostOf(page: string): string {
  const authority = page.replace(/^.*?:\/\//, "").replace(/[/?#].*$/s, "");
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  return (/^\[[^\]]*\]/.exec(host)?.[0] ?? host.replace(/:.*$/s, "")).toLowerCase();
}

/** Whether a host is the domain or lies in it; SRS would also take evilexample.com for one of example.com. */
function isOf(domain: string, host: string): boolean {
  const name = domain.toLowerCase();
  return host === name || host.endsWith(name.startsWith(".") ? name : `.${name}`);
}
