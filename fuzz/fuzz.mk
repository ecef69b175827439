# Fuzzing: what it needs is installed under fuzz/, where git ignores it. Not a part of `make test`. See fuzz/README.md.
#   make fuzz                              every target for TIME seconds (20), with both engines
#   make fuzz-campaign TIME=3600           the same for an hour each, one after the other
#   make fuzz-agree                        what the native ones have kept, given to both implementations; needs no tools
#   make fuzz-native-codec, fuzz-atheris-transcript, ...    one of them; ARGS=... goes to libFuzzer

FUZZ_TARGETS := codec envelope transcript proof lightclient
FUZZ_TOOL := fuzz/.tools/bin/cargo-fuzz
FUZZ_VENV := fuzz/.venv/.installed
FUZZ_CORE := fuzz/.venv/.built
FUZZ_SOURCES := $(shell find fuzz/native fuzz/only-ours -name target -prune -o -type f -print)
FUZZ_NATIVE := $(FUZZ_TARGETS:%=fuzz-native-%)
FUZZ_ATHERIS := $(FUZZ_TARGETS:%=fuzz-atheris-%)

# address works on a stable tool chain too, two to three times slower.
SANITIZER ?= none
ifeq ($(MAKECMDGOALS),fuzz-campaign)
TIME ?= 3600
else
TIME ?= 20
endif
LENGTH_codec := 4096
LENGTH_envelope := 8192
LENGTH_transcript := 32768
LENGTH_proof := 8192
LENGTH_lightclient := 32768
LIBFUZZER = -max_total_time=$(TIME) -max_len=$(LENGTH_$*) -use_value_profile=1 -print_final_stats=1 -timeout=10 \
	-rss_limit_mb=1024 -artifact_prefix=$(abspath $(WORK))/ $(ARGS)

.PHONY: fuzz fuzz-campaign fuzz-agree fuzz-check fuzz-seeds $(FUZZ_NATIVE) $(FUZZ_ATHERIS)

fuzz fuzz-campaign: $(FUZZ_NATIVE) $(FUZZ_ATHERIS)

$(FUZZ_TOOL):
	@echo "installing cargo-fuzz into fuzz/.tools/"
	@cargo install --quiet --locked --version 0.13.1 --root fuzz/.tools cargo-fuzz

$(FUZZ_VENV): fuzz/requirements.txt | presupposed
	@echo "installing atheris into fuzz/.venv/"
	@$(PYTHON) -m venv fuzz/.venv
	@fuzz/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement fuzz/requirements.txt
	@touch $@

$(FUZZ_CORE): $(FUZZ_VENV) $(RUST_SOURCES) $(FUZZ_SOURCES) fuzz/atheris/build $(shell find ama2sec -name '*.py')
	@echo "building the core with coverage for atheris"
	@fuzz/atheris/build
	@touch $@

# A backtrace makes every panic thirty times slower.
$(FUZZ_NATIVE): fuzz-native-%: $(FUZZ_TOOL)
	$(eval WORK := fuzz/.work/native/$*)
	@mkdir -p $(WORK)/corpus
	cd fuzz/native && env -u RUST_BACKTRACE RUSTC_WRAPPER=$(abspath fuzz/only-ours) \
		RUSTFLAGS='--cfg curve25519_dalek_backend="avx512"' $(if $(filter address,$(SANITIZER)),RUSTC_BOOTSTRAP=1) \
		$(abspath $(FUZZ_TOOL)) run --fuzz-dir . --sanitizer $(SANITIZER) $* $(abspath $(WORK))/corpus $(abspath fuzz/corpus/$*) -- \
		$(LIBFUZZER) -malloc_limit_mb=64

$(FUZZ_ATHERIS): fuzz-atheris-%: $(FUZZ_CORE)
	$(eval WORK := fuzz/.work/atheris/$*)
	@mkdir -p $(WORK)/corpus
	fuzz/atheris/run $* $(WORK)/corpus fuzz/corpus/$* $(LIBFUZZER)

# AGREE="proof codec" for these targets alone.
fuzz-agree: $(BUILT)
	@$(PY) -m fuzz.atheris.kept $(AGREE)

# What is committed here, held to the rules that hold for the rest.
fuzz-check: $(STAMP)
	cd fuzz/native && cargo fmt --all --check
	cd fuzz/native && PYO3_PYTHON=$(PY) cargo clippy --workspace --all-targets --locked -- -D warnings
	cd fuzz/native && cargo test --release --locked --package ama2sec-attacks

fuzz-seeds:
	cd fuzz/native && cargo run --release --locked --package ama2sec-attacks --bin seeds
