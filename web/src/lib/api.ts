// How the console asks its server: data of the page, acts of the API. All addresses are relative to the page, so that a prefix before it
// is the prefix of them all. A token is kept for this tab alone.

const tokenName = "dolphin.token";

/** What the server said no to; `needsToken`: it would say yes to somebody else. */
export class Refused extends Error {
  readonly needsToken: boolean;

  constructor(sentence: string, needsToken: boolean) {
    super(sentence);
    this.needsToken = needsToken;
  }
}

export function setToken(token: string): void {
  if (token === "") sessionStorage.removeItem(tokenName);
  else sessionStorage.setItem(tokenName, token);
}

export function authorization(): Record<string, string> {
  const token = sessionStorage.getItem(tokenName);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

/** `data/NAME?…`. Throws a sentence. */
export function ask<T>(name: string, query: Readonly<Record<string, string | number>> = {}, signal?: AbortSignal): Promise<T> {
  return fetched(`data/${name}?${wordsOf(query)}`, signal);
}

function wordsOf(query: Readonly<Record<string, string | number>>): string {
  return String(new URLSearchParams(Object.entries(query).map(([key, value]) => [key, String(value)])));
}

async function fetched<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(url, { headers: authorization(), signal: signal ?? null });
  const { data, error } = (await response.json()) as { readonly data?: T; readonly error?: string };
  if (!response.ok) throw new Refused(error ?? `${response.status}`, response.status === 401 || response.status === 403);
  return data as T;
}

/** `api/v1/dolphin/PATH?…`, where what is shown is what anybody is told. Throws a sentence. */
export function askApi<T>(path: string, query: Readonly<Record<string, string | number>>, signal: AbortSignal): Promise<T> {
  return fetched(`../api/v1/dolphin/${path}?${wordsOf(query)}`, signal);
}

/** `POST api/v1/dolphin/VERB/NAME`; resolves to a word for what came of it, empty where that is plain. */
export async function act(verb: string, name = ""): Promise<string> {
  const path = name === "" ? verb : `${verb}/${encodeURIComponent(name)}`;
  const response = await fetch(`../api/v1/dolphin/${path}`, { method: "POST", headers: authorization() });
  const answer = (await response.json()) as { readonly error?: string; readonly data?: Outcome };
  if (!response.ok) throw new Refused(answer.error ?? `${response.status}`, response.status === 401 || response.status === 403);
  const { outcome, problems = [] } = answer.data ?? {};
  if (outcome === "refused") throw new Refused(problems.join("; "), false);
  return outcome ?? "";
}

interface Outcome {
  readonly outcome?: string;
  readonly problems?: readonly string[];
}
