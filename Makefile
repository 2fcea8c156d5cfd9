# `make` runs the demo sweep, `make test` the tests; both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin
SETUP := pyproject.toml uv.lock scripts/bootstrap.py

.DEFAULT_GOAL := demo
.PHONY: demo test test-all check bench bench-check soak help clean

demo: .venv/.installed ## run the demo sweep: search, rank, register (default)
	$(BIN)/hpo run configs/breast-cancer.yaml

test: .venv/.installed-dev ## run the tests (under 8 minutes on 2 cores; four at once, for many wait)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-all: .venv/.installed-all ## run the tests and the slow ones, also those that need ray, Spark or Prefect
	$(BIN)/python -m pytest -n 4 $(ARGS)

check: .venv/.installed-dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/.installed-bench ## measure against peers, side by side (ARGS="--only start --repeat 5", --full, --write)
	$(BIN)/python scripts/bench/everyone.py $(ARGS)

bench-check: .venv/.installed-bench ## a few ratios against those on record, exit 1 if worse; needs a quiet machine
	$(BIN)/python scripts/bench/everyone.py --check $(ARGS)

soak: .venv/.installed-dev ## 10,000 trials, killed and undisturbed: total, memory, throughput
	$(BIN)/python scripts/soak.py

clean: ## remove what make installed and cached (not your sweeps)
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.venv/.installed: $(SETUP)
	$(PYTHON) scripts/bootstrap.py
	@touch $@

.venv/.installed-bench: $(SETUP)
	$(PYTHON) scripts/bootstrap.py bench
	@touch .venv/.installed $@

.venv/.installed-all: $(SETUP)
	$(PYTHON) scripts/bootstrap.py all
	@touch .venv/.installed .venv/.installed-dev $@

.venv/.installed-dev: $(SETUP)
	$(PYTHON) scripts/bootstrap.py dev
	@touch .venv/.installed $@
