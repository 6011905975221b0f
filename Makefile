# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help demo test lint unit live fuzz matrix bench setup clean

BIN := .venv/bin
# The tools import what is in .venv, not what the caller's environment points at.
unexport PYTHONPATH PYTHONHOME

# Under sudo no caches are written: they would stop the checkout's owner from running the same tools.
ifdef SUDO_UID
export RUFF_NO_CACHE := true
export MYPY_CACHE_DIR := /dev/null
export PYTEST_ADDOPTS := -p no:cacheprovider
LINT_IMPORTS_OPTIONS := --no-cache
endif

need_root = @[ "$$(id -u)" -eq 0 ] || { echo "make $@ needs root; run: sudo make $@" >&2; exit 1; }

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## (root) set up what is missing, then trace a deletion of our own, live
	$(need_root)
	@tools/setup run
	@tools/demo

test: ## (root) set up what is missing, then lint and all tests, the live ones included
	$(need_root)
	@tools/setup test
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest tests/unit tests/golden tests/rendering tests/live

lint: ## ruff, mypy --strict and the import rules
	@tools/setup dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports $(LINT_IMPORTS_OPTIONS)

unit: ## the tests that need no root and no kernel
	@tools/setup dev
	$(BIN)/pytest tests/unit tests/golden

live: ## (root) the tests against the running kernel
	$(need_root)
	@tools/setup test
	$(BIN)/pytest tests/live

FUZZ_SECONDS ?= 60
FUZZ := tests.fuzz.formats
fuzz: ## feed both grammars what atheris makes up, for FUZZ_SECONDS (60); findings stay in build/fuzz
	@tools/setup dev
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	$(BIN)/python -m pip install -q --no-input -c constraints.txt atheris >/dev/null 2>&1 || \
	{ echo "make fuzz: atheris can't be installed; to see why: $(BIN)/pip install -c constraints.txt atheris" >&2; exit 1; }
	$(BIN)/python -m $(FUZZ) file build/fuzz -max_total_time=$$((($(FUZZ_SECONDS) + 1) / 2))
	$(BIN)/python -m $(FUZZ) print_fmt build/fuzz -max_total_time=$$((($(FUZZ_SECONDS) + 1) / 2))

matrix: ## (root) many kernels, each in a virtual machine; KERNEL=7.2 for one; also live, live+sid
	$(need_root)
	@tools/setup test
	$(BIN)/python -m tests.matrix $(addprefix --kernel ,$(KERNEL)) $(MATRIX_OPTIONS)

bench: ## (root) side by side with bpftrace, perf and strace; BENCH_OPTIONS=--quick for a short look
	$(need_root)
	@tools/setup bench
	$(BIN)/python -m bench $(BENCH_OPTIONS)

setup: ## (root) only the set-up: packages, .venv, tracefs
	$(need_root)
	@tools/setup test

clean: ## remove .venv, caches and byte code
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis && \
	find . -name __pycache__ -prune -exec rm -rf {} + || \
	{ echo "make clean: some files belong to another user; run: sudo make clean" >&2; exit 1; }
