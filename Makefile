# Linkgate's workshop. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 20s
# More for go test, such as TESTFLAGS='-run TestLink' or PACKAGES=./outbox.
TESTFLAGS ?=
PACKAGES  ?= ./...

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## run Linkgate with a simulated host and service; needs nothing but Go
	go run . demo

.PHONY: test
test: ## run all tests, with a real Redis, Postgres and browser (installs them on Debian and Ubuntu)
	@scripts/install-servers
	@scripts/with-servers scripts/test $(TESTFLAGS) $(PACKAGES)

.PHONY: soak
soak: ## repeat what has to do with time: kill -9, stopped replicas, an hour of storm; takes half an hour
	@scripts/with-servers go test -race -count=5 -timeout 90m \
		-run 'TestKillAtEveryStep|TestOneRefreshForAll|TestStoppedW|TestStorm' ./e2e ./linkedaccount

.PHONY: lint
lint: ## check formatting, vet, golangci-lint and go.mod
	@scripts/lint

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (20s)
	@scripts/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## measure against a bare handler, a bare proxy and nginx; BENCHFLAGS='-only call -rounds 5' for a part
	@scripts/bench $(BENCHFLAGS)

.PHONY: build
build: ## build ./linkgate for deployment: static, stripped, without the demo
	CGO_ENABLED=0 go build -tags nodemo -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o linkgate .
