# One command each: make demo, make test, make check, make bench. Each does all the set-up it needs, into .venv/, and only once.
# Python 3.11+ and a stable Rust tool chain are presupposed; everything else is installed from the package registries.

PYTHON ?= python3
VENV := .venv
CRASH := .pytest_cache/crash
PY := $(abspath $(VENV))/bin/python
STAMP := $(VENV)/.installed
BUILT := $(VENV)/.built
RUST_SOURCES := .cargo/config.toml $(shell find native -name target -prune -o \( -name '*.rs' -o -name 'Cargo.*' \) -print)
CARGO := cd native && PYO3_PYTHON=$(PY) cargo

# Where libpython is, if a program can be linked with it.
LIBPYTHON := import os, sys, sysconfig; at, name = map(sysconfig.get_config_var, ("LIBDIR", "LDLIBRARY")); \
	sys.exit(print(at) if os.path.exists(os.path.join(at, name)) else 1)

# Either would silently hide the flags of .cargo/config.toml. Builds with flags of their own call cargo (see CONTRIBUTING.md).
unexport RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

.PHONY: all demo test test-rust test-python check format bench bench-avx2 dag-git enumerate enumerate-workflows enumerate-rollbacks enumerate-undone machine interleavings test-crash lock presupposed install build clean outside-vectors

all: build

presupposed:
	@command -v $(PYTHON) >/dev/null || { echo "ama2sec needs Python 3.11 or newer: $(PYTHON) was not found (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ama2sec needs Python 3.11 or newer: $(PYTHON) is $$($(PYTHON) --version) (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "ama2sec needs Python's own modules venv and ensurepip (on Debian: python3-venv)"; exit 1; }
	@command -v cargo >/dev/null || { echo "ama2sec needs a stable Rust tool chain: cargo was not found (https://rustup.rs)"; exit 1; }
	@cargo --version >/dev/null || { echo "ama2sec needs a stable Rust tool chain: cargo does not run"; exit 1; }

$(STAMP): requirements/dev.txt | presupposed
	@echo "installing the locked requirements into $(VENV)/"
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

$(BUILT): $(STAMP) $(RUST_SOURCES) pyproject.toml | presupposed
	@echo "building the core (a minute or two the first time)"
	@PIP_QUIET=1 PIP_NO_DEPS=1 VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin develop --release
	@touch $@

install: $(STAMP)
build: $(BUILT)

demo: $(BUILT)
	@$(PY) -m ama2sec.demo $(DEMO)

test: test-rust test-python

# The tests of the Python face run an interpreter inside themselves, so they need its library; the core's need none.
test-rust: $(STAMP)
	$(CARGO) test --profile testing --locked --workspace --exclude ama2sec-python
	@if where=$$($(PY) -c '$(LIBPYTHON)'); then \
		export LD_LIBRARY_PATH="$$where$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}"; \
		$(CARGO) test --profile testing --locked --package ama2sec-python; \
	else echo "NOT RUN: the tests of native/python need libpython (on Debian: libpython3-dev)"; fi

test-python: $(BUILT)
	$(PY) -m pytest -n auto --dist loadfile

# Kill -9 under 32 writers in 4 processes, KILLS times (200), a quarter inside a transaction; then both implementations judge the file.
test-crash: $(BUILT)
	@rm -rf $(CRASH)
	$(PY) -m tests.realm_writers $(CRASH) $(or $(KILLS),200)

# Every history of a small realm, of up to DEPTH moves, in both implementations: half an hour at the depth of 5.
enumerate: $(BUILT)
	$(PY) -m tests.properties.small_worlds $(or $(DEPTH),5)

# Every history of a thousand small workflows, of up to DEPTH moves: hours at the depth of 4; SHARE=0/2 and 1/2 are halves.
enumerate-workflows: $(BUILT)
	$(PY) -m tests.properties.small_workflows $(or $(DEPTH),4) $(or $(SHARE),0/1)

# Every history of a small conversation with rollbacks, of up to DEPTH moves.
enumerate-rollbacks: $(BUILT)
	$(PY) -m tests.properties.small_rollbacks $(or $(DEPTH),4) $(or $(SHARE),0/1)

# Every history of a small workflow in which somebody rolls back, of up to DEPTH moves; FLOW is line, join, either or any.
enumerate-undone: $(BUILT)
	$(PY) -m tests.properties.small_undone_work $(or $(FLOW),line) $(or $(DEPTH),5) $(or $(SHARE),0/1)

# A realm under whatever is done to it, in both implementations and a model: so many runs of ten realms, different ones each time with SEED.
machine: $(BUILT)
	AMA2SEC_MACHINE=$(or $(RUNS),200) AMA2SEC_SEED=$(or $(SEED),$(shell date +%s)) $(PY) -m pytest -q tests/properties/test_realm_machine.py

# Every order of the steps of a few processes at the latch, and SCHEDULES (10000) orders of many, four times: some minutes. The model
# checker's build has flags of its own, and a folder of its own.
interleavings: $(STAMP)
	cd native && RUSTFLAGS='--cfg ama2sec_shuttle --cfg curve25519_dalek_backend="serial"' CARGO_TARGET_DIR=$(abspath native/target/shuttle) \
		cargo test --profile testing --locked --package ama2sec-core --test halt_interleavings -- --nocapture

check: $(BUILT)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(VENV)/bin/mypy
	$(VENV)/bin/stubtest ama2sec._native._core
	$(VENV)/bin/lint-imports

format: $(STAMP)
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .
	$(CARGO) fmt --all

# Ancestors and merge bases of a git repository, by git and by a replayed conversation: make dag-git GIT=path/to/repository
dag-git: $(BUILT)
	@test -n "$(GIT)" || { echo "make dag-git needs GIT=path/to/repository"; exit 1; }
	@$(PY) -m tests.dag_git $(GIT) $(DAG)

# Rule S against vectors that are not kept here, in both implementations; CONTRIBUTING.md says where they are.
outside-vectors: $(BUILT)
	@$(PY) -m tests.outside_vectors --cctv "$(CCTV)" --speccheck "$(SPECCHECK)" --wycheproof "$(WYCHEPROOF)"

# BENCH=--big for 10 M leaves and 10 messages in each of 1 M branches: some minutes.
bench: $(BUILT)
	$(CARGO) run --release --locked --package bench -- $(BENCH)
	$(PY) -m tests.benchmarks

# The same with the code that runs on processors without AVX-512 IFMA: built for it alone, into a folder of its own.
AVX2 := $(abspath native/target/avx2)
AVX2_FLAGS := RUSTFLAGS='--cfg curve25519_dalek_backend="simd"' CARGO_TARGET_DIR=$(AVX2)

bench-avx2: $(BUILT)
	@rm -rf $(AVX2)/wheel $(AVX2)/site
	@$(AVX2_FLAGS) PIP_QUIET=1 $(VENV)/bin/maturin build --quiet --release --interpreter $(PY) --out $(AVX2)/wheel
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --target $(AVX2)/site $(AVX2)/wheel/*.whl
	cd native && $(AVX2_FLAGS) cargo run --release --locked --package bench
	cd $(AVX2)/site && PYTHONPATH=$(CURDIR) $(PY) -m tests.benchmarks

# Lock files with hashes and without a host. Needs uv; it is not part of the set-up.
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv"; exit 1; }
	cd requirements && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header runtime.in -o runtime.txt $(LOCK)
	cd requirements && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header dev.in -c runtime.txt -o dev.txt $(LOCK)
	cd requirements && uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header cwt.in -o cwt.txt $(LOCK)

include fuzz/fuzz.mk

clean:
	rm -rf $(VENV) native/target fuzz/target fuzz/native/target fuzz/.venv fuzz/.work ama2sec/_native/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .grimp_cache .import_linter_cache
	find ama2sec tests -name __pycache__ -prune -exec rm -rf {} +
