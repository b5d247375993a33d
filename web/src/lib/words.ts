// The words of the pages, in English and in Chinese, and which of the two the reader has chosen.
import { chinese } from "./chinese.js";
import { english, type Word } from "./english.js";

export type Language = "en" | "zh";

let language: Language = remembered() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
applyLanguage();

export function currentLanguage(): Language {
  return language;
}

export function setLanguage(next: Language): void {
  language = next;
  localStorage.setItem("dolphin.language", next);
  applyLanguage();
}

/** A word in the reader's language. */
export function t(word: Word, ...parts: readonly (string | number)[]): string {
  const text = language === "zh" ? chinese[word] : english[word];
  return text.replaceAll(/\{(\d)\}/g, (_, at: string) => String(parts[Number(at)] ?? ""));
}

function remembered(): Language | null {
  const kept = localStorage.getItem("dolphin.language");
  return kept === "en" || kept === "zh" ? kept : null;
}

function applyLanguage(): void {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}
