# wasmnet: every command a person needs. On a fresh Debian 12 with the Swift toolchain and root, each installs what it lacks.
SWIFT ?= swift
export SWIFT
CHECKS = --explicit-target-dependency-import-check error
# The node that WASMNET_NODE names, or one built for it.
NODE = export WASMNET_NODE && WASMNET_NODE="$${WASMNET_NODE:-$$(scripts/release.sh)/wasmnet-node}"

.PHONY: run build test playground test-web test-walk test-programs test-deploy test-cluster test-tsan test-asan test-autobahn fuzz fuzz-client model-check bench bench-client bench-cluster bench-page instructions hostile soak outage simulate cluster check-deploy \
	dist lint format help deps deps-lint deps-test deps-web deps-guests deps-programs deps-playground deps-model deps-bench deps-hostile deps-cluster deps-deploy

run: deps $(if $(findstring --serve-client,$(ARGS)),playground) ## build in release and serve on 127.0.0.1:9000; ARGS="--serve-client"
	bin=$$(scripts/release.sh) && $(if $(findstring --serve-client,$(ARGS)),WASMNET_CLIENT_DIR="$${WASMNET_CLIENT_DIR:-.build-client}") exec "$$bin/wasmnet-node" serve $(ARGS)

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

build: deps ## build everything for debugging, warnings being errors
	$(SWIFT) build $(CHECKS) --build-tests

test: deps-test deps-web deps-guests deps-deploy deps-cluster playground ## build, and run every suite of tests; what failed is printed at the end
	scripts/test.sh

playground: deps-playground ## the programs that the playground page offers, and the client as the node serves it, in .build-client
	@$(MAKE) -s -C client/playground
	@rm -rf .build-client && scripts/stage-client.sh .build-client

test-web: deps-web deps-guests playground ## the dashboard, the browser client and WASI programs, in real browsers; WASMNET_NODE=FILE instead of building
	scripts/test.sh dashboard client wasi

test-walk: deps-web deps-guests ## three calls in a row of a socket, from every start, in real browsers beside native Linux; WASMNET_NODE=FILE
	$(NODE) && WASMNET_WALK=3 WASMNET_SCENARIOS="order of a socket's calls" node --test --test-reporter=spec client/test/wasi/guests.test.js

test-programs: deps-web deps-programs ## curl, mosquitto, adig, netcat and sic of Debian's sources in real browsers; minutes to build, once; WASMNET_NODE=FILE
	scripts/test.sh programs

test-tsan: deps-test ## the relay's tests under ThreadSanitizer
	$(SWIFT) test --scratch-path .build-tsan --sanitize thread --filter "^WireTests|^UnitTests" \
		--skip tenThousandOpensAtOnce --experimental-maximum-parallelization-width 2

test-asan: deps-test ## the relay's tests under AddressSanitizer
	ASAN_OPTIONS=detect_leaks=0 $(SWIFT) test --scratch-path .build-asan --sanitize address --filter "^WireTests|^UnitTests|^SimulationTests" \
		--experimental-maximum-parallelization-width 2

test-autobahn: deps ## the node's WebSocket under the Autobahn test suite of PyPI; it needs Python 2.7 (PYTHON2=FILE)
	scripts/autobahn.sh

fuzz: deps ## fuzz the codecs and the upgrade's head with libFuzzer; SECONDS=60 for each
	scripts/fuzz.sh $(or $(SECONDS),60)

fuzz-client: deps-web ## fuzz the browser client with hostile nodes, in Node; SECONDS=60, SEED=N
	node client/test/fuzz/fuzz.js $(or $(SECONDS),60) $(SEED)

model-check: deps-model ## the lease protocol in spin: the model must pass, its mutants must fail; DEEP=1 for larger sizes
	DEEP=$(DEEP) scripts/model-check.sh

bench: deps-bench ## figures side by side with a direct connection, HAProxy and websockify
	scripts/bench.sh $(ARGS)

instructions: deps-bench ## instructions and allocations of a message and a connect, under callgrind, beside their thresholds; WASMNET_NODE=FILE
	$(NODE) && python3 -B Benchmarks/instructions.py $(ARGS)

bench-client: deps-web ## what the client costs in a page, beside a plain WebSocket; ARGS="--browser firefox --only streams"; WASMNET_NODE=FILE instead of building
	$(NODE) && node client/bench/bench.js $(ARGS)

bench-cluster: deps-bench ## figures of limits shared in Redis: what they cost a node, and what one Redis carries
	scripts/bench-cluster.sh $(ARGS)

bench-page: deps-web playground ## a page's first byte through the client beside one with a bare WebSocket, cold, in Chromium; ARGS=ROUNDS; WASMNET_NODE=FILE
	$(NODE) && node client/bench/first-byte.js $(ARGS)

hostile: deps-hostile ## an honest client beside 8 hostile ones: its round trips, the node's memory and log; ARGS="--only pings"; WASMNET_NODE=FILE
	scripts/hostile.sh $(ARGS)

outage: deps-cluster ## limits over three nodes while something happens to Redis or a node, each beside its bound; ROUNDS=1, ARGS="flushall"; WASMNET_NODE=FILE
	$(NODE) && python3 -B Tests/Fleet/outage.py --rounds $(or $(ROUNDS),1) $(ARGS)

simulate: deps-test ## nodes and their scripts in virtual time under schedules of faults, each bound checked; SEEDS=100000, SEED=N, MOST=N findings, TRACE=1, MUTANTS=1
	$(SWIFT) build --build-tests
	SWIFT_DETERMINISTIC_HASHING=1 SIMULATE_SEEDS=$(or $(SEEDS),2000) SIMULATE_SEED=$(or $(SEED),1) SIMULATE_MOST=$(or $(MOST),1) $(if $(TRACE),SIMULATE_TRACE=1) $(if $(MUTANTS),SIMULATE_MUTANTS="$(MUTANTS)") \
		$(SWIFT) test --skip-build --filter $(if $(MUTANTS),everyMutantIsFoundOut,theBoundsHoldUnderEverySchedule)

cluster: deps-cluster playground ## Redis, three nodes, HAProxy and Prometheus on this machine, until Ctrl-C; WASMNET_NODE=FILE instead of building
	@scripts/cluster.sh

check-deploy: deps-deploy ## all of deploy/ that can be checked without a container engine; ARGS="--node FILE --metrics URL"
	deploy/check.sh $(ARGS)

test-deploy: deps-cluster deps-deploy playground ## deploy/, scripts/cluster.sh in a terminal, alerts by their causes, and a release; WASMNET_NODE=FILE instead of building
	scripts/test.sh check-deploy packages cluster-script alerts dist

test-cluster: deps-cluster deps-deploy ## three nodes behind HAProxy and nginx: addresses, a rolling restart under load, FAULTS=20 over SPAN=180 seconds; WASMNET_NODE=FILE
	scripts/test.sh addresses rolling-restart faults

soak: deps-cluster ## a long run with faults, reloads and denylist churn; MINUTES=10, SEED=N, REPORT=FOLDER for the plots; WASMNET_NODE=FILE
	$(NODE) && python3 -B Tests/Fleet/soak.py --minutes $(or $(MINUTES),10) --report $(or $(REPORT),.build-soak) $(if $(SEED),--seed $(SEED))

dist: deps-cluster playground ## dist/: the static build with its configurations, the client package, checksums, an SBOM; BIN=FILE instead of building
	scripts/dist.sh

lint: deps-lint ## check the formatting, and the links and test names in the documents
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests $(wildcard Benchmarks) Examples
	python3 -B deploy/check/docs.py

format: ## format the Swift sources
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests $(wildcard Benchmarks) Examples

deps:
	@scripts/install.sh build

deps-lint:
	@scripts/install.sh lint

deps-test:
	@scripts/install.sh build test

deps-web:
	@scripts/install.sh web

deps-playground:
	@scripts/install.sh playground

deps-guests:
	@client/guests/install.sh

deps-programs:
	@client/guests/install.sh programs

deps-model:
	@scripts/install.sh model

deps-bench:
	@scripts/install.sh build bench

deps-hostile:
	@scripts/install.sh build hostile

deps-cluster:
	@scripts/install.sh build cluster

deps-deploy:
	@scripts/install.sh deploy
