# Every target sets up what it needs on a fresh Debian machine with Rust, Go, Python and Node; nothing else is assumed.
# Build output and downloaded tools live outside the checkout, so that a second run, or another clone, is fast.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/layer
export CARGO_TARGET_DIR ?= $(CACHE)/target
DEMO_DIR ?= $(CACHE)/demo
PYTHON ?= python3
BUF_VERSION := v1.75.0
TOOLS := $(CACHE)/tools
SOAK_SECONDS ?= 300
FUZZ_SECONDS ?= 20
# What `layer-bench fetch` is given; --cases is known to `layer-bench run` alone.
FETCH_BENCH_ARGS ?= $(BENCH_ARGS)

# minifugu declares Rust 1.98 and builds with 1.95: older toolchains must be told to go on.
CARGO_FLAGS := --locked --ignore-rust-version

# What the tests over real processes run. The last is pipeline-worker with points at which tests end it, under a name of
# its own; it is built with the same packages, as their features decide which dependencies can be shared.
TESTED := -p layer-cli -p query-router -p doc-cache -p pipeline-worker -p aerospike-stand-in
FAILPOINTS := --features pipeline-worker/failpoints --bin pipeline-worker-failpoints

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## Build every program (release)
	cargo build $(CARGO_FLAGS) --release -p layer-cli -p query-router -p doc-cache -p pipeline-worker

.PHONY: demo
demo: build $(CACHE)/demo-venv/.done ## Start the mesh, load the Debian catalogue, ask three questions, fetch and warm
	@scripts/demo "$(CARGO_TARGET_DIR)/release/layer" "$(CACHE)/demo-venv/bin/python" "$(DEMO_DIR)" $(DEMO_ARGS)

.PHONY: test
test: test-rust test-fuzz test-sdks test-sdk-go test-sdk-python test-processes ## Run all tests

.PHONY: test-rust
test-rust: ## Units and services
	scripts/need postgresql psql
	model=$$(scripts/model "$(PYTHON)") && LAYER_TEST_MODEL_DIR="$$model" cargo test $(CARGO_FLAGS) --workspace
	cargo build $(CARGO_FLAGS) $(TESTED)
	cargo build $(CARGO_FLAGS) $(TESTED) $(FAILPOINTS)

.PHONY: test-processes
test-processes: $(CACHE)/test-venv/.done ## End-to-end, conformance, gRPC and demo tests over real processes
	scripts/need openssl openssl
	scripts/need curl curl
	scripts/need postgresql psql
	scripts/need faketime faketime
	scripts/check-generated "$(CARGO_TARGET_DIR)/debug/layer"
	cd tests && LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/debug" "$(CACHE)/test-venv/bin/python" -m pytest -q
	cd examples/catalog && "$(CACHE)/test-venv/bin/python" -m pytest -q

.PHONY: test-sdks
test-sdks: $(CACHE)/test-venv/.done ## The official SDKs' own live tests, against the origin and through the router
	cd tests && LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/debug" "$(CACHE)/test-venv/bin/python" -m harness.sdks

.PHONY: test-sdk-python
test-sdk-python: $(CACHE)/sdk-venv/.done ## The Python SDK's tests: units on sockets, and the real mesh
	cd sdk/python && LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/debug" "$(CACHE)/sdk-venv/bin/python" -m pytest -q

.PHONY: lint-sdk-python
lint-sdk-python: $(CACHE)/sdk-venv/.done ## The Python SDK: ruff, mypy --strict, and whether what is generated is current
	cd sdk/python && "$(CACHE)/sdk-venv/bin/ruff" check . && "$(CACHE)/sdk-venv/bin/ruff" format --check . && \
		"$(CACHE)/sdk-venv/bin/mypy" && "$(CACHE)/sdk-venv/bin/python" tools/generate_perf.py --check && \
		"$(CACHE)/sdk-venv/bin/python" tools/generate_sync.py --check && \
		"$(CACHE)/sdk-venv/bin/python" tools/generate_proto.py --check

.PHONY: sdk-python-generate
sdk-python-generate: $(CACHE)/sdk-venv/.done ## Write the generated parts of the Python SDK
	cd sdk/python && "$(CACHE)/sdk-venv/bin/python" tools/generate_perf.py && "$(CACHE)/sdk-venv/bin/python" tools/generate_sync.py && \
		"$(CACHE)/sdk-venv/bin/python" tools/generate_proto.py

.PHONY: sdk-python-docs
sdk-python-docs: $(CACHE)/sdk-venv/.done ## Write the API reference of the Python SDK
	cd sdk/python && PYTHONPATH=src "$(CACHE)/sdk-venv/bin/python" -W ignore -m pdoc --docformat google --output-directory "$(CACHE)/sdk-python-docs" \
		hevlayer hevlayer.messages hevlayer.worker $(foreach half,_sync _async,$(foreach part,blobs documents pipelines pipeline_queue functions,hevlayer.$(half).$(part)))
	@echo "$(CACHE)/sdk-python-docs/index.html"

.PHONY: test-sdk-go
test-sdk-go: ## The Go SDK's tests, with the race detector; LAYER_GO_SDK_DIR names a checkout of the official client where the proxy has none
	TOOLS="$(TOOLS)" LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/debug" sdk/go/run test

.PHONY: lint
lint: $(TOOLS)/buf $(CACHE)/test-venv/.done lint-sdk-python ## Formatting, clippy, buf, ruff
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	cargo clippy $(CARGO_FLAGS) -p pipeline-worker --features failpoints -- -D warnings
	scripts/fall-through-page --check
	"$(TOOLS)/buf" lint
	"$(TOOLS)/buf" breaking --against proto/baseline.binpb
	"$(CACHE)/test-venv/bin/ruff" check tests examples
	TOOLS="$(TOOLS)" sdk/go/run lint

.PHONY: docs
docs: ## Write the generated pages of docs/
	cargo build $(CARGO_FLAGS) -p layer-cli
	"$(CARGO_TARGET_DIR)/debug/layer" reference configuration > docs/configuration.md
	"$(CARGO_TARGET_DIR)/debug/layer" reference metrics > docs/metrics.md
	scripts/fall-through-page
	sdk/go/run docs

.PHONY: bench
bench: $(CACHE)/bench-peer/.done ## Measure router, cache and queues against nginx, Redis and graphile-worker; writes docs/benchmarks.md
	scripts/need nginx nginx
	scripts/need redis-server redis-server
	scripts/need postgresql psql
	cargo build $(CARGO_FLAGS) --profile dist -p layer-bench
	built=$$(scripts/dist) && how=$$(cat "$$built/how") && bench="$(CARGO_TARGET_DIR)/dist/layer-bench" && \
	programs=(--router-bin "$$built/query-router" --router-build "$$how" --out docs/benchmarks.md) && \
	"$$bench" run "$${programs[@]}" $(BENCH_ARGS) && \
	"$$bench" fetch "$${programs[@]}" --cache-bin "$$built/doc-cache" $(FETCH_BENCH_ARGS) && \
	"$$bench" warm "$${programs[@]}" --cache-bin "$$built/doc-cache" && \
	"$$bench" cache-memory --cache-bin "$$built/doc-cache"
	$(MAKE) bench-queue
	$(MAKE) bench-sdk-python
	$(MAKE) bench-sdk-go

.PHONY: bench-sdk-python
bench-sdk-python: $(CACHE)/sdk-venv/.done ## Measure the Python SDK against the official client alone; writes docs/benchmarks-sdk-python.md
	cargo build $(CARGO_FLAGS) --release -p layer-cli -p query-router -p doc-cache
	cd sdk/python && PYTHONPATH=src LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" "$(CACHE)/sdk-venv/bin/python" bench \
		--out ../../docs/benchmarks-sdk-python.md $(SDK_BENCH_ARGS)

.PHONY: bench-queue
bench-queue: $(CACHE)/bench-peer/.done ## Measure queues against graphile-worker alone
	scripts/need postgresql psql
	cargo build $(CARGO_FLAGS) --release -p layer-bench -p pipeline-worker
	"$(CARGO_TARGET_DIR)/release/layer-bench" queue --worker-bin "$(CARGO_TARGET_DIR)/release/pipeline-worker" \
		--peer "$(CACHE)/bench-peer" --out docs/benchmarks.md $(QUEUE_BENCH_ARGS)

# Not a part of `bench`: the environment of sentence-transformers takes more than 5 GB.
.PHONY: bench-embed
bench-embed: $(CACHE)/embed-venv/.done ## Measure embedding against sentence-transformers; writes docs/benchmarks.md
	cargo build $(CARGO_FLAGS) --profile dist -p layer-bench
	model=$$(scripts/model "$(PYTHON)") && "$(CARGO_TARGET_DIR)/dist/layer-bench" embed --model "$$model" \
		--peer-python "$(CACHE)/embed-venv" --out docs/benchmarks.md $(BENCH_ARGS)

.PHONY: sdk-go-generate
sdk-go-generate: ## Write the Go SDK's stubs of the contract
	TOOLS="$(TOOLS)" sdk/go/run generate

.PHONY: sdk-go-docs
sdk-go-docs: ## Write the API reference of the Go SDK: docs/api/sdk-go
	sdk/go/run docs

.PHONY: bench-sdk-go
bench-sdk-go: ## Measure the Go SDK against the official client alone; writes docs/benchmarks-sdk-go.md
	cargo build $(CARGO_FLAGS) --release $(TESTED)
	TOOLS="$(TOOLS)" LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" sdk/go/run bench "$(CURDIR)/docs/benchmarks-sdk-go.md"

.PHONY: soak
soak: $(CACHE)/test-venv/.done $(CACHE)/sdk-venv/.done ## Long and large runs: 512 MiB bodies, minutes of load
	scripts/need nginx nginx
	scripts/need postgresql psql
	scripts/need faketime faketime
	cargo build $(CARGO_FLAGS) --release $(TESTED) -p layer-bench
	cargo build $(CARGO_FLAGS) --release $(TESTED) -p layer-bench $(FAILPOINTS)
	cd tests && LAYER_SOAK=1 LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" "$(CACHE)/test-venv/bin/python" -m pytest -q e2e
	cd tests && LAYER_SOAK=1 LAYER_FAULT_SECONDS=$(SOAK_SECONDS) LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" "$(CACHE)/test-venv/bin/python" -m pytest -q -s pipelines
	cd tests && LAYER_FAULT_SECONDS=60 LAYER_FAULT_SEEDS=1,2,3,4,5 LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" "$(CACHE)/test-venv/bin/python" -m pytest -q -s faults
	cd sdk/python && LAYER_FAULT_SECONDS=120 LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" "$(CACHE)/sdk-venv/bin/python" -m pytest -q -s \
		-o faulthandler_timeout=0 tests/mesh/test_chaos.py
	TOOLS="$(TOOLS)" LAYER_BIN_DIR="$(CARGO_TARGET_DIR)/release" LAYER_FAULT_SECONDS=$$(( $(SOAK_SECONDS) * 2 / 5 )) sdk/go/run soak
	"$(CARGO_TARGET_DIR)/release/layer-bench" flat-memory --router-bin "$(CARGO_TARGET_DIR)/release/query-router"
	"$(CARGO_TARGET_DIR)/release/layer-bench" run --router-bin "$(CARGO_TARGET_DIR)/release/query-router" \
		--cases write-large,query-read-large --connections 64 --rounds $$(( $(SOAK_SECONDS) / 30 )) --seconds 5

.PHONY: fuzz
fuzz: $(TOOLS)/bin/cargo-fuzz ## Fuzz the body rewriters for FUZZ_SECONDS each (needs a nightly toolchain)
	for target in write_rewriter query_rewriter strip strip_rows; do \
		PATH="$(TOOLS)/bin:$$PATH" CARGO_TARGET_DIR="$(CACHE)/fuzz-target" \
		sh -c 'mkdir -p fuzz/corpus/$$0 && cargo +nightly fuzz run "$$0" "fuzz/corpus/$$0" "fuzz/seeds/$$0" -- \
			-max_total_time=$(FUZZ_SECONDS) -dict=fuzz/wire.dict -max_len=4096 -verbosity=0' "$$target"; done

.PHONY: test-fuzz
test-fuzz: ## A short fuzz run, where there is a nightly toolchain (the property tests run everywhere)
	@if cargo +nightly --version >/dev/null 2>&1; then $(MAKE) fuzz FUZZ_SECONDS=10; \
	else echo "no nightly toolchain: not fuzzed here; the property tests of layer-wire ran"; fi

.PHONY: down
down: ## Stop the demo's mesh
	"$(CARGO_TARGET_DIR)/release/layer" down --data-dir "$(DEMO_DIR)"

.PHONY: clean
clean: ## Stop the demo's mesh and remove its data and all build output
	-@test ! -x "$(CARGO_TARGET_DIR)/release/layer" || "$(CARGO_TARGET_DIR)/release/layer" down --data-dir "$(DEMO_DIR)" 2>/dev/null
	rm -rf "$(CACHE)"

$(TOOLS)/bin/cargo-fuzz:
	cargo install --quiet --locked --root "$(TOOLS)" cargo-fuzz

$(TOOLS)/buf:
	GOBIN="$(TOOLS)" go install github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION)

# The queue that ours is measured beside, and the Node that it wants, as the lock file pins them.
$(CACHE)/bench-peer/.done: tests/bench/peer/package-lock.json tests/bench/peer/peer.mjs
	mkdir -p "$(@D)" && cp tests/bench/peer/*.json tests/bench/peer/peer.mjs "$(@D)"
	npm ci --no-audit --no-fund --prefix "$(@D)"
	touch "$@"

$(CACHE)/demo-venv/.done: examples/catalog/requirements.txt scripts/venv
	scripts/venv "$(PYTHON)" "$(CACHE)/demo-venv" $<

$(CACHE)/embed-venv/.done: tests/bench/src/embed/requirements.txt scripts/venv
	scripts/venv "$(PYTHON)" "$(CACHE)/embed-venv" $<

$(CACHE)/sdk-venv/.done: sdk/python/requirements.txt scripts/venv
	scripts/venv "$(PYTHON)" "$(CACHE)/sdk-venv" $<

$(CACHE)/test-venv/.done: tests/requirements.txt examples/catalog/requirements.txt scripts/venv
	scripts/venv "$(PYTHON)" "$(CACHE)/test-venv" tests/requirements.txt examples/catalog/requirements.txt
