// Whether a program listens yet.
import { connect } from "node:net";
import type { Child } from "../../test/helpers/child.js";

/** Whether the port can be connected to. Throws when the program has ended. */
export function portIsOpen(child: Child, port: number): Promise<boolean> {
  if (child.ending !== null) throw new Error(`${child.name} has ended`);
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
