# One command each: make demo, make test, make check, make bench. Each does all the set-up it needs, into .venv/.
# Python 3.11+ and a stable Rust tool chain are presupposed; everything else is installed from the package registries.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
BUILT := $(VENV)/.built
RUST_SOURCES := .cargo/config.toml $(shell find native -not -path '*/target/*' \( -name '*.rs' -o -name 'Cargo.*' \))
CARGO := cd native && cargo

.PHONY: all demo test test-rust test-python check format bench presupposed install build clean

all: build

presupposed:
	@command -v $(PYTHON) >/dev/null || { echo "ama2sec needs Python 3.11 or newer: $(PYTHON) was not found (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ama2sec needs Python 3.11 or newer: $(PYTHON) is $$($(PYTHON) --version) (set PYTHON=...)"; exit 1; }
	@command -v cargo >/dev/null || { echo "ama2sec needs a stable Rust tool chain: cargo was not found"; exit 1; }
	@cargo --version >/dev/null || { echo "ama2sec needs a stable Rust tool chain: cargo does not run"; exit 1; }

$(STAMP): requirements/dev.txt | presupposed
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(BUILT): $(STAMP) $(RUST_SOURCES) pyproject.toml | presupposed
	@unset RUSTFLAGS; VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/maturin develop --release --quiet
	@touch $@

install: $(STAMP)
build: $(BUILT)

demo: $(BUILT)
	@$(PY) -m ama2sec.demo $(DEMO)

test: test-rust test-python

test-rust: $(STAMP)
	$(CARGO) test --workspace --release --locked

test-python: $(BUILT)
	$(PY) -m pytest

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

bench: $(BUILT)
	$(CARGO) run --release --locked -p bench
	$(PY) -m tests.benchmarks

clean:
	rm -rf $(VENV) native/target ama2sec/_native/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
