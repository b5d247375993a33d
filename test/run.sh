#!/bin/sh
# What `make test` runs after the build: fetches the foreign peers, then unit tests, then tests of whole processes, two files at a
# time: most of their time is waiting, and more would fight for the machine's cores with the programs that they start. The one that
# keeps a pace of its own runs alone. The files are named, because `node --test` takes a folder differently from version to
# version. Exit code: the runner's.
cd "$(dirname "$0")/.." || exit 1
node dist/test/helpers/fetch-peers.js
unit=$(find dist/test -name '*.test.js' -not -path 'dist/test/process/*' | sort)
paced=dist/test/process/planb-short-connections.test.js
process=$(find dist/test/process -name '*.test.js' -not -path "$paced" | sort)
# No file may hang: the bound is far above what the slowest takes.
run="node --test --test-reporter=spec --test-timeout=180000 --test-concurrency=2"
# shellcheck disable=SC2086
$run $unit && $run $process && $run "$paced"
