// One end of the pipe between the master and a child: typed sending, checked receiving. The pipe itself is Node's
// (`process` in the child, the child process in the master); this knows nothing of who is on the other side.
// The child speaks first: with an ESM entry, what is sent to a child right after the fork is lost (nodejs/node#48578).
import { DolphinError, messageOf } from "../base/errors.js";
import { parseFromChild, parseToChild, type FromChild, type ToChild } from "./messages.js";

/** What a channel needs of `process`, a ChildProcess or a cluster Worker. */
export interface Wire {
  readonly connected?: boolean;
  send?(message: unknown, ...rest: never[]): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
}

export interface ChannelEvents<In> {
  message(message: In): void;
  /** Something came that the other side never says (IPC_MESSAGE); it was dropped. */
  invalid(error: DolphinError): void;
}

/** A channel to the other process. Close it once; nothing is received afterwards. */
export class Channel<In, Out> {
  private readonly wire: Wire;
  private readonly parse: (message: unknown) => In;
  private readonly events: ChannelEvents<In>;
  private readonly receive = (message: unknown): void => this.received(message);
  private isClosed = false;

  constructor(wire: Wire, parse: (message: unknown) => In, events: ChannelEvents<In>) {
    this.wire = wire;
    this.parse = parse;
    this.events = events;
    wire.on("message", this.receive);
  }

  /** Sends a message; `sent` is called when it is on its way or cannot be. Returns whether there was anybody to send it to. */
  send(message: Out, sent: () => void = () => undefined): boolean {
    // Node takes the callback as the second argument too, which its types do not say.
    const wire = this.wire as { connected?: boolean; send?(message: unknown, sent: (error: Error | null) => void): boolean };
    if (this.isClosed || wire.connected === false || wire.send === undefined) {
      sent();
      return false;
    }
    // A failure to send means that the other side is gone, and its end is announced by other ways than this.
    wire.send(message, () => sent());
    return true;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.wire.off("message", this.receive);
  }

  private received(message: unknown): void {
    let parsed: In;
    try {
      parsed = this.parse(message);
    } catch (thrown) {
      this.events.invalid(thrown instanceof DolphinError ? thrown : new DolphinError("IPC_MESSAGE", messageOf(thrown), { cause: thrown }));
      return;
    }
    this.events.message(parsed);
  }
}

/** The child's end. */
export function channelToMaster(wire: Wire, events: ChannelEvents<ToChild>): Channel<ToChild, FromChild> {
  return new Channel(wire, parseToChild, events);
}

/** The master's end. */
export function channelToChild(wire: Wire, events: ChannelEvents<FromChild>): Channel<FromChild, ToChild> {
  return new Channel(wire, parseFromChild, events);
}
