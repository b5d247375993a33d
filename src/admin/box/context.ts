// What every room of the admin is given: what the box is, how to ask it, and how it is to be answered for.
//
//   context.ts: all of it for one request      view.ts ─ at most once a second ─▶ control-client.ts ─▶ the master's control socket
//                                                                       └─▶ srs-servers.ts, of whose rows srs-rows.ts makes one list
//   proc.ts: what the system tells of the machine and of the box's processes
import type { Log } from "../../base/log.js";
import type { Config } from "../../conf/meaning/config.js";
import type { ControlClient } from "./control-client.js";
import type { BoxView } from "./view.js";

export interface AdminContext {
  readonly log: Log;
  readonly control: ControlClient;
  readonly view: BoxView;
  /** As it is now. */
  config(): Config;
}
