// What a backend's answer means, by SRS's rule and neither stricter nor laxer: status 200 or 201, and a body that is exactly `0` or a
// JSON object whose `code` is an integer and 0. `"0"` and `0.0` are no integers there, so they are none here.

/** Yes, with what the answer carries beside; or no, and why as a sentence goes on. */
export type Judgement = { readonly isYes: true; readonly data: unknown } | { readonly isYes: false; readonly why: string };

/** How much of an answer a line of the log shows. */
const shownChars = 100;

export function judge(status: number, body: string): Judgement {
  if (status !== 200 && status !== 201) return no(`answered with status ${status}`);
  if (body === "0") return { isYes: true, data: null };
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return no(`answered ${shown(body)}, which is neither 0 nor JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return no(`answered ${shown(body)}, which is no JSON object`);
  const code = lastValueOf("code", body);
  if (code === null || !/^-?\d+$/.test(code)) return no(`answered ${shown(body)}, whose code is no integer`);
  if (Number(code) !== 0) return no(`answered code ${code.slice(0, shownChars)}`);
  return { isYes: true, data: "data" in value ? value.data : null };
}

function no(why: string): Judgement {
  return { isYes: false, why };
}

function shown(body: string): string {
  return JSON.stringify(body.length > shownChars ? `${body.slice(0, shownChars)}…` : body);
}

/** The first token of a member's value as it is written; of several members of the name, the last one's. The text must be a JSON object. */
function lastValueOf(name: string, text: string): string | null {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let depth = 0;
  let found: string | null = null;
  for (const [at, token] of tokens.entries()) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (depth === 1 && token.startsWith('"') && tokens[at + 1] === ":" && JSON.parse(token) === name) found = tokens[at + 2] ?? null;
  }
  return found;
}
