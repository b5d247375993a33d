// What a Redis says that answers and does not serve, or that cannot be spoken to as it was configured: told apart from one that is merely
// away, because no waiting mends it. Each kind has the sentence that names what to change.
import type { RegistryBlock } from "../conf/meaning/config.js";

/** Why the registry serves this box not, until somebody changes something. */
export interface Refusal {
  /** Each is told once, until the registry was heard again. */
  readonly kind: "secret" | "sentinel-secret" | "rights" | "no-tls" | "certificate" | "set" | "engine" | "database" | "memory";
  /** What is wrong and what to do, as a sentence that follows the registry's address. */
  readonly sentence: string;
}

type Row = readonly [Refusal["kind"], RegExp, (block: RegistryBlock) => string];

const secret =
  "lets this box not in: set registry_user, and registry_password or registry_password_file, to what its ACL or requirepass says";

/** The first that matches counts. */
const rows: readonly Row[] = [
  [
    "sentinel-secret",
    /sentinel.*(WRONGPASS|NOAUTH|unauthenticated|invalid password)/is,
    () => "has sentinels that let this box not in: set registry_sentinel_user, and registry_sentinel_password or …_password_file",
  ],
  ["secret", /WRONGPASS|NOAUTH|unauthenticated|invalid password|wrong number of arguments for 'auth'/i, () => secret],
  [
    "rights",
    /NOPERM/,
    ({ prefix }) =>
      `lets its user do less than a box needs: give that user the keys ~${prefix}* and the commands that docs/cluster.md lists, ` +
      "or set registry_prefix to the keys that it has",
  ],
  [
    "no-tls",
    /before secure TLS connection|wrong version number|packet length too long|record layer failure/i,
    () => "speaks no TLS at that port: write redis instead of rediss before its address, or the port at which it does",
  ],
  [
    "certificate",
    /certificate|altnames|CERT_/i,
    () =>
      "has a certificate that is not believed: set registry_tls_ca to who signed it, and registry_tls_servername to a name that is in it",
  ],
  [
    "set",
    /sentinel.*(invalid reply|No such master)/is,
    ({ servers }) => `has sentinels that watch no set ${servers.master}: write behind them the name that their line "sentinel monitor" has`,
  ],
  [
    "engine",
    /unknown command|cluster support disabled|^MOVED |^CROSSSLOT/i,
    ({ servers }) =>
      `is no Redis of the kind that was configured (${servers.kind}): write redis:// before a single one, redis+sentinel:// before sentinels ` +
      "and redis+cluster:// before a Redis Cluster; older than Redis 6 is none of them",
  ],
  ["database", /DB index is out of range/, ({ servers }) => `has no database ${servers.db}: write another number behind its address`],
  [
    "memory",
    /^(OOM|MISCONF) /,
    () => "takes nothing more, for its memory or disk is full: give it more, and save nothing (docs/cluster.md)",
  ],
];

/** What the words of a server, or of the client library about it, mean; null: it is away, and comes back by itself. */
export function refusalIn(words: string, block: RegistryBlock): Refusal | null {
  const row = rows.find(([, pattern]) => pattern.test(words));
  return row === undefined ? null : { kind: row[0], sentence: row[2](block) };
}
