# The four things people do here. Each does its own set-up on a fresh Debian machine with Rust and root.
SHELL := /bin/bash
CARGO ?= cargo

.PHONY: demo test lint bench setup schema deb

# The whole path in one command: build, write an attack into background traffic, replay it, show what was found.
demo: setup
	$(CARGO) build --quiet --bin lidr
	@$$(scripts/target-dir)/debug/lidr demo

test: setup
	@scripts/run-tests

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check; else echo "cargo-deny is not here: licences and duplicates not checked"; fi

bench: setup
	@scripts/run-benches

# What the build needs beside Rust: libpcap for the comparison loop, a C tool chain, OpenSSL and curl headers for librdkafka.
setup:
	@scripts/setup

# Writes schema/schema.json anew after a table has grown.
schema:
	LIDR_BLESS=1 $(CARGO) test --quiet -p lidr-schema

# A Debian package of the release build, into target/debian.
deb: setup
	$(CARGO) build --quiet --release --locked --bin lidr
	@scripts/deb
