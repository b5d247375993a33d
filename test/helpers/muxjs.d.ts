// The part of mux.js that tests use: it brings no types of its own.
declare module "mux.js" {
  interface Elementary {
    readonly type: string;
    readonly pts: number;
    readonly dts: number;
  }

  interface MuxStream {
    pipe(next: MuxStream): MuxStream;
    on(event: "data", listener: (data: Elementary) => void): void;
    push(bytes: Uint8Array): void;
    flush(): void;
  }

  const muxjs: {
    readonly mp2t: Readonly<Record<"TransportPacketStream" | "TransportParseStream" | "ElementaryStream", new () => MuxStream>>;
    readonly codecs: { readonly Adts: new () => MuxStream };
  };
  export default muxjs;
  export type { Elementary };
}
