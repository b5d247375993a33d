// System calls that Node has no words for, made through koffi in the C library that Node itself runs on. koffi is an optional
// package, and the layouts of structures that callers write are those of Linux on x64 and arm64: everywhere else there is
// nothing to call, and whoever asks must have another way.
import type koffi from "koffi";

type Koffi = typeof koffi;

/** Makes something of the library's functions; null where they are not to be had. */
export async function withLibc<T>(make: (libc: ReturnType<Koffi["load"]>, native: Koffi) => T): Promise<T | null> {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) return null;
  try {
    const { default: native } = await import("koffi");
    return make(native.load(null), native);
  } catch {
    return null; // it did not install, or does not fit this system
  }
}
