#!/usr/bin/env node
// Where the command begins: a check that it can, then the command line itself, src/main.ts. What is written here runs on old versions
// of Node.js too, which are told so.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

// Before anything is loaded: these signals neither end a process that is half started nor open Node's inspector.
for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"]) process.on(signal, () => undefined);

const folder = fileURLToPath(new URL("..", import.meta.url));
const needed = JSON.parse(readFileSync(`${folder}package.json`, "utf8")).engines.node.replace(">=", "");
if (isOlder(process.versions.node, needed)) {
  refuse(`this takes Node.js ${needed} or newer, and ${process.execPath} is ${process.versions.node}`);
}
const { main } = await import("../dist/src/main.js").catch((thrown) => {
  if (thrown.code !== "ERR_MODULE_NOT_FOUND") throw thrown;
  const [missing] = thrown.message.split(" imported from ");
  const what = existsSync(`${folder}dist/src/main.js`) ? missing : "it is not built";
  return refuse(`${what}: ${existsSync(`${folder}Makefile`) ? `run make build in ${folder}` : `${folder} is to be installed anew`}`);
});
await main(process.argv.slice(2));

function isOlder(version, than) {
  const [is, least] = [version, than].map((text) => text.split(".").map(Number));
  return is[0] < least[0] || (is[0] === least[0] && is[1] < least[1]);
}

/** Says why it cannot even begin. The exit code is EX_UNAVAILABLE of sysexits.h. */
function refuse(sentence) {
  process.stderr.write(`dolphin: ${sentence}\n`);
  process.exit(69);
}
