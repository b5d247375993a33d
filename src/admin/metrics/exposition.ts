// Families of metrics → text, in both forms that Prometheus reads: its own, 0.0.4, and OpenMetrics 1.0.0. Names are ours; values of labels
// are anybody's, and are escaped. Pure.
//
//   # HELP dolphin_players Viewers now.              OpenMetrics: a counter's family has no _total, an info's no _info;
//   # TYPE dolphin_players gauge                     # UNIT where the name says it; # EOF behind the last
//   dolphin_players{process="edge-1",protocol="rtmp"} 3

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface Classes {
  readonly labels: Labels;
  /** One number for each bound and one for what is over the last. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** What stands under one name. A counter's ends in `_total`, an info's in `_info`. */
export type Family = { readonly name: string; readonly help: string } & (
  | { readonly type: "gauge" | "counter" | "info"; readonly samples: readonly Sample[] }
  /** Upper bounds in the unit of the name. */
  | { readonly type: "histogram"; readonly bounds: readonly number[]; readonly samples: readonly Classes[] }
);

export type Form = "text" | "openmetrics";

export const contentTypes: Readonly<Record<Form, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** Which form an Accept header asks for: OpenMetrics where it is named and preferred to plain text, as Prometheus says it. */
export function formFor(accept: string | undefined): Form {
  const weightOf = (type: string): number => {
    const found = (accept ?? "").split(",").filter((one) => one.trim().toLowerCase().startsWith(type));
    return Math.max(0, ...found.map((one) => Number(/;\s*q=([\d.]+)/.exec(one)?.[1] ?? 1) || 0));
  };
  const open = weightOf("application/openmetrics-text");
  return open > 0 && open >= weightOf("text/plain") ? "openmetrics" : "text";
}

/** The text of all families, those without a sample left out. */
export function render(families: readonly Family[], form: Form): string {
  const gauges = new Set(families.flatMap(({ name, type }) => (type === "gauge" ? [name] : [])));
  const parts = families.filter(({ samples }) => samples.length > 0).map((family) => renderFamily(family, form, gauges));
  return `${parts.join("")}${form === "openmetrics" ? "# EOF\n" : ""}`;
}

const units = ["seconds", "bytes", "ratio"];

function renderFamily(family: Family, form: Form, gauges: ReadonlySet<string>): string {
  const { name, help } = family;
  const isOpen = form === "openmetrics";
  const short = name.replace(/_(total|info)$/, "");
  // SRS has a gauge srs_clients beside the counter srs_clients_total, of which OpenMetrics would make one family.
  const clashes = isOpen && family.type === "counter" && gauges.has(short);
  const isInfo = family.type === "info";
  const type = clashes ? "unknown" : isInfo && !isOpen ? "gauge" : family.type;
  const title = isOpen && !clashes && (isInfo || family.type === "counter") ? short : name;
  const unit = units.find((one) => title.endsWith(`_${one}`));
  const head = `# HELP ${title} ${escaped(help, false)}\n# TYPE ${title} ${type}\n${isOpen && unit !== undefined ? `# UNIT ${title} ${unit}\n` : ""}`;
  return `${head}${family.type === "histogram" ? family.samples.map((one) => classLines(name, family.bounds, one)).join("") : family.samples.map(({ labels, value }) => line(name, labels, value)).join("")}`;
}

function classLines(name: string, bounds: readonly number[], { labels, counts, sum }: Classes): string {
  let below = 0;
  const lines = [...bounds, Infinity].map((bound, at) => {
    below += counts[at] ?? 0;
    return line(`${name}_bucket`, { ...labels, le: numberText(bound) }, below);
  });
  return `${lines.join("")}${line(`${name}_sum`, labels, sum)}${line(`${name}_count`, labels, below)}`;
}

function line(name: string, labels: Labels, value: number): string {
  const words = Object.entries(labels).map(([label, text]) => `${label}="${labelText(text)}"`);
  return `${name}${words.length === 0 ? "" : `{${words.join(",")}}`} ${numberText(value)}\n`;
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return Number.isFinite(value) ? String(value) : "NaN";
}

/** A value as it stands between the quotes of a label. */
export function labelText(text: string): string {
  return escaped(text, true);
}

/** What may stand in a line: backslash, quote and newline are escaped, and what no text has in it is shown as %XX. */
function escaped(text: string, isLabel: boolean): string {
  const plain = Buffer.from(text) // halves of a character become U+FFFD
    .toString()
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n");
  return isLabel ? plain.replaceAll('"', '\\"') : plain;
}
