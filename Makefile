# `make` prints this help. `make run` and `make test` are all that a newcomer needs.
NODE ?= node
ARGS ?= --cores auto --listen 1935
PREFIX ?= /usr/local

.PHONY: help run install build all unit test soak check fmt bench bench-site conf clean

help: ## print this help
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

run: build ## fetch, build and start a live server on every core (ARGS="--cores 4 --listen 1935")
	$(NODE) bin/dolphin.js $(ARGS)

install: build ## put the command below PREFIX (PREFIX=/usr/local; see docs/install.md)
	npm install --global --prefix "$(DESTDIR)$(PREFIX)" --no-audit --no-fund "./dist/$$(npm pack --silent --pack-destination dist)"

build: node_modules/.run ## compile the program and its pages into dist
	npx tsc -p src
	$(NODE) web/build.js

all: node_modules/.all ## fetch what tests need, and compile tests and benches too
	npx tsc -p tsconfig.json
	$(NODE) web/build.js

unit: all ## the tests that start no box: units, docs, imports
	$(NODE) dist/test/run.js unit

test: all ## every test: units, then whole processes
	$(NODE) dist/test/run.js unit process

soak: all ## for long what tests do in short: chaos, a pace, storms (DOLPHIN_SOAK_S=60 each, DOLPHIN_SOAK_SEED)
	$(NODE) dist/test/run.js soak

check: all ## types, lint, unused code, format
	npx tsc -p web
	npx oxlint --type-aware src test bench bin web
	npx knip
	npx oxfmt --check

fmt: node_modules/.all ## format and fix what can be fixed
	npx oxlint --fix src test bench bin web
	npx oxfmt

bench: all ## compare with an earlier commit and other servers on this machine and print the table
	$(NODE) dist/bench/main.js

bench-site: all ## what a site of 1000 boxes costs its Redis: real Redis, simulated boxes, a minute
	$(NODE) dist/bench/site.js

conf: build ## print the configuration that a bare `dolphin` runs with
	$(NODE) bin/dolphin.js conf

clean: ## remove what was built
	rm -rf dist node_modules/.run node_modules/.all

node_modules/.run: package-lock.json
	npm ci --workspaces=false --no-audit --no-fund
	@touch $@

# Adds what tests and checks need, and takes nothing away from a server that runs here.
node_modules/.all: node_modules/.run
	npm install --no-save --no-audit --no-fund
	@touch $@
