// Ids of connections and of what is carried: short, unlike each other in the whole box, and not to be guessed. A crowd needs thousands a
// second, and to ask the system for six bytes costs as much as for some thousand: they are asked for together.
import { randomFillSync } from "node:crypto";

const idBytes = 6;
const pool = Buffer.allocUnsafeSlow(512 * idBytes);
let used = pool.length;

/** Eight characters of base64url. */
export function randomId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.toString("base64url", used - idBytes, used);
}
