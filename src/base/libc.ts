// System calls that Node has no words for, made through koffi in the C library that Node itself runs on. koffi is an optional
// package, and the layouts of structures that callers write are those of Linux on x64 and arm64: everywhere else there is
// nothing to call, and whoever asks must have another way.

/** What is used of koffi. Said here, because where it did not install its own types are missing too. */
export interface Native {
  load(path: null): Libc;
  errno(): number;
  /** Where a buffer's bytes are. */
  address(buffer: Uint8Array): bigint;
  /** The bytes at an address. */
  view(address: bigint, bytes: number): ArrayBuffer;
}

export interface Libc {
  /** A function by its prototype in C, which is what the caller takes it for. */
  func<F extends (...values: never[]) => unknown>(prototype: string): F;
}

/** No literal, so that the compiler does not look for the package either. */
const koffi: string = "koffi";

/** Makes something of the library's functions; null where they are not to be had. */
export async function withLibc<T>(make: (libc: Libc, native: Native) => T): Promise<T | null> {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) return null;
  try {
    const { default: native } = (await import(koffi)) as { readonly default: Native };
    return make(native.load(null), native);
  } catch {
    return null; // it did not install, or does not fit this system
  }
}
