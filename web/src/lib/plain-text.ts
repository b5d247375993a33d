// Names come from strangers, and some characters turn the direction of all text behind them: a file that ends in `exe.` reads as another, and
// a line says something else than it does. Every text of a page goes by here: such characters are shown as what they are.
import { options } from "preact";

/** Those of Unicode's bidirectional algorithm (UAX 9, section 2). */
const turning = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** From now on, whatever is rendered. */
export function showTurning(): void {
  const before = options.vnode?.bind(options);
  options.vnode = (vnode) => {
    // Of a text the properties are the text itself.
    const text: { props: unknown } = vnode;
    if (typeof text.props === "string") text.props = plainText(text.props);
    before?.(vnode);
  };
}

function plainText(text: string): string {
  return text.replaceAll(turning, (one) => `⟨U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}
