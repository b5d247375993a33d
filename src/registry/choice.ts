// Which of several nodes: the less loaded of two that are drawn at random, of the own zone first. All boxes see the same numbers for some
// seconds, so whoever chooses adds what it has itself just sent there: they would all run to the same node.

const dampingMs = 4_000;
/** What one choice of our own adds to a node's load until it tells of it itself. */
const ownShare = 0.02;
/** A node that says it has more to do is asked only where all have. */
const ceiling = 0.9;

/** What is looked at. */
export interface Choosable {
  readonly id: string;
  readonly zone: string;
  readonly load: number;
}

const recent: { readonly id: string; readonly atMs: number }[] = [];

/** One of them; null: there are none. */
export function pick<T extends Choosable>(
  nodes: readonly T[],
  zone: string,
  random: () => number = Math.random,
  nowMs = performance.now(),
): T | null {
  while (recent.length > 0 && (nowMs - recent[0]!.atMs > dampingMs || recent.length > 1_000)) recent.shift();
  const loadOf = (node: T): number => node.load + ownShare * recent.filter(({ id }) => id === node.id).length;
  const near = nodes.filter((node) => node.zone === zone);
  const roomy = (list: readonly T[]): readonly T[] => list.filter((node) => loadOf(node) < ceiling);
  const from = [roomy(near), roomy(nodes), near, nodes].find((list) => list.length > 0) ?? [];
  const draw = (list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const one = draw(from);
  if (one === undefined) return null;
  const other = draw(from.filter((node) => node !== one)) ?? one;
  const chosen = loadOf(other) < loadOf(one) ? other : one;
  recent.push({ id: chosen.id, atMs: nowMs });
  return chosen;
}
