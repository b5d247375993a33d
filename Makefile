# `make` prints this help. `make run` and `make test` are all that a newcomer needs.
NODE ?= node
ARGS ?= --cores auto --listen 1935
PREFIX ?= /usr/local

.PHONY: help run install build unit test soak check fmt bench conf clean

help: ## print this help
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

run: build ## fetch, build and start a live server on every core (ARGS="--cores 4 --listen 1935")
	$(NODE) bin/dolphin.js $(ARGS)

install: build ## put the command below PREFIX (PREFIX=/usr/local; see docs/install.md)
	npm install --global --prefix "$(DESTDIR)$(PREFIX)" --no-audit --no-fund "./dist/$$(npm pack --silent --pack-destination dist)"

build: node_modules/.ok ## compile src, test and bench into dist
	npx tsc -p tsconfig.json

unit: build ## the tests that start no box: units, docs, imports
	$(NODE) dist/test/run.js unit

test: build ## every test: units, then whole processes
	$(NODE) dist/test/run.js unit process

soak: build ## for long what tests do in short: chaos, a pace, storms (DOLPHIN_SOAK_S=60 each, DOLPHIN_SOAK_SEED)
	$(NODE) dist/test/run.js soak

unit: build ## the tests that start no box
	$(NODE) --test --test-reporter=dot $$(find dist/test -name '*.test.js' -not -path 'dist/test/process/*')

check: node_modules/.ok ## types, lint, unused code, format
	npx tsc -p tsconfig.json --noEmit
	npx oxlint --type-aware src test bench bin
	npx knip
	npx oxfmt --check

fmt: node_modules/.ok ## format and fix what can be fixed
	npx oxlint --fix src test bench bin
	npx oxfmt

bench: build ## compare with an earlier commit and other servers on this machine and print the table
	$(NODE) dist/bench/main.js

conf: build ## print the configuration that a bare `dolphin` runs with
	$(NODE) bin/dolphin.js conf

clean: ## remove what was built
	rm -rf dist node_modules/.ok

node_modules/.ok: package-lock.json
	npm ci --no-audit --no-fund
	@touch $@
