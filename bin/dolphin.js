#!/usr/bin/env node
// Before anything is loaded: these signals neither end a process that is half started nor open Node's inspector.
for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"]) process.on(signal, () => undefined);

const { main } = await import("../dist/src/main.js");
await main(process.argv.slice(2));
