// Answers as the texts that they were sent as, for those who ask the same in the next moment: a client that polls without a pause costs a
// look at a table, however long the list is that it wants.

/** How long a text is told again: what it tells of comes once a second. */
export const textFreshMs = 1000;
/** Questions are anybody's, so few answers are kept, and they are small together. */
const maxTexts = 64;
const maxBytes = 8 << 20;

/** The texts of one state of the box; whoever changes that begins with new ones, so that what was asked before is told to nobody behind it. */
export class KeptTexts {
  private readonly texts = new Map<string, { readonly text: Buffer; readonly untilMs: number }>();
  private bytes = 0;

  /** Null: nobody asked that lately. */
  get(question: string, nowMs = performance.now()): Buffer | null {
    const kept = this.texts.get(question);
    return kept !== undefined && nowMs < kept.untilMs ? kept.text : null;
  }

  put(question: string, text: Buffer, nowMs = performance.now()): void {
    if (text.length > maxBytes) return;
    this.bytes += text.length - (this.texts.get(question)?.text.length ?? 0);
    this.texts.set(question, { text, untilMs: nowMs + textFreshMs });
    if (this.texts.size <= maxTexts && this.bytes <= maxBytes) return;
    this.texts.clear();
    this.bytes = 0;
  }
}
