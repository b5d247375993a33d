// Data that is asked for again and again while somebody looks: not in a tab that is hidden, and never a second time before the first
// answer has come.
import { useEffect, useState } from "preact/hooks";

export interface Polled<T> {
  /** Null until the first answer. */
  readonly data: T | null;
  /** Why the last question had no answer. */
  readonly error: string | null;
}

/** Asks at once, whenever `key` changes, and each `everyMs`; `again` asks now. */
export function usePolled<T>(
  key: string,
  everyMs: number,
  ask: (signal: AbortSignal) => Promise<T>,
): Polled<T> & { readonly again: () => void } {
  const [state, setState] = useState<Polled<T> & { readonly key: string }>({ data: null, error: null, key });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const look = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const data = await ask(abort.signal);
          if (!abort.signal.aborted) setState({ data, error: null, key });
        } catch (thrown) {
          if (!abort.signal.aborted)
            setState((before) => ({ ...before, error: thrown instanceof Error ? thrown.message : String(thrown) }));
        }
      }
      if (!abort.signal.aborted) timer = window.setTimeout(() => void look(), everyMs);
    };
    const shown = (): void => {
      if (document.hidden) return;
      window.clearTimeout(timer);
      void look();
    };
    void look();
    document.addEventListener("visibilitychange", shown);
    return () => {
      abort.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [key, everyMs, round]);
  return { data: state.data, error: state.error, again: () => setRound((before: number) => before + 1) };
}
