# make run    builds bin/hearth and starts a server on http://localhost:8420
# make test   everything that must hold before a commit lands
# The rest is listed by make help.

GO ?= go
# Version-control stamps are of no use here and fail in a checkout without git.
export GOFLAGS := -buildvcs=false $(GOFLAGS)

PEER := mls/peertest/tsmls

.PHONY: help build run test check node wasm soak bench attacks fuzz fuzzworld clean

help:
	@echo 'make run    build bin/hearth and start a server on http://localhost:8420'
	@echo 'make build  leave bin/hearth'
	@echo 'make test   gofmt, vet, the build for browsers, every test'
	@echo 'make soak   long random histories against the independent MLS peer, and a million messages in worlds gone wild'
	@echo 'make fuzzworld  worlds gone wild, for FOR (10m) or until MESSAGES were sent'
	@echo 'make bench  benchmarks of mls, then the load generator, a few seconds each'
	@echo 'make attacks  what each attack of a hostile member costs, and how long until the others talk again'
	@echo 'make fuzz   every fuzz target for a few seconds'

build:
	$(GO) build -o bin/hearth ./cmd/hearth

run: build
	./bin/hearth serve

# What the tests need from outside Go: the independent MLS peer.
node:
	@if [ -f $(PEER)/package-lock.json ] && command -v npm >/dev/null 2>&1; then \
		cd $(PEER) && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund; }; \
	fi

check:
	@bad=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go' -not -path '*/node_modules/*')); \
		if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...

# core and its API are the client in a browser too.
wasm:
	GOOS=js GOARCH=wasm $(GO) build -o /dev/null ./core/... ./rpc/...
	@bad=$$(GOOS=js GOARCH=wasm $(GO) list -deps ./core ./rpc | grep -xE 'net/http|database/sql|modernc.org/.*|github.com/coder/websocket'); \
		if [ -n "$$bad" ]; then echo "core and rpc must not reach, in a browser:"; echo "$$bad"; exit 1; fi

test: node check wasm
	HEARTH_FULL=1 $(GO) test -timeout 20m ./...

soak: node
	HEARTH_CHECKS=all $(GO) test -count=1 -timeout 2h -v -run '^TestEveryCheckMatters$$' ./hearthtest ./core
	$(MAKE) fuzzworld FOR=48h MESSAGES=1000000 ROUNDS=200 TALK=100
	HEARTH_PEER_OPS=10000 $(GO) test -count=1 -timeout 12h -v -run '^TestHistory$$' ./mls/peertest

bench: build node
	$(GO) test -run '^$$' -bench . -benchtime 1x ./mls ./mls/peertest
	for b in idle deliver offline group; do ./bin/hearth bench $$b --seconds 5 || exit 1; done

# A world lasts ROUNDS, up to TALK messages are said at once. It ends after FOR or
# MESSAGES, whichever is first; ON=1 goes on behind a failure.
FOR ?= 10m
ROUNDS ?= 100
TALK ?= 10
MESSAGES ?= 0
ON ?=
fuzzworld:
	HEARTH_WORLD_FOR=$(FOR) HEARTH_WORLD_ROUNDS=$(ROUNDS) HEARTH_WORLD_TALK=$(TALK) HEARTH_WORLD_MESSAGES=$(MESSAGES) HEARTH_WORLD_ON=$(ON) \
		$(GO) test -count=1 -timeout 0 -v -run '^TestFuzzedWorld$$' ./core

# The table of docs/benchmarks.md, "The hostile member".
attacks:
	@echo '| attack | reached | back | processor time | MB allocated |'
	@echo '|---|---|---|---|---|'
	@HEARTH_FULL=1 $(GO) test -count=1 -timeout 20m -v -run '^TestHostile$$' ./core | sed -n 's/^.*_test.go:[0-9]*: |/|/p; /FAIL/p'

FUZZTIME ?= 10s
fuzz:
	@set -e; for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; \
		done; \
	done

clean:
	rm -rf bin
