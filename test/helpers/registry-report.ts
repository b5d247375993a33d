// What a box tells of a registry that answers and has nothing to tell of.
import type { RegistryReport } from "../../src/ipc/box.js";

export const quietRegistry: RegistryReport = {
  address: "redis://127.0.0.1:6379",
  node: "a:1935",
  isConnected: true,
  isStrict: true,
  heardMs: 0,
  nodes: 3,
  held: 0,
  unconfirmed: 0,
  standby: 0,
  claims: 0,
  conflicts: 0,
  lookups: 0,
};
